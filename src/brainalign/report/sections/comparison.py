"""Comparison: what methods score more or less than others on the same queries."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

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
from brainalign.report.figures.differences import DifferenceRow, draw_differences
from brainalign.report.names import (
    make_slug,
    write_count,
    write_metric,
    write_name,
    write_score,
    write_task,
)
from brainalign.report.pictures import Picture, encode_figure
from brainalign.stores.read import read_store

GROUP = "paired_differences"
PUBLISHED = ("vna", "neuroalign", "mig_vis", "clip_mused", "vi_st")
"""Methods that stand first in a pair; the others are what they have to beat."""

HEADLINE = (
    ("discriminative_encoding", "top_1"),
    ("discriminative_decoding", "top_1"),
    ("label_decoding", "map"),
    ("rate_prediction", "correlation"),
    ("window_bold_to_video", "mean_reciprocal_rank"),
    ("window_video_to_bold", "mean_reciprocal_rank"),
)
"""Tasks and metrics that have figures; the tables below them hold all."""

ALPHA = 0.05
_READING = (
    "Every pair answers the same queries, and the difference is taken query by query, after a mean "
    "over seeds. Bars: bootstrap intervals; where there are three subjects or more these are drawn "
    "as well as stimuli. p: random exchanges of both methods on whole stimuli (cells for rates, "
    "blocks of 30 TRs for windows of movies), two-sided, corrected for all pairs of the same data "
    "set, task and metric. A difference counts as found where the corrected p is below 0.05. "
    "Intervals are not corrected: one that leaves out 0 is no finding by itself. Where none is "
    "found the methods may still differ by less than these data can show. All methods were fitted "
    "on the same split, which the tests take as given."
)


def compose_comparison(run: Run, colours: Mapping[str, str]) -> Section | None:
    """Show paired differences; None for a run without.

    Parameters
    ----------
    run : Run
        Its published folders.
    colours : mapping of str to str
        Colour of each method.
    """
    if run.scores is None:
        return None
    tree = read_store(run.scores.path, "scores")
    if GROUP not in tree.children:
        return None
    table = _turn_published_first(read_score_table(tree, GROUP))
    blocks: list[Block] = [Text(_READING)]
    for dataset in dict.fromkeys(table["dataset"]):
        rows = table[table["dataset"] == dataset]
        blocks.append(Heading(str(dataset)))
        blocks += _show_headline(rows, str(dataset), colours)
        blocks.append(
            Details(
                f"All {write_count(len(rows), 'comparison')} on {dataset}",
                [_tabulate(rows, f"{dataset}: first less second; sorted by corrected p.")],
            )
        )
    return Section("comparison", "Comparison of methods", blocks)


def _turn_published_first(table: pd.DataFrame) -> pd.DataFrame:
    """Exchange the two of a pair where only the second is a published method."""
    turned = table.copy()
    swap = table["method_b"].isin(PUBLISHED) & ~table["method_a"].isin(PUBLISHED)
    for name in ("method", "backbone", "matching", "value"):
        first, second = f"{name}_a", f"{name}_b"
        turned.loc[swap, [first, second]] = table.loc[swap, [second, first]].to_numpy()
    turned.loc[swap, "difference"] = -table.loc[swap, "difference"]
    turned.loc[swap, "ci_low"] = -table.loc[swap, "ci_high"]
    turned.loc[swap, "ci_high"] = -table.loc[swap, "ci_low"]
    return turned


def _show_headline(rows: pd.DataFrame, dataset: str, colours: Mapping[str, str]) -> list[Block]:
    blocks: list[Block] = []
    pictures = []
    sentences = []
    for task, metric in HEADLINE:
        asked = rows[(rows["task"] == task) & (rows["metric"] == metric)]
        for protocol in dict.fromkeys(asked["protocol"]):
            family = asked[asked["protocol"] == protocol]
            shown = family[family["method_a"].isin(PUBLISHED)]
            if not len(shown):
                continue
            sentences.append(_summarise(family, shown, _name_score(task, metric, protocol)))
            pictures.append(_draw(shown, dataset, (task, metric, str(protocol)), colours))
    if pictures:
        blocks.append(Text(" ".join(sentences)))
        caption = (
            f"{dataset}: each method of the paper less every other, by backbone, and its backbones "
            "against each other. Dot: difference; bar: interval; dashed line: none."
        )
        blocks.append(FigureGroup(pictures, caption))
    return blocks


def _summarise(family: pd.DataFrame, shown: pd.DataFrame, name: str) -> str:
    found = shown[shown["p_corrected"] < ALPHA]
    # Lower is better for some metrics.
    sign = -1.0 if (family["direction"] == "lower").all() else 1.0
    n_better = int((sign * found["difference"] > 0).sum())
    n_units, unit = int(family["n_units"].max()), family["unit"].iloc[0]
    return (
        f"{name[0].upper()}{name[1:]}, {write_count(n_units, unit, _pluralise(unit))}, "
        f"{write_count(len(family), 'comparison')} corrected together: of the {len(shown)} shown, "
        f"the first of the pair is better in {n_better}, worse in {len(found) - n_better}, and in "
        f"{len(shown) - len(found)} no difference was found."
    )


def _pluralise(unit: str) -> str:
    return {"stimulus": "stimuli", "cell": "cells"}.get(unit, unit.replace("block", "blocks", 1))


def _draw(
    shown: pd.DataFrame, dataset: str, score: tuple[str, str, str], colours: Mapping[str, str]
) -> Picture:
    name = _name_score(*score)
    rows = []
    by_methods = shown[shown["compared"] == "methods"]
    by_backbones = shown[shown["compared"] == "backbones"]
    by_methods = by_methods.sort_values(["method_a", "backbone_a", "method_b"])
    for row in by_methods.to_dict("records"):
        group = f"{write_name(row['method_a'])} on {write_name(row['backbone_a'])}, less"
        rows.append(_make_row(row, group, write_name(row["method_b"])))
    by_backbones = by_backbones.sort_values(["method_a", "backbone_a", "backbone_b"])
    for row in by_backbones.to_dict("records"):
        group = f"{write_name(row['method_a'])}: {write_name(row['backbone_a'])} less"
        rows.append(_make_row(row, group, write_name(row["backbone_b"])))
    first = shown["method_a"].iloc[0]
    # The name of the task stands in the text above; a panel has room for the metric only.
    axis_label = f"difference in {write_metric(score[1])}"
    figure = draw_differences(rows, axis_label, colours.get(first, "#0072b2"))
    n_found = sum(row.is_found for row in rows)
    alt = (
        f"Differences in {name} on {dataset} for {write_count(len(rows), 'pair')}, each with its "
        f"interval: from {min(row.difference for row in rows):.3f} to "
        f"{max(row.difference for row in rows):.3f}; {n_found} found after correction. The numbers "
        "are in the table below."
    )
    return encode_figure(figure, make_slug("differences", dataset, *score), alt)


def _make_row(row: Mapping[Hashable, Any], group: str, label: str) -> DifferenceRow:
    return DifferenceRow(
        group,
        label,
        row["difference"],
        row["ci_low"],
        row["ci_high"],
        row["p_corrected"] < ALPHA,
    )


def _name_score(task: str, metric: str, protocol: str) -> str:
    name = f"{write_task(task)} {write_metric(metric)}"
    return f"{name}, {protocol.replace('_', ' ')}" if protocol else name


def _tabulate(rows: pd.DataFrame, caption: str) -> Table:
    columns = ["Pair", "Score", "Difference", "p corrected", "p", "Pairs"]
    ordered = rows.sort_values(["task", "metric", "protocol", "p_corrected"], kind="stable")
    return Table(caption, columns, [_compose_row(row) for row in ordered.to_dict("records")])


def _compose_row(row: dict) -> Row:
    metric = row["metric"]
    difference, low, high = (f"{row[name]:+.3f}" for name in ("difference", "ci_low", "ci_high"))
    is_found = row["p_corrected"] < ALPHA
    return Row(
        (
            Cell(
                f"{write_name(row['method_a'])} less {write_name(row['method_b'])}"
                if row["compared"] == "methods"
                else write_name(row["method_a"]),
                details=(
                    write_name(row["backbone_a"])
                    if row["compared"] == "methods"
                    else f"{write_name(row['backbone_a'])} less {write_name(row['backbone_b'])}",
                ),
            ),
            Cell(
                _name_score(row["task"], metric, row["protocol"]),
                details=(
                    f"{write_score(row['value_a'], metric)} and "
                    f"{write_score(row['value_b'], metric)}",
                ),
            ),
            Cell(difference, details=(f"[{low}, {high}]",), sort=float(row["difference"])),
            Cell(
                _write_p(row["p_corrected"]),
                details=() if is_found else ("no difference found",),
                sort=float(row["p_corrected"]),
            ),
            Cell(_write_p(row["p_value"]), sort=float(row["p_value"])),
            Cell(
                f"{int(row['n_pairs']):,}",
                details=(f"{int(row['n_units'])} x {row['unit']}",),
                sort=float(row["n_pairs"]),
            ),
        )
    )


def _write_p(value: float) -> str:
    return f"{value:.4f}" if value < 0.01 else f"{value:.2f}"
