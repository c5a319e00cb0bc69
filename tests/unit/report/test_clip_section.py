"""The section on movies and BOLD, from stores of a small recording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.evaluation.table import compose_score_tree
from brainalign.methods.clips.experiment import fit_experiment, predict_experiment
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.registry import get_method_options
from brainalign.report.artifacts import Artifact, Fit, Run
from brainalign.report.blocks import Section, Table, iterate_pictures
from brainalign.report.document import Group, render_page
from brainalign.report.score_table import read_scores
from brainalign.report.sections.clips import compose_clips
from brainalign.stores.manifest import read_manifest
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.read import read_store
from brainalign.stores.write import write_store
from movie_scanner import make_options, write_recording, write_stores
from page_claims import claim_section
from page_claims.tables import read_page

NAMES = {"dataset": "movies", "method": "neuroalign", "backbone": "grid", "feature": "grid/mean"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("section")
    options = make_options()
    write_stores(folder, write_recording(folder, options), options)
    given = {"epochs": 2, "contrast_epochs": 1, "steps_per_epoch": 2, "n_codes": 8, "window_trs": 6}
    job = ExperimentJob(
        "neuroalign",
        get_method_options("neuroalign").model_validate(given).model_dump(mode="json"),
        {"seeds": [0], "feature": "grid/mean"},
        folder / "stimuli.zarr",
        (folder / "01.zarr",),
        folder / "features.zarr",
    )
    tree = predict_experiment(job, fit_experiment(job))
    publish(folder / "predictions.zarr", tree, "predictions")
    # The scorer reads what was written, not what was in memory.
    stored = read_store(folder / "predictions.zarr", "predictions")
    scores, details = score_all(stored, EvaluationOptions(n_bootstrap=20))
    named = {name: table.assign(**NAMES) for name, table in details.items()}
    publish(folder / "scores.zarr", compose_score_tree(scores.assign(**NAMES), named), "scores")

    def take(name: str) -> Artifact:
        return Artifact(folder / name, read_manifest(folder / name))

    found = Run(results=folder)
    found.stimuli["movies"] = take("stimuli.zarr")
    found.predictions[Fit("neuroalign", "movies", "grid")] = take("predictions.zarr")
    found.scores = take("scores.zarr")
    return found


def publish(path: Path, content: object, kind: str) -> None:
    write_store(path, content, kind, ProvenanceRecorder(kind, {}, {}).finish())


@pytest.fixture(scope="module")
def section(run: Run) -> Section:
    found = compose_clips(run, read_scores(run), {"neuroalign": "#0072b2"})
    assert found is not None
    return found


def test_every_level_way_and_metric_has_the_number_of_the_table(run: Run, section: Section):
    page = read_page(render_page("movies", [Group("", [section])]).html)
    claims = claim_section("movies-and-bold", page, read_scores(run), None)
    assert claims.find_problems() == []
    assert len(claims.shown) > 50


def test_film_strips_lags_and_codes_are_drawn_with_alternative_texts(section: Section):
    pictures = list(iterate_pictures(section.blocks))
    kinds = {picture.file.split("-")[0] for picture in pictures}
    assert kinds == {"clips", "film", "lags", "codes"}
    assert sum(picture.file.startswith("film-strip") for picture in pictures) == 3
    assert all(len(picture.alt) > 30 for picture in pictures)


def test_use_of_the_codebook_is_told_in_numbers(section: Section):
    (usage,) = [one for one in iterate_pictures(section.blocks) if one.file.startswith("codes")]
    assert re.search(r"of 8 codes .* perplexity \d+ and \d+, \d+% used by both", usage.alt)
    tables = [block for block in section.blocks if isinstance(block, Table)]
    (codes,) = [table for table in tables if "shared codebook" in table.caption]
    assert codes.columns[-4:] == ["Perplexity, movie", "Perplexity, BOLD", "Used by both", "Unused"]
    assert all(1 <= float(codes.rows[0].cells[column].text) <= 8 for column in (3, 4))


def test_scores_stand_beside_chance_and_ceiling(section: Section):
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [str(row.cells[1].text) for row in table.rows] == ["embedding", "codes", "mixed"]
    assert any("chance" in detail for detail in table.rows[0].cells[3].details)


def test_a_run_without_windows_has_no_section(run: Run):
    scores = read_scores(run)
    assert compose_clips(run, scores[scores["task"] == "none"], {}) is None
