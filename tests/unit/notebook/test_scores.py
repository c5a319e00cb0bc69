"""One table of scores, whichever form it is in; and that its documentation is whole."""

from __future__ import annotations

import os
import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation import clips, label_metrics, label_predictions, rates
from brainalign.evaluation.metrics import list_metrics
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.table import COLUMNS
from brainalign.evaluation.yardsticks import category_scores, encoding_scores, similarity_scores
from brainalign.notebook.scores import load_scores
from brainalign.stores.read import open_store

DOCS = Path(__file__).resolve().parents[3] / "docs" / "scores.md"
Vocabulary = set[tuple[str, str]]


@pytest.fixture(scope="module")
def csv(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "scores.csv"
    table = load_scores(finished / "results")
    table.assign(subject=table["subject"].replace("monkey-a", "001")).to_csv(
        path, index=False, float_format="%.6g"
    )
    return path


def test_store_folder_and_table_give_the_same(finished: Path, csv: Path):
    results = finished / "results"
    first, second, third = (load_scores(p) for p in (results, results / "scores.zarr", csv))
    pd.testing.assert_frame_equal(first, second)
    assert (first.dtypes == third.dtypes).all()
    assert list(first) == list(COLUMNS)
    np.testing.assert_allclose(first["value"], third["value"], rtol=1e-5)
    assert set(third["subject"]) == {"001", "monkey-b", "all"}
    assert first["n_queries"].dtype.kind == "i"


def test_a_folder_with_the_table_alone_is_read(csv: Path):
    pd.testing.assert_frame_equal(load_scores(csv.parent), load_scores(csv))


def test_a_table_behind_the_scores_is_read(finished: Path, csv: Path):
    assert {"stimulus", "n_better"} <= set(load_scores(finished / "results", "queries"))
    with pytest.raises(InputError, match="no tables behind"):
        load_scores(csv, "queries")


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (lambda text: text[:-40], CorruptDataError, "cut short"),
        (lambda text: text.replace("subject,", "who,", 1), InputError, "no column subject"),
        (lambda text: "a,b\n1,2,3,4\n", InputError, "no table of scores"),
        (lambda text: "", InputError, "no table of scores"),
        (
            lambda text: re.sub(r"(higher|lower),[0-9.]+", r"\1,much", text, count=1),
            CorruptDataError,
            "column value holds no number",
        ),
    ],
)
def test_other_tables_are_refused(tmp_path: Path, csv: Path, content, error, message: str):
    path = tmp_path / "scores.csv"
    path.write_text(content(csv.read_text()))
    with pytest.raises(error, match=message):
        load_scores(path)


def test_places_without_scores_are_refused(finished: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no scores here"):
        load_scores(tmp_path / "nothing.csv")
    with pytest.raises(InputError, match="the folder has no scores"):
        load_scores(tmp_path)
    with pytest.raises(InputError, match="expected scores, found stimuli"):
        load_scores(finished / "results" / "stimuli" / "simulated_it.zarr")


def read_rows(heading: str) -> list[list[str]]:
    section = DOCS.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_column_is_documented_in_its_words():
    assert {cells[0].strip("`"): cells[1] for cells in read_rows("Columns")} == COLUMNS


def list_documented() -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """Patterns of task and metric, one pair for each that the table explains."""
    pairs, tasks = [], []
    for task, metric, *_ in read_rows("Tasks and metrics"):
        tasks = re.findall(r"`([^`]+)`", task) or tasks
        pairs += product(map(_compile, tasks), map(_compile, re.findall(r"`([^`]+)`", metric)))
    return pairs


def _compile(name: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", ".+", name) + r"\Z")


def list_vocabulary() -> Vocabulary:
    """All pairs of task and metric that the scorers' own tables name."""
    ranked = [metric.name for metric in list_metrics(EvaluationOptions())]
    tasks = ["discriminative_encoding", "discriminative_decoding"]
    tasks += [f"{level}_{way}" for level, way in product(clips.LEVELS, clips.DIRECTIONS)]
    known: Vocabulary = set(product(tasks, ranked))
    known.add((clips.CODE_TASK, "same_code_rate"))
    known |= {(label_predictions.LABEL_TASK, name) for name in label_metrics.LABEL_METRICS}
    for token, target in product(label_predictions.LEVELS, repeat=2):
        known.add((label_predictions.RSA_TASK, f"{token}_token_{target}_features"))
    known |= {(label_predictions.RETRIEVAL_TASK, f"{name}_top_1") for name in ("image", "brain")}
    controls = [f"correlation_{name}_stimulus" for name in ("reversed", "shuffled")]
    rows = pd.DataFrame(columns=controls)
    known |= {(rates.TASK, metric) for metric, *_ in rates._list_metrics(rows)}
    known |= {
        (encoding_scores.TASK, "pearson"),
        (encoding_scores.TASK, "normalised_pearson"),
        (similarity_scores.TASK, similarity_scores.RSA),
        (similarity_scores.TASK, similarity_scores.CKA),
        (category_scores.TASK, "accuracy_from_responses"),
        (category_scores.TASK, "accuracy_from_features"),
        (rates.TASK, "sd_kl_paper_0.3_degenerate_cells"),
    }
    retrieval = ("response_retrieval", "stimulus_retrieval")
    known |= set(product(retrieval, ("top_1", "identification_2_way")))
    # The scorers of MIG-Vis have no table of names.
    grouped = {
        "reconstruction": ["r2", "bits_per_spike"],
        "label_information": ["category_accuracy", "pose_r2"],
        "group_independence": ["gaussian_total_correlation"],
        "stability": ["matched_group_correlation"],
        "edit_selectivity": ["pose_shift", "pose_transfer_margin", "pose_planted_margin"],
        "attribute_reading": ["category_accuracy", "size_r2"],
    }
    return known | {(task, name) for task, names in grouped.items() for name in names}


def find_missing(vocabulary: Vocabulary) -> list[tuple[str, str]]:
    documented = list_documented()
    return sorted(
        (task, metric)
        for task, metric in vocabulary
        if not any(a.match(task) and b.match(metric) for a, b in documented)
    )


def test_every_metric_of_every_task_is_explained():
    assert not find_missing(list_vocabulary())


def test_nothing_is_explained_that_no_scorer_gives():
    vocabulary = list_vocabulary() | {
        (rates.TASK, "sd_kl_paper_0.3_cells_with_underflow"),
        ("edit_selectivity", "pose_transfer"),
        ("edit_selectivity", "pose_shift_margin"),
    }
    for task, metric in list_documented():
        assert any(task.match(a) and metric.match(b) for a, b in vocabulary), (task, metric)


def test_the_scores_of_a_whole_run_are_explained():
    """With the default run at hand (`BRAINALIGN_RESULTS`), also what its own table holds."""
    folder = os.environ.get("BRAINALIGN_RESULTS")
    if folder is None:
        pytest.skip("set BRAINALIGN_RESULTS to the results of the default run")
    scores = load_scores(folder)
    assert not find_missing(set(zip(scores["task"], scores["metric"], strict=True)))
    tables = set(open_store(Path(folder) / "scores.zarr", "scores").children) - {"table"}
    assert tables <= {cells[0].strip("`") for cells in read_rows("Tables behind the scores")}
