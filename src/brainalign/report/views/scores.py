"""Page of a score store: the table with intervals, and the tables behind it."""

from __future__ import annotations

import pandas as pd

from brainalign.evaluation.predictions import ALL
from brainalign.evaluation.table import read_score_table
from brainalign.report.blocks import Block, Cell, Details, FigureGroup, Row, Section, Table
from brainalign.report.figures.score_intervals import ScoreDot, draw_score_intervals
from brainalign.report.figures.style import assign_colours
from brainalign.report.names import (
    make_slug,
    write_count,
    write_metric,
    write_name,
    write_score,
    write_task,
)
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.views.parts import Opened, compose_variables, list_sections, tabulate_frame
from brainalign.stores.read import read_store

_MOST_ROWS, _MOST_PANELS, _MOST_DOTS = 150, 6, 14
_COLUMNS = ("dataset", "subject", "area", "method", "matching", "backbone", "feature", "seed")


def compose_view(opened: Opened) -> list[Section]:
    """Show pooled scores with intervals, chance and ceiling, and examples of the other tables."""
    tree = read_store(opened.path, "scores")
    table = read_score_table(tree)
    chosen = _choose_pooled(table)
    details: list[Block] = [
        Details(
            f"{name} ({write_count(node.sizes['row'], 'row')})",
            [tabulate_frame(read_score_table(tree, str(name)), f"Group {name}.")],
        )
        for name, node in tree.children.items()
        if name != "table" and "row" in node.sizes
    ]
    return list_sections(
        Section("scores", "Scores", [*_draw(chosen), _tabulate(chosen, len(table))]),
        Section("behind", "Tables behind the scores", details),
        compose_variables(opened),
    )


def _choose_pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Take mean responses pooled over seeds, subjects and areas, as far as there are any."""
    if "response" in table and (table["response"] == "mean").any():
        table = table[table["response"] == "mean"]
    for column in ("seed", "subject", "area"):
        if column in table and (table[column] == ALL).any():
            table = table[table[column] == ALL]
    return table


def _tabulate(rows: pd.DataFrame, n_total: int) -> Table:
    names = [name for name in _COLUMNS if name in rows and rows[name].nunique() > 1]
    note = f" The first {_MOST_ROWS} are listed." if len(rows) > _MOST_ROWS else ""
    caption = (
        f"{len(rows):,} of {n_total:,} rows: mean responses, pooled over seeds, subjects and areas "
        f"where there are any.{note} Interval: bootstrap."
    )
    columns = ["Task", "Metric", *(name.capitalize() for name in names)]
    columns += ["Value", "Interval", "Chance", "Ceiling"]
    return Table(
        caption,
        columns,
        [_compose_row(row, names) for row in rows.head(_MOST_ROWS).to_dict(orient="records")],
        n_headings=2,
    )


def _compose_row(row: dict, names: list[str]) -> Row:
    metric = str(row["metric"])
    value, low, high, chance, ceiling = (
        write_score(row[name], metric)
        for name in ("value", "ci_low", "ci_high", "chance", "ceiling")
    )
    return Row(
        (
            Cell(write_task(str(row["task"]))),
            Cell(write_metric(metric)),
            *(Cell(write_name(str(row[name]))) for name in names),
            Cell(value, sort=float(row["value"]) if row["value"] == row["value"] else None),
            Cell(f"[{low}, {high}]"),
            Cell(chance),
            Cell(ceiling),
        )
    )


def _draw(rows: pd.DataFrame) -> list[Block]:
    pictures: list[Picture] = []
    colours = assign_colours(rows["method"].tolist())
    for (dataset, task, metric), part in rows.groupby(["dataset", "task", "metric"], sort=False):
        known = part[part["value"].notna()]
        if not len(known) or len(pictures) == _MOST_PANELS:
            continue
        title = f"{write_task(str(task))}, {write_metric(str(metric))}"
        dots = [_make_dot(row, colours) for row in known.head(_MOST_DOTS).to_dict(orient="records")]
        figure = draw_score_intervals(dots, f"{dataset}: {title}", is_share=False)
        alt = (
            f"Intervals of {write_count(len(dots), 'score')}, {title} on {dataset}: from "
            f"{write_score(known['value'].min(), str(metric))} to "
            f"{write_score(known['value'].max(), str(metric))}."
        )
        name = make_slug("scores", str(dataset), str(task), str(metric))
        pictures.append(encode_figure(figure, name, alt))
    if not pictures:
        return []
    caption = (
        f"The first {write_count(len(pictures), 'task and metric', 'tasks and metrics')}, up to "
        f"{_MOST_DOTS} rows each. Dot: score; bar: interval; dashed line: chance; diamond: ceiling."
    )
    return [FigureGroup(pictures, caption)]


def _make_dot(row: dict, colours: dict[str, str]) -> ScoreDot:
    parts = [write_name(str(row.get("matching", ""))), write_name(str(row["backbone"]))]
    return ScoreDot(
        group=write_name(str(row["method"])),
        label=" · ".join(part for part in parts if part),
        value=row["value"],
        low=row["ci_low"],
        high=row["ci_high"],
        chance=row["chance"],
        ceiling=row["ceiling"],
        colour=colours[row["method"]],
        is_floor=False,
    )
