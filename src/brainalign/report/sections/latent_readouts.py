"""What groups of latents tell of stimuli, how well they reconstruct, and how stable they are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.report.artifacts import Fit
from brainalign.report.blocks import Block, Cell, Details, FigureGroup, Row, Table
from brainalign.report.figures.group_readouts import draw_group_readouts
from brainalign.report.names import make_slug, write_list, write_name, write_score
from brainalign.report.pictures import encode_figure

_WHOLE = {
    ("reconstruction", "r2"): "R² of responses",
    ("reconstruction", "bits_per_spike"): "bits per spike",
    ("group_independence", "gaussian_total_correlation"): "dependence of groups (nats)",
    ("stability", "matched_group_correlation"): "agreement over seeds",
}
_TASKS = ["label_information", *dict.fromkeys(task for task, _ in _WHOLE)]


def show_readouts(scores: pd.DataFrame, fit: Fit) -> list[Block]:
    """Draw the read-outs of each subject and tabulate all latents of each variant.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of the fit, all seeds.
    fit : Fit
        Whose scores they are.
    """
    written = join_equal_variants(scores)
    scores = scores[scores["matching"].isin(list(written))]
    labels = scores[(scores["seed"] == "all") & (scores["task"] == "label_information")]
    if not len(labels):
        return [_tabulate_variants(scores, written)]
    return [
        _draw_labels(labels, written, fit),
        _tabulate_variants(scores, written),
        Details("Read-outs of every group in numbers", [_tabulate_labels(labels, written)]),
    ]


def join_equal_variants(scores: pd.DataFrame) -> dict[str, str]:
    """Name the variants that differ in their scores; those with the same latents share a name.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of any task; those of latents are compared.

    Returns
    -------
    written : dict of str to str
        First variant of each set of equal ones, and the names of all of them.
    """
    by_values: dict[tuple[float, ...], list[str]] = {}
    latents = scores[scores["task"].isin(_TASKS)]
    for name, rows in latents.groupby("matching", sort=False):
        by_values.setdefault(tuple(rows["value"].round(12)), []).append(str(name))
    return {
        names[0]: write_list([write_name(name) for name in names]) for names in by_values.values()
    }


def _draw_labels(labels: pd.DataFrame, written: dict[str, str], fit: Fit) -> FigureGroup:
    metrics = list(dict.fromkeys(labels["metric"]))
    pictures = []
    for (subject, area), own in labels.groupby(["subject", "area"], sort=False):
        title = str(subject) if area == "all" else f"{subject}, {area}"
        figure = draw_group_readouts(own, written, metrics, title)
        alt = (
            f"Read-outs of {write_list([_write_metric(name) for name in metrics])} from each "
            f"group of latents of {title}, by {write_list(list(written.values()))}."
        )
        name = make_slug("readouts", fit.dataset, fit.method, str(subject), str(area))
        pictures.append(encode_figure(figure, name, alt))
    return FigureGroup(
        pictures,
        "What each group of latents tells of test stimuli, by read-outs from that group alone "
        "(all: from all latents). Mean over seeds with the 95 % interval over stimuli; dashed: "
        "chance. A group holds its label where the others stay at chance.",
    )


def _tabulate_variants(scores: pd.DataFrame, written: dict[str, str]) -> Table:
    """Rows of subject and variant: what concerns all latents together."""
    whole = scores[scores["task"].isin([task for task, _ in _WHOLE])]
    columns = {
        key: title
        for key, title in _WHOLE.items()
        if ((whole["task"] == key[0]) & (whole["metric"] == key[1])).any()
    }
    rows = []
    for (subject, area, variant), own in whole.groupby(["subject", "area", "matching"], sort=False):
        cells = [Cell(str(subject), note="" if area == "all" else str(area))]
        cells.append(Cell(written[str(variant)]))
        for task, metric in columns:
            cells.append(_write(own[(own["task"] == task) & (own["metric"] == metric)]))
        rows.append(Row(tuple(cells)))
    return Table(
        "All latents of each variant: mean over seeds and 95 % interval over stimuli. "
        + " ".join(_explain_columns(whole, columns)),
        ["subject", "variant", *columns.values()],
        rows,
        n_headings=2,
    )


def _explain_columns(scores: pd.DataFrame, columns: dict[tuple[str, str], str]) -> list[str]:
    notes = []
    r2 = scores[scores["metric"] == "r2"]
    ceiling = r2["ceiling"].mean()
    if np.isfinite(ceiling):
        notes.append(
            f"Stimuli explain {ceiling:.2f} of the variance of these responses; an autoencoder "
            "has seen the response that it reconstructs, noise and all, and may exceed that."
        )
    if ("reconstruction", "bits_per_spike") in columns:
        notes.append("Bits per spike are gained over the mean count of each unit (0).")
    if ("group_independence", "gaussian_total_correlation") in columns:
        notes.append("Independent groups have a dependence of 0.")
    chance = scores.loc[scores["task"] == "stability", "chance"].mean()
    if np.isfinite(chance):
        notes.append(
            "Agreement is the canonical correlation of groups matched over seeds (chance "
            f"{chance:.2f})."
        )
    return notes


def _tabulate_labels(labels: pd.DataFrame, written: dict[str, str]) -> Table:
    """Rows of subject, variant and group: read-outs with intervals."""
    metrics = list(dict.fromkeys(labels["metric"]))
    rows = []
    for (subject, area, variant, group), own in labels.groupby(
        ["subject", "area", "matching", "response"], sort=False
    ):
        cells = [Cell(str(subject), note="" if area == "all" else str(area))]
        cells += [Cell(written[str(variant)]), Cell(str(group))]
        cells += [_write(own[own["metric"] == metric]) for metric in metrics]
        rows.append(Row(tuple(cells)))
    chances = ", ".join(
        f"{_write_metric(name)} {labels.loc[labels['metric'] == name, 'chance'].mean():.2f}"
        for name in metrics
    )
    return Table(
        "Read-outs of test stimuli from each group alone, and from all latents; mean over seeds "
        f"and 95 % interval over stimuli. Chance: {chances}.",
        ["subject", "variant", "group", *(_write_metric(name) for name in metrics)],
        rows,
        n_headings=3,
    )


def _write_metric(metric: str) -> str:
    return write_name(metric).replace("r2", "R²")


def _write(rows: pd.DataFrame) -> Cell:
    """Write the row that is pooled over seeds; without one, the mean over seeds."""
    pooled = rows[rows["seed"] == "all"]
    if len(pooled):
        rows = pooled
    if not len(rows):
        return Cell("")
    value = float(rows["value"].mean())
    low, high = rows["ci_low"].iloc[0], rows["ci_high"].iloc[0]
    note = f"[{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
    return Cell(write_score(value, "r2"), note=note, sort=value)
