"""The notebook entry, as a newcomer uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import brainalign
from brainalign.errors import InputError
from brainalign.methods.registry import get_method
from brainalign.notebook.run import Run
from brainalign.stores.read import read_store
from notebook_run import BACKBONE, DATASET


@pytest.fixture(scope="module")
def run(finished: Path) -> Run:
    return brainalign.open_run(finished / "results")


def test_importing_brainalign_imports_nothing_heavy():
    program = """
import sys
import brainalign
brainalign.open_run, brainalign.get_method, brainalign.__version__
heavy = {"torch", "xarray", "pandas", "zarr", "transformers"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_is_there():
    for name in brainalign.__all__:
        assert getattr(brainalign, name)
        assert name in dir(brainalign)
    with pytest.raises(AttributeError, match="no attribute 'open_rum'"):
        _ = brainalign.open_rum


def test_a_run_lists_what_it_has(run: Run):
    assert DATASET in run.list_datasets()
    assert run.list_subjects(DATASET) == ["monkey-a", "monkey-b"]
    assert run.list_backbones() == run.list_backbones(DATASET) == ["pixels", "world_clip"]
    assert run.list_methods(DATASET) == ["direct_encoding_ridge", "vna"]
    assert "monkey-a, monkey-b" in repr(run)


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        ("stimuli", (DATASET,)),
        ("responses", (DATASET, "monkey-b")),
        ("features", (DATASET, BACKBONE)),
        ("predictions", ("vna", DATASET, BACKBONE)),
    ],
)
def test_stores_open_lazily_and_hold_what_was_published(run: Run, stage: str, names: tuple):
    opened = getattr(run, stage)(*names)
    stored = read_store(run.find(stage, *names), stage)
    for node in stored.subtree:
        group = opened[node.path] if stage in ("features", "predictions") else opened
        for name in node.data_vars:
            # xarray keeps values that were read; lazy ones are not in memory.
            assert not group[name].variable._in_memory
            np.testing.assert_array_equal(group[name].values, node[name].values)


def test_a_layer_is_chosen_by_name(run: Run):
    features = run.features(DATASET, BACKBONE, "grid/feature")
    assert features["feature"].dims == ("stimulus", "dimension")
    assert "stimulus" in features.coords


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda run: run.stimuli("simulated_ti"), f"Did you mean '{DATASET}'"),
        (lambda run: run.list_subjects("it"), "no data set 'it'"),
        (lambda run: run.list_methods("it"), "no data set 'it'"),
        (lambda run: run.list_backbones("it"), "no data set 'it'"),
        (lambda run: run.responses(DATASET), "more than one subject; found monkey-a, monkey-b"),
        (lambda run: run.responses(DATASET, "monkey-c"), "Did you mean 'monkey-[ab]'"),
        (lambda run: run.features(DATASET, BACKBONE, "grid/feat"), "Did you mean 'grid/feature'"),
        (lambda run: run.model("vnaa", DATASET), "no method 'vnaa'.*Did you mean 'vna'"),
        (lambda run: run.model("vna", DATASET), "more than one backbone; found pixels, world_clip"),
        (lambda run: run.model("vna", DATASET, BACKBONE, seed=7), "no fit with seed '7'"),
        (lambda run: run.model("vna", DATASET, BACKBONE, area="V4"), "Known: all"),
        (lambda run: run.predictions("vna", DATASET, "pixel"), "Did you mean 'pixels'"),
        (lambda run: run.pairs("vna", DATASET, BACKBONE, area="V4"), "Known: AIT, PIT, all"),
        (lambda run: run.scores("querys"), "Did you mean 'queries'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(run: Run, ask, answer: str):
    with pytest.raises(InputError, match=answer):
        ask(run)


def test_a_model_of_a_run_predicts_what_the_run_predicted(run: Run):
    method = run.model("direct_encoding_ridge", DATASET, BACKBONE)
    assert type(method) is get_method("direct_encoding_ridge")
    test = run.pairs("direct_encoding_ridge", DATASET, BACKBONE)
    for subject in test.subjects:
        match = method.predict(subject.subject, test.feature, subject.response)
        for values in match.values():
            assert values.shape == (len(test.stimulus), len(subject.stimulus))
            assert np.isfinite(values).all()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no such results folder"):
        brainalign.open_run(tmp_path / "nothing")
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"nothing of a run.*found thesis\.tex"):
        brainalign.open_run(tmp_path)


def test_a_draft_of_a_job_under_way_is_not_listed(finished: Path, tmp_path: Path):
    draft = tmp_path / "stimuli" / ".other.zarr.draft-0"
    draft.mkdir(parents=True)
    (draft / "manifest.json").touch()
    (tmp_path / "stimuli" / "half.zarr").mkdir()
    assert Run(tmp_path).list_datasets() == []
