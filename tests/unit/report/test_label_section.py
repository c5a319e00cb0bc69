"""The section of label decoding, from scores as the scorer makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.label_predictions import score_labels
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.table import compose_score_tree, read_score_table
from brainalign.report.artifacts import read_run
from brainalign.report.page import Page, compose_page
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.read import open_store
from brainalign.stores.write import write_store
from page_claims import claim_section
from page_claims.tables import read_page
from unit.report.conftest import PageReader

N_STIMULI, CLASSES, AREAS = 30, ["cat", "<b>dog</b>"], ["LOC", "V1"]


def make_group(seed: int, *, with_tokens: bool) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    label = rng.random((N_STIMULI, 2)) < 0.5
    variables = {
        "label_score": (("seed", "stimulus", "class"), rng.random((2, N_STIMULI, 2))),
        "label": (("stimulus", "class"), label),
    }
    if with_tokens:
        shares = rng.dirichlet([1, 1], size=(2, N_STIMULI, 2))
        variables["stimulus_attention"] = (("seed", "stimulus", "level", "area"), shares)
        variables["occlusion"] = (("seed", "level", "area"), rng.random((2, 2, 2)))
        for level in ("low", "high"):
            token = rng.normal(size=(2, N_STIMULI, 4))
            variables[f"token_{level}"] = (("seed", "stimulus", "token_dimension"), token)
            target = rng.normal(size=(N_STIMULI, 3))
            variables[f"target_{level}"] = (("stimulus", f"{level}_dimension"), target)
    return xr.Dataset(
        variables,
        coords={
            "seed": [0, 1],
            "stimulus": [f"s{number}" for number in range(N_STIMULI)],
            "class": CLASSES,
            "fold": ("stimulus", np.zeros(N_STIMULI, np.int32)),
            **({"level": ["low", "high"], "area": AREAS} if with_tokens else {}),
        },
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scores of labels."""
    folder: Path = tmp_path_factory.mktemp("labels")
    tables, details = [], {}
    for method in ("clip_mused", "label_ridge"):
        guided = method == "clip_mused"
        groups = {
            f"/{subject}/all/labels": make_group(number, with_tokens=guided)
            for number, subject in enumerate(("01", "02"))
        }
        if guided:
            groups["/01/all/labels_swapped"] = make_group(9, with_tokens=False)
        scores, behind = score_labels(
            xr.DataTree.from_dict({"/": xr.Dataset(), **groups}),
            EvaluationOptions(n_bootstrap=20, n_permutations=10),
        )
        names = {"dataset": "scan", "method": method, "backbone": "world_clip", "feature": "x"}
        tables.append(scores.assign(**names))
        for name, table in behind.items():
            details.setdefault(name, []).append(table.assign(**names))
    tree = compose_score_tree(
        pd.concat(tables, ignore_index=True),
        {name: pd.concat(parts, ignore_index=True) for name, parts in details.items()},
    )
    path = folder / "scores.zarr"
    write_store(path, tree, "scores", ProvenanceRecorder("scores", {}, {}).finish())
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return compose_page(read_run([folder / "scores.zarr"], folder))


def test_subjects_controls_and_tokens_have_the_numbers_of_the_table(folder: Path, page: Page):
    scores = read_score_table(open_store(folder / "scores.zarr", "scores"))
    claims = claim_section("labels", read_page(page.html), scores, None)
    assert claims.find_problems() == []
    assert {place[1] for place in claims.shown} == {"labels", "tokens"}


def test_every_method_has_its_scores_and_the_control_is_named(page: Page):
    texts = PageReader(page.html).texts
    assert "Label decoding" in texts
    for name in ("CLIP-MUSED", "label ridge", "swapped subjects", "as fitted"):
        assert name in texts


def test_attention_occlusion_and_classes_are_drawn_with_accessible_names(page: Page):
    by_file = {picture.file: picture.alt for picture in page.pictures}
    for kind in ("attention", "occlusion"):
        alt = by_file[f"labels-scan-clip-mused-world-clip-{kind}.svg"]
        assert "2 regions" in alt
    assert "2 classes by 2 methods" in by_file["labels-scan-classes.svg"]
    assert "chance" in by_file["labels-scan-map.svg"]


def test_names_of_classes_are_text(page: Page):
    assert "<b>dog</b>" not in page.html


def test_label_scores_do_not_enter_the_table_of_retrieval(page: Page):
    assert "Encoding: each test stimulus looks" not in page.html
