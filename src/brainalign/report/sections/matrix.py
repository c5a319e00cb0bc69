"""Overview: which method ran on which data set, how well, and why others did not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from brainalign.errors import InputError
from brainalign.evaluation.predictions import ALL
from brainalign.report.artifacts import Run
from brainalign.report.blocks import Block, Cell, Row, Section, Table, Text
from brainalign.report.names import (
    MISSING,
    write_count,
    write_metric,
    write_name,
    write_score,
    write_task,
)
from brainalign.report.score_table import HEADLINE, NAMED, select_pooled
from brainalign.report.sections.clips import CLIP_TASKS
from brainalign.report.sections.labels import LABEL_TASKS
from brainalign.report.sections.rates import FOLD_MARK, RATE_TASKS

_READING = (
    "Rows are methods, columns data sets. A pair that was run shows its highest score over ways of "
    "matching and backbones, pooled over seeds and subjects (over subjects, where a method fits "
    "each by itself), and leads to the section with its interval, chance and ceiling. Scores of "
    "different metrics or data sets do not compare. Other cells say whether the pair could be run; "
    "numbers lead to what stands against it, below."
)
_SECTIONS: dict[str, str] = {
    **{task: "scores" for task, _ in HEADLINE},
    **dict.fromkeys(LABEL_TASKS, "labels"),
    **dict.fromkeys(RATE_TASKS, "rates"),
    **dict.fromkeys(CLIP_TASKS, "movies-and-bold"),
}
_OTHER_SECTION = "latent-groups"


class Pair(NamedTuple):
    """A method and a data set."""

    method: str
    dataset: str


class State(NamedTuple):
    """Whether a pair goes together, see :func:`brainalign.config.matrix.compose_matrix`."""

    state: str
    reason: str


Matrix = Mapping[Pair, State]


def read_matrix(text: str) -> dict[Pair, State]:
    """Read a matrix as the workflow passes it.

    Parameters
    ----------
    text : str
        JSON: by data set and method a state and its reason.

    Raises
    ------
    InputError
        If it is anything else.
    """
    try:
        return {
            Pair(str(method), str(dataset)): State(str(state), str(reason))
            for dataset, methods in json.loads(text).items()
            for method, (state, reason) in methods.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            "is no matrix of methods and data sets",
            where="--matrix",
            expected="{data set: {method: [state, reason]}}",
            found=str(error),
        ) from error


def compose_matrix_section(
    run: Run,
    scores: pd.DataFrame | None,
    matrix: Matrix,
    locate: Callable[[str, str], str],
) -> Section | None:
    """Tabulate methods against data sets; None without either.

    Parameters
    ----------
    run : Run
        Its published folders.
    scores : pandas.DataFrame or None
        All scores.
    matrix : mapping of Pair to State
        What the configuration says; empty where it is not known.
    locate : callable
        Address of the part of a section (its anchor) about a data set; empty for none.
    """
    methods = list(dict.fromkeys([*(pair.method for pair in matrix), *run.list_methods()]))
    datasets = list(dict.fromkeys([*(pair.dataset for pair in matrix), *run.list_datasets()]))
    if not methods or not datasets:
        return None
    ran = {Pair(fit.method, fit.dataset) for fit in [*run.models, *run.predictions]}
    pooled = {name: _select(scores, name) for name in datasets}
    reasons = list(
        dict.fromkeys(
            state.reason for pair, state in matrix.items() if state.reason and pair not in ran
        )
    )
    rows = []
    for method in methods:
        cells = []
        for dataset in datasets:
            pair = Pair(method, dataset)
            if pair in ran:
                cells.append(_compose_score(pooled[dataset], pair, locate))
            else:
                cells.append(_compose_state(matrix.get(pair), reasons))
        rows.append(Row((Cell(write_name(method)), *cells)))
    n_ran = len(ran)
    caption = (
        f"{write_count(len(methods), 'method')} and {write_count(len(datasets), 'data set')}; "
        f"{write_count(n_ran, 'pair')} {'was' if n_ran == 1 else 'were'} run."
    )
    table = Table(caption, ["Method", *datasets], rows)
    notes = " ".join(f"({number}) {reason}." for number, reason in enumerate(reasons, 1))
    blocks: list[Block] = [Text(_READING), table, *([Text(notes)] if reasons else [])]
    return Section("matrix", "Methods and data sets", blocks)


def _select(scores: pd.DataFrame | None, dataset: str) -> pd.DataFrame | None:
    """Pool every method by itself: one that fits subjects apart has no row of all subjects."""
    own = None if scores is None else scores[scores["dataset"] == dataset]
    if own is None or not len(own):
        return None
    rows = pd.concat([_pool(part, dataset) for _, part in own.groupby("method", sort=False)])
    return rows[~rows["matching"].str.contains(FOLD_MARK) & rows["value"].notna()]


def _pool(scores: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = select_pooled(scores, dataset, "mean")
    # A kind of prediction may know neither repeats nor seeds.
    return rows if len(rows) else scores[scores["area"] == ALL]


def _compose_score(
    rows: pd.DataFrame | None, pair: Pair, locate: Callable[[str, str], str]
) -> Cell:
    own = None if rows is None else rows[rows["method"] == pair.method]
    if own is None or not len(own):
        return Cell("run", details=("no pooled score",))
    task, metric = _choose_score(own, rows)
    chosen = own[(own["task"] == task) & (own["metric"] == metric)]
    is_lower_better = str(chosen["direction"].iloc[0]) == "lower"
    value = float(chosen["value"].min() if is_lower_better else chosen["value"].max())
    name = NAMED.get((task, metric), f"{write_task(task)}, {write_metric(metric)}")
    text = write_score(value, metric)
    address = locate(_SECTIONS.get(task, _OTHER_SECTION), pair.dataset)
    if not address:
        return Cell(text, details=(name,), sort=value)
    return Cell("", links=((text, address),), details=(name,), sort=value)


def _choose_score(own: pd.DataFrame, rows: pd.DataFrame | None) -> tuple[str, str]:
    """Take the named score that most methods of the data set have, else the first of its own."""
    present = list(dict.fromkeys(zip(own["task"], own["metric"], strict=True)))
    named = [score for score in NAMED if score in present]
    if not named or rows is None:
        return present[0]
    n_methods = rows.groupby(["task", "metric"])["method"].nunique()
    return max(named, key=lambda score: int(n_methods[score]))


def _compose_state(state: State | None, reasons: list[str]) -> Cell:
    if state is None:
        return Cell(MISSING)
    note = f"({reasons.index(state.reason) + 1})" if state.reason else ""
    return Cell(state.state, note=note)
