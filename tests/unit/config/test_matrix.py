"""Which methods fit which data sets, and how that is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from brainalign.config.load import load_config
from brainalign.config.matrix import COLUMNS, compose_matrix
from brainalign.config.models import Config
from brainalign.config.pairs import find_obstacle, find_wrong_pairs, get_requirements
from brainalign.config.plan import Plan
from brainalign.methods.registry import METHODS, get_method_options
from brainalign.methods.requirements import Requirements
from brainalign.raw.options import (
    NWBDataset,
    SimulatedITDataset,
    SimulatedITSortsDataset,
    SimulatedRetinaArrayDataset,
    SimulatedRetinaDataset,
)
from command_line import Command

PROJECT = Path(__file__).resolve().parents[3]
IMAGES = Requirements(design="images", subjects="many", predictions=("embedding",))
IT = SimulatedITDataset(kind="simulated_it")
RETINA = SimulatedRetinaDataset(kind="simulated_retina")


@pytest.fixture(scope="module")
def default() -> Config:
    return load_config([PROJECT / "config.yaml"])


def _make_config(dataset: str, method: str) -> Config:
    return Config.model_validate(
        {
            "datasets": {dataset: {"kind": dataset}},
            "backbones": {"pixels": {"kind": "pixels"}},
            "methods": {method: {}},
            "experiments": [{"datasets": [dataset], "backbones": ["pixels"], "methods": [method]}],
        }
    )


def test_the_matrix_has_every_method_and_data_set_once(default: Config) -> None:
    matrix = compose_matrix(default)
    assert tuple(matrix.columns) == COLUMNS
    assert len(matrix) == len(default.datasets) * len(default.methods)
    assert not matrix.duplicated(["dataset", "method"]).any()
    assert set(matrix["state"]) == {"planned", "possible", "impossible"}


def test_planned_pairs_are_those_of_the_plan(default: Config) -> None:
    matrix = compose_matrix(default)
    planned = matrix[matrix["state"] == "planned"]
    pairs = set(zip(planned["dataset"], planned["method"], strict=True))
    assert pairs == {(row.dataset, row.method) for row in Plan(default).rows}


def test_every_impossible_pair_has_a_reason(default: Config) -> None:
    matrix = compose_matrix(default)
    reasons = matrix[matrix["state"] == "impossible"]["reason"]
    assert reasons.str.contains("needs .+, found .+").all()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_says_what_it_needs(method: str) -> None:
    assert isinstance(get_method_options(method).requirements, Requirements)


def test_a_movie_is_no_image() -> None:
    obstacle = find_obstacle(IMAGES, RETINA)
    assert obstacle is not None
    assert "the design differs; expected images, found movies" in str(obstacle)


def test_a_recording_without_responses_takes_no_method() -> None:
    array = SimulatedRetinaArrayDataset(kind="simulated_retina_array")
    obstacle = find_obstacle(replace(IMAGES, design="movies"), array)
    assert "ends with its sorted units" in str(obstacle)


def test_methods_of_bold_take_no_spikes() -> None:
    needed = replace(IMAGES, design="movies", modalities=("fmri", "fmri_responses"))
    assert "expected fmri or fmri_responses, found spikes" in str(find_obstacle(needed, RETINA))


def test_methods_that_join_subjects_need_two() -> None:
    needed = replace(IMAGES, min_subjects=2)
    assert "expected 2 subjects or more, found 1" in str(find_obstacle(needed, IT, 1))
    assert find_obstacle(needed, IT, 2) is None
    assert find_obstacle(needed, IT, None) is None


def test_units_that_some_presentations_miss_are_an_obstacle_where_they_poison_a_fit() -> None:
    sorts = SimulatedITSortsDataset(kind="simulated_it_sorts")
    needed = replace(IMAGES, needs_complete_responses=True)
    assert "sessions have units of their own" in str(find_obstacle(needed, sorts))
    assert find_obstacle(IMAGES, sorts) is None
    assert find_obstacle(needed, IT) is None


def test_labels_that_nobody_knows_of_are_a_condition_and_no_obstacle() -> None:
    own = NWBDataset(kind="nwb", folder="somewhere")
    assert find_obstacle(replace(IMAGES, needs_labels=True), own) is None
    config = _make_config("simulated_it", "label_ridge").model_copy(
        update={"datasets": {"own": own}, "experiments": []}
    )
    assert compose_matrix(config).loc[0, ["state", "reason"]].tolist() == [
        "possible",
        "if its stimuli have labels",
    ]


def test_a_wrong_pair_is_one_line_with_a_remedy() -> None:
    config = _make_config("simulated_it", "neuroalign")
    problems = [str(problem) for problem in find_wrong_pairs(config, Plan(config))]
    assert problems == [
        "experiments[0]: method 'neuroalign' does not fit data set 'simulated_it': the design "
        "differs; expected movies, found images. Choose a method for images."
    ]
    assert compose_matrix(config).loc[0, "state"] == "impossible"


def test_a_method_under_another_name_requires_the_same(default: Config) -> None:
    first, second = (
        get_requirements(default, name) for name in ("neuroalign", "neuroalign_no_lag")
    )
    assert first == second


def test_the_command_prints_each_reason_once(command: Command, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = command("matrix", PROJECT / "config.yaml")
    assert outcome.status == 0
    lines = outcome.output.splitlines()
    assert lines[0].split()[0] == "method"
    assert any(line.split()[:2] == ["vna", "runs"] for line in lines)
    notes = [line for line in lines if line.startswith("(")]
    assert len(notes) == len({note.split(" ", 1)[1] for note in notes}) > 2


def test_validate_names_wrong_pairs(command: Command, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.yaml").write_text(
        "datasets: {simulated_retina: {kind: simulated_retina}}\n"
        "backbones: {pixels: {kind: pixels}}\nmethods: {vna: {}}\n"
        "experiments: [{datasets: [simulated_retina], backbones: [pixels], methods: [vna]}]\n"
    )
    outcome = command("validate", tmp_path / "wrong.yaml")
    assert outcome.status == 2
    assert "problem: experiments[0]: method 'vna' does not fit" in outcome.output


def test_the_default_and_the_full_matrix_cover_exactly_what_is_possible(default: Config) -> None:
    full = load_config([PROJECT / "config.yaml", PROJECT / "workflow/datasets/full_matrix.yaml"])
    matrix = compose_matrix(default)
    fitting = matrix[matrix["state"] != "impossible"]
    possible = set(zip(fitting["dataset"], fitting["method"], strict=True))
    ours, theirs = set(Plan(default).rows), set(Plan(full).rows)
    assert {(row.dataset, row.method) for row in ours | theirs} == possible
    assert not ours & theirs


def test_the_full_matrix_changes_no_budget(default: Config) -> None:
    full = load_config([PROJECT / "config.yaml", PROJECT / "workflow/datasets/full_matrix.yaml"])
    for name, method in default.methods.items():
        changed = full.methods[name].model_dump()
        assert {**changed, "subjects": None} == {**method.model_dump(), "subjects": None}
    assert full.seeds == default.seeds
    assert full.evaluation == default.evaluation
