"""What was run, and the highest score of each data set with what may be said of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.report.artifacts import Run
from brainalign.report.blocks import Block, Bullets, Cell, Row, Section, Table, Text
from brainalign.report.names import (
    MISSING,
    describe_counts,
    write_count,
    write_list,
    write_name,
    write_score,
)
from brainalign.report.recordings import Recording, StimulusSet
from brainalign.report.score_table import NAMED, Best, find_best, select_pooled
from brainalign.report.sections.rates import FOLD_MARK


def compose_summary(
    run: Run,
    recordings: list[Recording],
    stimuli: list[StimulusSet],
    scores: pd.DataFrame | None,
) -> Section:
    """Sum up the run.

    Parameters
    ----------
    run : Run
        Its published folders.
    recordings, stimuli
        What they hold.
    scores : pandas.DataFrame or None
        All scores.
    """
    blocks: list[Block] = [Text(_describe_run(run, recordings, stimuli))]
    if scores is None:
        blocks.append(
            Text("No method was run, so there are no scores: the page shows the recordings.")
        )
    else:
        names = dict.fromkeys(scores["dataset"])
        blocks.append(Bullets([text for name in names for text in _describe_scores(scores, name)]))
    blocks.append(_tabulate_datasets(run, recordings, stimuli))
    return Section("summary", "Summary", blocks)


def _describe_run(run: Run, recordings: list[Recording], stimuli: list[StimulusSet]) -> str:
    n_units = sum(recording.n_units for recording in recordings)
    text = (
        f"{write_count(len(run.list_datasets()), 'data set')}, "
        f"{write_count(len(recordings), 'subject')}, {write_count(n_units, 'unit')}"
    )
    n_stimuli = sum(one.n_stimuli for one in stimuli)
    text += f", {write_count(n_stimuli, 'stimulus', 'stimuli')}." if stimuli else "."
    if methods := run.list_methods():
        text += (
            f" {write_count(len(methods), 'method')} "
            f"({write_list([write_name(name) for name in methods])})"
        )
        names = [write_name(name) for name in run.list_backbones()]
        if names:
            text += f" on {write_count(len(names), 'backbone')} ({write_list(names)})"
        text += f", {_describe_seeds(run)}."
    return text


def _describe_seeds(run: Run) -> str:
    seeds = sorted({seed for m in run.models.values() for seed in m.provenance.get("seeds", ())})
    if not seeds:
        return "seeds not recorded"
    return f"{write_count(len(seeds), 'seed')} ({write_list([str(seed) for seed in seeds])})"


def _describe_scores(scores: pd.DataFrame, dataset: str) -> list[str]:
    pooled = select_pooled(scores, dataset, "mean")
    # A fold of a protocol is no row to rank: the protocol holds it already.
    pooled = pooled[~pooled["matching"].str.contains(FOLD_MARK)]
    found = {score: find_best(pooled, score) for score in NAMED}
    sentences = [
        _describe_best(best, dataset, *score) for score, best in found.items() if best is not None
    ]
    if sentences:
        return sentences
    own = scores[scores["dataset"] == dataset]
    tasks = [write_name(str(task)) for task in dict.fromkeys(own["task"])]
    return [f"{dataset}: {write_list(tasks)} were scored; the section of each method shows them."]


def _describe_best(best: Best, dataset: str, task: str, metric: str) -> str:
    row = best.row
    among = ""
    if np.isfinite(row["n_candidates"]):
        among = f" among {row['n_candidates']:.4g} candidates"
    ceiling = "no ceiling"
    if np.isfinite(row["ceiling"]):
        ceiling = f"ceiling {write_score(row['ceiling'], metric)}"
    return (
        f"{dataset}: the highest {NAMED[task, metric]} is {write_score(row['value'], metric)} "
        f"[{write_score(row['ci_low'], metric)}, {write_score(row['ci_high'], metric)}], "
        f"by {write_name(row['method'])} ({write_name(row['matching'])}) on "
        f"{write_name(row['backbone'])} (chance {write_score(row['chance'], metric)}{among}; "
        f"{ceiling}). {_qualify(best)}"
    )


def _qualify(best: Best) -> str:
    """Say how far the highest row stands out; intervals that overlap leave the order open."""
    if best.row["ci_low"] <= best.row["chance"]:
        return "Its interval includes chance."
    n_others = best.n_rows - 1
    if n_others == 0:
        return "It is the only row."
    if best.n_overlapping == 0:
        return f"No interval of the other {n_others} rows overlaps its own."
    return (
        f"The intervals of {best.n_overlapping} of the other {n_others} rows overlap its own: "
        "the order among these is not settled."
    )


def _tabulate_datasets(run: Run, recordings: list[Recording], stimuli: list[StimulusSet]) -> Table:
    sets = {one.dataset: one for one in stimuli}
    rows = []
    for dataset in run.list_datasets():
        own = [recording for recording in recordings if recording.dataset == dataset]
        n_units, n_usable = (
            sum(getattr(one, name) for one in own) for name in ("n_units", "n_usable")
        )
        areas = sorted({area for one in own for area in one.areas})
        n_presentations = sum(one.n_presentations for one in own)
        rows.append(
            Row(
                (
                    Cell(dataset),
                    Cell(", ".join(one.subject for one in own) or MISSING),
                    Cell(", ".join(areas) or MISSING),
                    Cell(f"{n_units:,}", details=(f"{n_usable:,} ok",), sort=n_units),
                    Cell(f"{n_presentations:,}", sort=n_presentations),
                    _describe_stimuli(sets.get(dataset), own),
                )
            )
        )
    columns = ["Data set", "Subjects", "Areas", "Units", "Presentations", "Stimuli"]
    return Table("Data sets of this run.", columns, rows)


def _describe_stimuli(stimuli: StimulusSet | None, recordings: list[Recording]) -> Cell:
    if stimuli is None:
        n_shown = max((one.n_stimuli for one in recordings), default=0)
        return Cell(f"{n_shown:,} shown", details=("no images in this run",), sort=n_shown)
    has_folds = stimuli.n_folds > 1
    division = f"{stimuli.n_folds} folds" if has_folds else describe_counts(stimuli.split)
    if stimuli.size is None:
        count, size = write_count(stimuli.n_stimuli, "stimulus", "stimuli"), "labels, no images"
    else:
        count = write_count(stimuli.n_stimuli, stimuli.noun)
        size = "{} by {} px".format(*stimuli.size)
    return Cell(
        count,
        details=(size, division),
        sort=stimuli.n_stimuli,
    )
