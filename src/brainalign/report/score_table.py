"""The table of scores as the page needs it: rows to compare, and what may be said of the best."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from brainalign.evaluation.predictions import ALL
from brainalign.evaluation.table import COLUMNS, read_score_table
from brainalign.report.artifacts import Run
from brainalign.stores.read import read_store

VARIANT = ["method", "matching", "backbone"]
"""Columns that tell the rows of the main table apart."""

HEADLINE = [
    (f"discriminative_{task}", metric)
    for metric in ("top_1", "identification_2_way", "median_rank")
    for task in ("encoding", "decoding")
]
"""Tasks and metrics of the main table."""

RANKED_BY = ("discriminative_decoding", "top_1")
"""The score that sorts the main table."""

NAMED = {
    RANKED_BY: "decoding top-1",
    ("label_decoding", "map"): "mean average precision of decoded labels",
    ("rate_prediction", "correlation"): "correlation with recorded rates",
    ("window_bold_to_video", "top_1"): "top-1 from BOLD to windows of video",
}
"""Scores that the summary names, one per kind of prediction."""

# A table that lacks columns is still shown.
_DEFAULTS: dict[str, str | int] = {
    "area": ALL,
    "matching": "",
    "response": "mean",
    "feature": "",
    "n_queries": 0,
}


@dataclass(frozen=True)
class Best:
    """The highest row of a data set, and how sure that is.

    Attributes
    ----------
    row : pandas.Series
        The row with the highest value.
    n_rows : int
        Rows that it was chosen from.
    n_overlapping : int
        Other rows whose interval overlaps that of the highest.
    """

    row: pd.Series
    n_rows: int
    n_overlapping: int


def read_scores(run: Run) -> pd.DataFrame | None:
    """Read the table of all scores; None for a run without."""
    if run.scores is None:
        return None
    table = read_score_table(read_store(run.scores.path, "scores"))
    for name in COLUMNS:
        if name not in table.columns:
            table[name] = _DEFAULTS.get(name, float("nan"))
    return table


def select_pooled(table: pd.DataFrame, dataset: str, response: str) -> pd.DataFrame:
    """Take the rows of a data set that pool over seeds and subjects: units of all areas.

    Parameters
    ----------
    table : pandas.DataFrame
        All scores.
    dataset : str
        The data set.
    response : {"mean", "single"}
        Mean over repeats or single presentations.

    Notes
    -----
    With one subject there is nothing to pool, and its own rows are taken.
    """
    rows = _select(table, dataset, response)
    return _pool_subjects(rows[rows["area"] == ALL])


def select_subjects(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Take the rows of single subjects: mean responses, all areas, pooled over seeds."""
    rows = _select(table, dataset, "mean")
    return rows[(rows["subject"] != ALL) & (rows["area"] == ALL)]


def select_areas(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Take the rows of single areas: mean responses, pooled over seeds and subjects."""
    rows = _select(table, dataset, "mean")
    return _pool_subjects(rows[rows["area"] != ALL])


def _select(table: pd.DataFrame, dataset: str, response: str) -> pd.DataFrame:
    return table[
        (table["dataset"] == dataset) & (table["response"] == response) & (table["seed"] == ALL)
    ]


def _pool_subjects(rows: pd.DataFrame) -> pd.DataFrame:
    pooled = rows[rows["subject"] == ALL]
    return pooled if len(pooled) else rows


def find_best(pooled: pd.DataFrame, score: tuple[str, str] = RANKED_BY) -> Best | None:
    """Find the highest row of a score; None where it was not scored.

    Parameters
    ----------
    pooled : pandas.DataFrame
        From :func:`select_pooled`.
    score : (str, str)
        Task and metric.
    """
    task, metric = score
    rows = pooled[(pooled["task"] == task) & (pooled["metric"] == metric)]
    rows = rows[rows["value"].notna()]
    if not len(rows):
        return None
    position = int(rows["value"].to_numpy().argmax())
    best, others = rows.iloc[position], rows.drop(rows.index[position])
    n_overlapping = int((others["ci_high"] >= best["ci_low"]).sum())
    return Best(best, len(rows), n_overlapping)
