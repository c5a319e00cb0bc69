"""Scores of one data set: every method with interval, chance and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

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
from brainalign.report.figures.score_intervals import ScoreDot, draw_score_intervals
from brainalign.report.names import (
    MISSING,
    make_slug,
    write_count,
    write_list,
    write_metric,
    write_name,
    write_score,
    write_task,
)
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.score_table import (
    HEADLINE,
    RANKED_BY,
    VARIANT,
    select_areas,
    select_pooled,
    select_subjects,
)

# Encoding and decoding in view, the easier measure folded away.
_FIGURES = [pair for pair in HEADLINE if pair[1] == "top_1"]
_FOLDED_FIGURES = [pair for pair in HEADLINE if pair[1] == "identification_2_way"]

_READING = (
    "Encoding: each test stimulus looks for its own response among the responses to all test "
    "stimuli. Decoding: each response looks for its own stimulus. Top-1 is the share of queries "
    "whose partner comes first, 2-way the share of comparisons with one other candidate that the "
    "partner wins, median rank the partner's place (1 is best). Intervals are bootstrap "
    "intervals over stimuli; they do not hold the spread over seeds, which is the SD after ±. "
    "Chance is what random scores reach. The ceiling matches half of the repeats to the other "
    "half in the method's own space: a reference, not an upper bound."
)


def compose_scores(
    scores: pd.DataFrame, colours: Mapping[str, str], floors: Sequence[str], level: float | None
) -> Section:
    """Show the scores of all data sets.

    Parameters
    ----------
    scores : pandas.DataFrame
        All scores; nothing is computed from them.
    colours : mapping of str to str
        Colour of each method.
    floors : sequence of str
        Backbones of pixels, which are no model of vision.
    level : float or None
        Coverage of the intervals, where it is known.
    """
    percent = "" if level is None else f" The coverage of intervals is {level:.0%}."
    blocks: list[Block] = [Text(_READING + percent)]
    for dataset in dict.fromkeys(scores["dataset"]):
        blocks.append(Heading(dataset))
        pooled = select_pooled(scores, dataset, "mean")
        if not len(pooled):
            blocks.append(Text("No row pools over seeds; see scores.csv for single seeds."))
            continue
        blocks += _show_dataset(scores, pooled, dataset, colours, floors)
    return Section("scores", "Scores", blocks)


def _show_dataset(
    scores: pd.DataFrame,
    pooled: pd.DataFrame,
    dataset: str,
    colours: Mapping[str, str],
    floors: Sequence[str],
) -> list[Block]:
    facts = _describe_queries(pooled)
    blocks: list[Block] = [
        _tabulate(
            pooled,
            HEADLINE,
            VARIANT,
            floors,
            f"{dataset}: mean responses over repeats. {facts} Sorted by decoding top-1.",
        ),
        *_draw(pooled, _FIGURES, dataset, colours, floors, facts),
    ]
    two_way = _draw(pooled, _FOLDED_FIGURES, dataset, colours, floors, facts)
    if two_way:
        blocks.append(Details("2-way identification, drawn", two_way))
    others = [pair for pair in _list_pairs(pooled) if pair not in HEADLINE]
    if others:
        caption = f"{dataset}: the other metrics, mean responses over repeats. {facts}"
        table = _tabulate(pooled, others, VARIANT, floors, caption)
        blocks.append(Details(f"All other metrics ({len(others)} columns)", [table]))
    single = select_pooled(scores, dataset, "single")
    if len(single):
        caption = f"{dataset}: single presentations. {_describe_queries(single)}"
        table = _tabulate(single, HEADLINE, VARIANT, floors, caption)
        blocks.append(Details("Single trials", [table]))
    parts = {"subject": select_subjects(scores, dataset), "area": select_areas(scores, dataset)}
    for part, rows in parts.items():
        n_parts = rows[part].nunique()
        if n_parts > 1:
            caption = f"{dataset}: mean responses, each {part} alone. {_describe_queries(rows)}"
            table = _tabulate(rows, HEADLINE, [part, *VARIANT], floors, caption)
            blocks.append(Details(f"Each of {n_parts} {part}s", [table]))
    return blocks


def _list_pairs(rows: pd.DataFrame) -> list[tuple[str, str]]:
    known = rows[rows["value"].notna()]
    return list(dict.fromkeys(zip(known["task"], known["metric"], strict=True)))


def _describe_queries(rows: pd.DataFrame) -> str:
    """Say how many candidates and queries there are, and who is pooled."""
    candidates = sorted({f"{number:.4g}" for number in rows["n_candidates"].dropna()}, key=float)
    queries = sorted({int(number) for number in rows["n_queries"] if number})
    subjects = [str(name) for name in dict.fromkeys(rows["subject"])]
    parts = []
    if candidates:
        span = candidates[0] if len(candidates) == 1 else f"{candidates[0]} to {candidates[-1]}"
        parts.append(f"N = {span} candidates")
    if queries:
        span = f"{queries[0]:,}" if len(queries) == 1 else f"{queries[0]:,} to {queries[-1]:,}"
        parts.append(f"{span} queries over all seeds")
    if subjects == ["all"]:
        parts.append("queries of all subjects pooled")
    else:
        parts.append(f"{'subject' if len(subjects) == 1 else 'subjects'} {write_list(subjects)}")
    return "; ".join(parts) + "."


def _tabulate(
    rows: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    keys: list[str],
    floors: Sequence[str],
    caption: str,
) -> Table:
    known = _list_pairs(rows)
    pairs = [pair for pair in pairs if pair in known]
    sort_by = RANKED_BY if RANKED_BY in known else (known[0] if known else None)
    entries = []
    for key, group in rows.groupby(keys, sort=True):
        scores = {(row["task"], row["metric"]): row for row in group.to_dict(orient="records")}
        order = scores[sort_by]["value"] if sort_by in scores else np.nan
        entries.append((order, _compose_row(tuple(map(str, key)), scores, pairs, keys, floors)))
    # A stable sort keeps the alphabet among equal scores; a missing score comes last.
    entries.sort(key=lambda entry: -entry[0] if np.isfinite(entry[0]) else np.inf)
    heading = ", ".join(keys).capitalize()
    columns = [heading, *(_name_column(*pair) for pair in pairs)]
    return Table(caption, columns, [row for _, row in entries])


def _name_column(task: str, metric: str) -> str:
    return f"{write_task(task).capitalize()} {write_metric(metric)}"


def _compose_row(
    key: tuple[str, ...],
    scores: Mapping[tuple[str, str], dict],
    pairs: Sequence[tuple[str, str]],
    keys: list[str],
    floors: Sequence[str],
) -> Row:
    named = dict(zip(keys, key, strict=True))
    is_floor = named["backbone"] in floors
    own = [named[name] for name in ("subject", "area") if name in named]
    parts = [*own, *(write_name(named[name]) for name in VARIANT[1:])]
    heading = Cell(
        write_name(named["method"]),
        details=(" · ".join(part for part in parts if part),),
        tag="floor" if is_floor else "",
    )
    cells = [_compose_cell(scores.get(pair), pair[1]) for pair in pairs]
    return Row((heading, *cells), is_floor=is_floor)


def _compose_cell(row: dict | None, metric: str) -> Cell:
    if row is None:
        return Cell(MISSING)
    value, low, high, chance, ceiling = (
        write_score(row[name], metric)
        for name in ("value", "ci_low", "ci_high", "chance", "ceiling")
    )
    details = (f"[{low}, {high}]", f"chance {chance}", f"ceiling {ceiling}")
    note = f"± {write_score(row['seed_sd'], metric)}" if np.isfinite(row["seed_sd"]) else ""
    sort = float(row["value"]) if np.isfinite(row["value"]) else None
    return Cell(value, note, details, sort=sort)


def _draw(
    rows: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    dataset: str,
    colours: Mapping[str, str],
    floors: Sequence[str],
    facts: str,
) -> list[FigureGroup]:
    n_backbones = rows["backbone"].nunique()
    pictures = [
        _draw_panel(rows, pair, dataset, colours, floors, n_backbones)
        for pair in pairs
        if pair in _list_pairs(rows)
    ]
    if not pictures:
        return []
    names = write_list([_name_column(*pair).lower() for pair in pairs])
    backbone = f" Backbone: {write_name(rows['backbone'].iloc[0])}." if n_backbones == 1 else ""
    caption = (
        f"{dataset}: {names} of every method and way of matching. Dot: score; bar: interval; "
        "dashed line: chance; diamond: half-split ceiling; hollow dot: pixels, the floor."
        f"{backbone} {facts}"
    )
    return [FigureGroup(pictures, caption)]


def _draw_panel(
    rows: pd.DataFrame,
    pair: tuple[str, str],
    dataset: str,
    colours: Mapping[str, str],
    floors: Sequence[str],
    n_backbones: int,
) -> Picture:
    chosen = rows[(rows["task"] == pair[0]) & (rows["metric"] == pair[1])]
    # Methods in the order of their colours; the same order in all panels.
    order = chosen["method"].map(list(colours).index)
    chosen = chosen.assign(order=order).sort_values(["order", "matching", "backbone"])
    dots = []
    for row in chosen.to_dict(orient="records"):
        parts = [write_name(row["matching"])]
        if n_backbones > 1:
            parts.append(write_name(row["backbone"]))
        dots.append(
            ScoreDot(
                group=write_name(row["method"]),
                label=" · ".join(part for part in parts if part),
                value=row["value"],
                low=row["ci_low"],
                high=row["ci_high"],
                chance=row["chance"],
                ceiling=row["ceiling"],
                colour=colours[row["method"]],
                is_floor=row["backbone"] in floors,
            )
        )
    name = _name_column(*pair)
    values = chosen["value"].dropna()
    alt = (
        f"{name} on {dataset} for {write_count(len(dots), 'row')}: scores from "
        f"{write_score(values.min(), pair[1])} to {write_score(values.max(), pair[1])}, each with "
        f"its interval, beside chance ({write_score(chosen['chance'].mean(), pair[1])}) and the "
        "half-split ceiling. The numbers are in the table above."
    )
    figure = draw_score_intervals(dots, f"{name.lower()} (share of queries)", is_share=True)
    return encode_figure(figure, make_slug("scores", dataset, *pair), alt)
