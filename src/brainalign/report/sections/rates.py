"""Rate prediction: scores per method, rates beside recorded ones, cells, populations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.evaluation.predictions import ALL
from brainalign.evaluation.table import read_score_table
from brainalign.report.artifacts import Run
from brainalign.report.blocks import (
    Block,
    Cell,
    Details,
    FigureGroup,
    Heading,
    Row,
    Section,
    Table,
    Text,
)
from brainalign.report.figures.rates import (
    PopulationLine,
    UnitRow,
    draw_population,
    draw_unit_scores,
)
from brainalign.report.figures.score_intervals import ScoreDot, draw_score_intervals
from brainalign.report.figures.style import MUTED, assign_colours
from brainalign.report.names import (
    MISSING,
    make_slug,
    write_count,
    write_name,
    write_score,
)
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.sections.rate_traces import show_traces
from brainalign.stores.read import read_store

RATE_TASK = "rate_prediction"
RATE_TASKS = (RATE_TASK,)

FOLD_MARK = " on "
"""Stands in the names of rows that hold one fold of a protocol."""

_VARIANT = ["method", "matching", "backbone"]
_HEADLINE = {
    "correlation": "CC",
    "normalised_correlation": "Normalised CC",
    "bits_per_spike": "Bits per spike",
    "sd_kl_code_0.5_median": "SD-KL",
    "correlation_reversed_stimulus": "Reversed",
    "correlation_shuffled_stimulus": "Shuffled",
}
_REFERENCES = {"sd_kl": "half against half", "duration": "half against half"}
_REASONS = ("few_events", "zero_variance", "underflow")
_READING = (
    "How well the rate of each cell during test frames is predicted. CC: signed Pearson "
    "correlation with the mean rate over repeats, mean over cells; chance from circular shifts, "
    "ceiling from halves of the repeats; a constant rate has none. Normalised CC: divided by the "
    "ceiling of the cell. Bits per spike: Poisson likelihood beyond the mean rate of the training "
    "split, which is its chance; it has no ceiling, since one would depend on how recorded rates "
    "are smoothed. SD-KL: divergence of the durations of events, median over the cells in "
    "which it is defined (how many are not stands among the other metrics), bandwidth 0.5, "
    "smaller is better; chance is the recorded rate in random order. Beside it stands what half of "
    "the repeats reach against the other half. Reversed and shuffled: CC of rates predicted from "
    "the movies backwards and from their frames in random order, which should be near 0. "
    "Intervals are bootstrap intervals over cells; they do not hold the spread over seeds, which "
    "is the SD after ±."
)


def compose_rates(run: Run, scores: pd.DataFrame | None) -> Section | None:
    """Show how rates were predicted; None for a run without predicted rates.

    Parameters
    ----------
    run : Run
        Its published folders.
    scores : pandas.DataFrame or None
        All scores; nothing is computed from them but means over seeds, folds and subjects of
        details.
    """
    if scores is None or run.scores is None or not (scores["task"] == RATE_TASK).any():
        return None
    tree = read_store(run.scores.path, "scores")
    details = {
        name: read_score_table(tree, name)
        for name in ("units", "population")
        if name in tree.children
    }
    rated = scores[scores["task"] == RATE_TASK]
    # Their own colours: among the methods of a whole run two of them could share one.
    colours = assign_colours(rated["method"].tolist())
    blocks: list[Block] = [Text(_READING)]
    for dataset in dict.fromkeys(rated["dataset"]):
        rows = rated[rated["dataset"] == dataset]
        pooled = rows[rows["seed"] == ALL]
        pooled = pooled[pooled["subject"] == ALL] if (pooled["subject"] == ALL).any() else pooled
        own = {name: table[table["dataset"] == dataset] for name, table in details.items()}
        blocks.append(Heading(dataset))
        blocks += _show_scores(pooled, rows, dataset, colours)
        if "units" in own:
            whole = pooled[~pooled["matching"].str.contains(FOLD_MARK)]
            blocks += show_traces(run, whole, own["units"], dataset, colours)
            blocks += _show_units(own["units"], dataset, colours)
        if "population" in own:
            blocks += _show_population(own["population"], dataset, colours)
    return Section("rates", "Predicted rates", blocks)


def _show_scores(
    pooled: pd.DataFrame, rows: pd.DataFrame, dataset: str, colours: Mapping[str, str]
) -> list[Block]:
    whole = pooled[~pooled["matching"].str.contains(FOLD_MARK)]
    n_cells = write_count(int(whole["n_queries"].max()), "cell")
    caption = f"{dataset}: {n_cells}, rows by CC."
    blocks: list[Block] = [_tabulate(whole, _HEADLINE, _VARIANT, caption)]
    protocols = dict.fromkeys(whole["matching"])
    pictures = [
        _draw_metric(whole[whole["matching"] == protocol], dataset, protocol, metric, colours)
        for protocol in protocols
        for metric in ("correlation", "bits_per_spike")
    ]
    caption = (
        f"{dataset}: every method, mean over cells and seeds. Dot: score; bar: interval; dashed "
        "line: chance; diamond: ceiling. A method whose rate is constant has no CC."
    )
    blocks.append(FigureGroup(pictures, caption))
    folds = pooled[pooled["matching"].str.contains(FOLD_MARK)]
    if len(folds):
        table = _tabulate(folds, _HEADLINE, _VARIANT, f"{dataset}: each fold by itself.")
        blocks.append(Details(f"Each of {folds['matching'].nunique()} folds", [table]))
    single = rows[(rows["subject"] != ALL) & (rows["seed"] == ALL)]
    single = single[~single["matching"].str.contains(FOLD_MARK)]
    if single["subject"].nunique() > 1:
        keys = ["subject", *_VARIANT]
        table = _tabulate(single, _HEADLINE, keys, f"{dataset}: each subject alone.")
        blocks.append(Details(f"Each of {single['subject'].nunique()} subjects", [table]))
    others = {
        name: _write_rate_metric(name)
        for name in dict.fromkeys(whole["metric"])
        if name not in _HEADLINE and "_cells_with_" not in name
    }
    if others:
        caption = (
            f"{dataset}: the other metrics. Absolute CC and CC of positive cells are conventions "
            "of published code and above 0 by chance. SD-KL by direction, bandwidth and statistic: "
            "mean and median over the cells in which it is defined, the number of the others "
            "(mean over folds and seeds), and the published mean, to which each of them adds 1000."
        )
        table = _tabulate(whole, others, _VARIANT, caption)
        degenerate = _tabulate_degenerate(rows, dataset)
        blocks.append(Details(f"All other metrics ({len(others)} columns)", [table, *degenerate]))
    return blocks


def _tabulate(
    rows: pd.DataFrame, metrics: Mapping[str, str], keys: Sequence[str], caption: str
) -> Table:
    known = [name for name in metrics if (rows["metric"] == name).any()]
    entries = []
    for key, group in rows.groupby(list(keys), sort=True):
        by_metric = {row["metric"]: row for row in group.to_dict(orient="records")}
        cells = [Cell(write_name(str(name))) for name in key]
        cells += [_write_cell(by_metric.get(name), name) for name in known]
        order = by_metric.get("correlation", {"value": np.nan})["value"]
        entries.append((order, Row(tuple(cells))))
    # A stable sort keeps the alphabet among equal scores; a missing score comes last.
    entries.sort(key=lambda entry: -entry[0] if np.isfinite(entry[0]) else np.inf)
    headings = ["Protocol" if name == "matching" else name.capitalize() for name in keys]
    columns = [*headings, *(metrics[name] for name in known)]
    return Table(caption, columns, [row for _, row in entries], n_headings=len(keys))


def _write_cell(row: Mapping[Any, Any] | None, metric: str) -> Cell:
    if row is None or not np.isfinite(row["value"]):
        return Cell(MISSING)
    value, low, high = (write_score(row[name], metric) for name in ("value", "ci_low", "ci_high"))
    details = [f"[{low}, {high}]"]
    if np.isfinite(row["chance"]):
        details.append(f"chance {write_score(row['chance'], metric)}")
    if np.isfinite(row["ceiling"]):
        words = [text for prefix, text in _REFERENCES.items() if metric.startswith(prefix)]
        details.append(f"{(words or ['ceiling'])[0]} {write_score(row['ceiling'], metric)}")
    note = f"± {write_score(row['seed_sd'], metric)}" if np.isfinite(row["seed_sd"]) else ""
    return Cell(value, note, tuple(details), sort=float(row["value"]))


def _write_rate_metric(metric: str) -> str:
    return metric.replace("sd_kl_", "SD-KL ").replace("_", " ")


def _tabulate_degenerate(rows: pd.DataFrame, dataset: str) -> list[Table]:
    """Count the cells whose SD-KL is undefined, by reason."""
    counts = rows[rows["metric"].str.contains("_cells_with_") & (rows["seed"] == ALL)]
    counts = counts[~counts["matching"].str.contains(FOLD_MARK)]
    if not len(counts):
        return []
    kinds = list(dict.fromkeys(counts["metric"].str.split("_cells_with_").str[0]))
    table = []
    for key, group in counts.groupby(_VARIANT, sort=True):
        mean = group.groupby("metric")["value"].mean()
        cells = [Cell(write_name(str(name))) for name in key]
        for kind in kinds:
            numbers = [mean.get(f"{kind}_cells_with_{reason}", 0.0) for reason in _REASONS]
            text = " / ".join(f"{number:.3g}" for number in numbers)
            cells.append(Cell(text, sort=float(sum(numbers))))
        table.append(Row(tuple(cells)))
    caption = (
        f"{dataset}: cells whose SD-KL is undefined, mean over seeds and folds, because of few "
        "events / zero variance / underflow."
    )
    columns = ["Method", "Protocol", "Backbone", *map(_write_rate_metric, kinds)]
    return [Table(caption, columns, table, n_headings=len(_VARIANT))]


def _draw_metric(
    rows: pd.DataFrame, dataset: str, protocol: str, metric: str, colours: Mapping[str, str]
) -> Picture:
    chosen = rows[(rows["metric"] == metric) & rows["value"].notna()]
    chosen = chosen.sort_values(["value"], ascending=False, kind="stable")
    dots = [
        ScoreDot(
            group=write_name(row["method"]),
            label=write_name(row["backbone"]),
            value=row["value"],
            low=row["ci_low"],
            high=row["ci_high"],
            chance=row["chance"],
            ceiling=row["ceiling"],
            colour=colours[row["method"]],
            is_floor=False,
        )
        for row in chosen.to_dict(orient="records")
    ]
    name = _HEADLINE[metric]
    span = f"{chosen['value'].min():.3f} to {chosen['value'].max():.3f}" if dots else "none"
    alt = (
        f"{name} on {dataset}, {write_name(protocol)}, for {write_count(len(dots), 'row')}: "
        f"{span}, each with its interval, beside chance and ceiling where there is one. The "
        "numbers are in the table above."
    )
    label = f"{name}, {write_name(protocol)}"
    figure = draw_score_intervals(dots, label, is_share=False)
    return encode_figure(figure, make_slug("rates", dataset, protocol, metric), alt)


def _show_units(units: pd.DataFrame, dataset: str, colours: Mapping[str, str]) -> list[Block]:
    pictures = []
    n_undefined = 0
    for protocol, rows in units.groupby("matching", sort=False):
        rows = rows.assign(cell=rows["subject"] + " " + rows["unit"])
        several = rows["backbone"].nunique() > 1
        means = rows.groupby(["method", "backbone", "cell"], sort=False)["correlation"].mean()
        ceiling = rows.groupby("cell", sort=False)["correlation.ceiling"].mean()
        by_row = {
            (str(method), str(backbone)): values.to_numpy()
            for (method, backbone), values in means.groupby(["method", "backbone"], sort=False)
        }
        order = sorted(by_row, key=lambda key: -_find_median(by_row[key]))
        entries = [UnitRow("ceiling", ceiling.to_numpy(), MUTED)]
        for method, backbone in order:
            label = f"{write_name(method)} · {write_name(backbone)}" if several else None
            values = by_row[method, backbone]
            n_undefined += int(np.isnan(values).sum())
            entries.append(UnitRow(label or write_name(method), values, colours[method]))
        medians = "; ".join(
            f"{row.label} {np.nanmedian(row.value):.2f}"
            for row in entries
            if np.isfinite(row.value).any()
        )
        alt = (
            f"CC of each of {write_count(len(ceiling), 'cell')} on {dataset}, "
            f"{write_name(str(protocol))}, a row of dots per method. Medians: {medians}."
        )
        figure = draw_unit_scores(entries, "CC of a cell", write_name(str(protocol)))
        pictures.append(
            encode_figure(figure, make_slug("rates", dataset, str(protocol), "cells"), alt)
        )
    caption = (
        f"{dataset}: CC of every cell, mean over seeds and folds; bar: median. The ceiling is that "
        f"of each cell. {write_count(n_undefined, 'undefined value')} (constant rates) left out."
    )
    return [FigureGroup(pictures, caption)]


def _find_median(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else -2.0


def _show_population(
    population: pd.DataFrame, dataset: str, colours: Mapping[str, str]
) -> list[Block]:
    pictures = []
    for protocol, rows in population.groupby("matching", sort=False):
        several = rows["backbone"].nunique() > 1
        lines = []
        for (method, backbone), own in rows.groupby(["method", "backbone"], sort=True):
            table = own.groupby("n_units")[["top_1", "low", "high"]].mean().reset_index()
            label = write_name(str(method))
            label = f"{label} · {write_name(str(backbone))}" if several else label
            lines.append(PopulationLine(label, table, colours[str(method)]))
        chance = float(rows["chance"].mean())
        largest = "; ".join(
            f"{line.label} {line.table['top_1'].iloc[0]:.2f} to {line.table['top_1'].iloc[-1]:.2f}"
            for line in lines
        )
        alt = (
            f"Share of moments of {dataset}, {write_name(str(protocol))}, that populations of "
            f"{int(rows['n_units'].min())} to {int(rows['n_units'].max())} cells identify. From "
            f"the smallest to the largest: {largest}; chance {chance:.3f}."
        )
        figure = draw_population(lines, chance, write_name(str(protocol)))
        pictures.append(
            encode_figure(figure, make_slug("rates", dataset, str(protocol), "population"), alt)
        )
    caption = (
        f"{dataset}: what more cells add. Each recorded moment of half a second (less where "
        "recorded stretches are shorter) is looked for among all moments by the predicted pattern "
        "of a random population. Line: mean over populations, seeds and folds; band: lowest to "
        "highest tenth of populations."
    )
    return [FigureGroup(pictures, caption)]
