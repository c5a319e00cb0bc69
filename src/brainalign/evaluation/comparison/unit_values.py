"""What each method scored on each stimulus, cell or block, read from the tables of score stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainalign.evaluation.identification import score_identification
from brainalign.evaluation.ranking import QueryRanks, score_top_k

ALL = "all"

MATCHING_ORDER = ("likelihood", "cosine", "embedding", "labels", "tokens")
"""Which matching stands for a method that has several, the first that it has: chosen before any
score was seen. Likelihood of the residuals' model comes before plain similarity."""

_IDENTITY = ["task", "metric", "protocol", "direction"]


@dataclass(frozen=True)
class DetailTable:
    """One kind of table behind scores.

    Attributes
    ----------
    group : str
        Its name in score stores.
    columns : tuple of str
        Columns by which it is known; other tables may have the same name.
    unit : str
        What is drawn and flipped.
    read : callable
        Turns the table into rows with ``subject``, ``seed``, ``matching``, ``unit``, ``query``,
        ``task``, ``metric``, ``protocol``, ``direction`` and ``value``.
    """

    group: str
    columns: tuple[str, ...]
    unit: str
    read: Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Contestant:
    """One method with one backbone, and what it scored in one task and metric.

    Attributes
    ----------
    method, backbone, matching : str
        Who.
    values : pandas.DataFrame
        ``subject``, ``unit``, ``query`` and ``value``, a mean over seeds; each once.
    """

    method: str
    backbone: str
    matching: str
    values: pd.DataFrame


@dataclass(frozen=True)
class Contest:
    """All contestants of one data set, task and metric.

    Attributes
    ----------
    dataset, task, metric, protocol, direction : str
        What is compared; ``protocol`` is the split of movies, else empty.
    unit : str
        What is drawn and flipped.
    contestants : tuple of Contestant
        Sorted by method and backbone.
    """

    dataset: str
    task: str
    metric: str
    protocol: str
    direction: str
    unit: str
    contestants: tuple[Contestant, ...]


def list_contests(stores: Sequence[Mapping[str, pd.DataFrame]]) -> list[Contest]:
    """Collect what can be compared from the tables behind scores.

    Parameters
    ----------
    stores : sequence of mapping of str to pandas.DataFrame
        One per score store: its detail tables by name, with the columns ``dataset``, ``method``
        and ``backbone``, which are the same in all rows of a store.

    Returns
    -------
    contests : list of Contest
        Of two contestants or more, sorted. Of several ways of matching the first of
        :data:`MATCHING_ORDER` that a method has is taken; the protocols of movies are contests of
        their own.
    """
    collected: dict[tuple[str, ...], list[Contestant]] = {}
    units: dict[tuple[str, ...], str] = {}
    for store in stores:
        for detail, names, rows in _read_details(store):
            for key, part in rows.groupby(_IDENTITY, sort=True):
                matching = _choose_matching(part["matching"].unique().tolist())
                chosen = part[part["matching"] == matching]
                values = (
                    chosen.groupby(["subject", "unit", "query"], sort=True)["value"]
                    .mean()
                    .dropna()
                    .reset_index()
                )
                identity = (names["dataset"], *map(str, key))
                units[identity] = detail.unit
                collected.setdefault(identity, []).append(
                    Contestant(names["method"], names["backbone"], matching, values)
                )
    contests = []
    for identity, found in sorted(collected.items()):
        if len(found) < 2:
            continue
        dataset, task, metric, protocol, direction = identity
        contestants = tuple(sorted(found, key=lambda one: (one.method, one.backbone)))
        contests.append(
            Contest(dataset, task, metric, protocol, direction, units[identity], contestants)
        )
    return contests


def _read_details(
    store: Mapping[str, pd.DataFrame],
) -> Iterator[tuple[DetailTable, dict[str, str], pd.DataFrame]]:
    for detail in DETAIL_TABLES:
        table = store.get(detail.group)
        if table is None or not set(detail.columns) <= set(table.columns):
            continue
        # Rows that pool say the same again.
        own = table[(table["subject"] != ALL) & (table["seed"].astype(str) != ALL)]
        own = own[own["area"] == ALL]
        if len(own):
            names = {name: str(own[name].iloc[0]) for name in ("dataset", "method", "backbone")}
            yield detail, names, detail.read(own)


def _choose_matching(known: list[str]) -> str:
    ranked = {name: number for number, name in enumerate(MATCHING_ORDER)}
    return min(known, key=lambda name: (ranked.get(name, len(ranked)), name))


def _read_queries(table: pd.DataFrame) -> pd.DataFrame:
    ranks = QueryRanks(
        table["stimulus"].to_numpy(dtype=np.str_),
        table["n_better"].to_numpy(np.intp),
        table["n_tied"].to_numpy(np.intp),
        table["n_distractors"].to_numpy(np.intp),
        np.ones(len(table), np.intp),
    )
    scores = {
        "top_1": score_top_k(ranks, 1),
        "identification_2_way": score_identification(ranks, 2),
    }
    named = table.assign(unit=table["stimulus"], query=table["stimulus"], protocol="")
    return _stack(named, scores, dict.fromkeys(scores, "higher"))


def _read_labelled_stimuli(table: pd.DataFrame) -> pd.DataFrame:
    # Controls that see what was learned of another subject are no methods.
    table = table[table["matching"] == "labels"]
    named = table.assign(
        unit=table["stimulus"], query=table["stimulus"], protocol="", task="label_decoding"
    )
    scores = {name: table[name].to_numpy(np.float64) for name in ("map", "hamming")}
    return _stack(named, scores, {"map": "higher", "hamming": "lower"})


def _read_cells(table: pd.DataFrame) -> pd.DataFrame:
    # Cells of different subjects are different cells, whatever their names.
    cell = table["subject"] + "/" + table["unit"]
    named = table.assign(unit=cell, query=cell, protocol=table["matching"], task="rate_prediction")
    scores = {name: table[name].to_numpy(np.float64) for name in ("correlation", "bits_per_spike")}
    return _stack(named, scores, dict.fromkeys(scores, "higher"))


def _read_clips(table: pd.DataFrame) -> pd.DataFrame:
    named = table.assign(unit=table["subject"] + "/" + table["block"], protocol="")
    scores = {"mean_reciprocal_rank": table["value"].to_numpy(np.float64)}
    return _stack(named, scores, {"mean_reciprocal_rank": "higher"})


def _stack(
    table: pd.DataFrame, scores: dict[str, np.ndarray], direction: dict[str, str]
) -> pd.DataFrame:
    columns = ["subject", "seed", "matching", "unit", "query", "task", "protocol"]
    return pd.concat(
        [
            table[columns].assign(value=values, metric=metric, direction=direction[metric])
            for metric, values in scores.items()
        ],
        ignore_index=True,
    )


DETAIL_TABLES = (
    DetailTable("queries", ("stimulus", "n_better", "n_tied"), "stimulus", _read_queries),
    DetailTable("stimuli", ("stimulus", "map", "hamming"), "stimulus", _read_labelled_stimuli),
    DetailTable("units", ("unit", "correlation", "bits_per_spike"), "cell", _read_cells),
    DetailTable("clip_queries", ("query", "block", "value"), "block of 30 TRs", _read_clips),
)
"""What is compared: one entry per kind of detail table."""
