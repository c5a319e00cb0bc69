"""Movies and BOLD: retrieval of windows, film strips, learned lags, use of codes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.evaluation.clips import ALL, CODE_TASK, DIRECTIONS, LEVELS
from brainalign.evaluation.table import read_score_table
from brainalign.report.artifacts import Run, read_values
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
from brainalign.report.figures.code_usage import draw_code_usage
from brainalign.report.figures.film_strips import draw_film_strips
from brainalign.report.figures.lag_curves import draw_lag_curves
from brainalign.report.figures.score_intervals import ScoreDot, draw_score_intervals
from brainalign.report.names import (
    MISSING,
    make_slug,
    write_count,
    write_metric,
    write_name,
    write_score,
    write_task,
)
from brainalign.report.pictures import Picture, encode_figure
from brainalign.stores.read import open_store, read_labels, read_store

CLIP_TASKS = (*(f"{level}_{way}" for level in LEVELS for way in DIRECTIONS), CODE_TASK)

_VARIANT = ["method", "matching", "backbone"]
_LEADING = "window_bold_to_video"
_COLUMNS = (
    ("BOLD to video, R@1", _LEADING, "top_1"),
    ("R@5", _LEADING, "top_5"),
    ("R@10", _LEADING, "top_10"),
    ("MRR", _LEADING, "mean_reciprocal_rank"),
    ("median rank", _LEADING, "median_rank"),
    ("32-way", _LEADING, "identification_32_way"),
    ("video to BOLD, R@1", "window_video_to_bold", "top_1"),
    ("disjoint, R@1", "disjoint_bold_to_video", "top_1"),
    ("same segment, R@1", "segment_bold_to_video", "top_1"),
    ("single TRs, R@1", "moment_bold_to_video", "top_1"),
)
_READING = (
    "Which window of a movie was on the screen, from the BOLD that answers it, and the reverse. "
    "The gallery holds all test windows, which overlap; disjoint ones share no TR; of the same "
    "segment only windows of that run are candidates, without neighbours; single TRs come from "
    "disjoint windows. Intervals are bootstrap intervals over blocks of 30 TRs. The ceiling is "
    "half of the runs against the other half in the method's own space: a reference, no upper "
    "bound. Scores are of the embeddings, of the codes of the shared codebook, or of both "
    "(mixed, half and half). The same-code rate is the share of TRs where movie and BOLD have "
    "the same code; its chance follows from how often both use each code."
)
_CAPTION = (
    "retrieval of windows, mean over seeds; below each score its interval, its chance and "
    "ceiling, and the mean number of candidates."
)
_EXAMPLES = (0.0, 0.5, 0.8)


def compose_clips(
    run: Run, scores: pd.DataFrame | None, colours: Mapping[str, str]
) -> Section | None:
    """Show how windows were retrieved; None for a run without such predictions.

    Parameters
    ----------
    run : Run
        Its published folders.
    scores : pandas.DataFrame or None
        All scores.
    colours : mapping of str to str
        Colour of each method.
    """
    if scores is None or not (scores["task"] == _LEADING).any() or run.scores is None:
        return None
    chosen = scores[scores["task"].isin(CLIP_TASKS) & (scores["seed"] == ALL)]
    tree = read_store(run.scores.path, "scores")
    codes = read_score_table(tree, "codes") if "codes" in tree.children else None
    blocks: list[Block] = [Text(_READING)]
    for dataset in dict.fromkeys(chosen["dataset"]):
        rows = chosen[chosen["dataset"] == dataset]
        pooled = rows[rows["subject"] == ALL] if (rows["subject"] == ALL).any() else rows
        blocks += [Heading(dataset), _tabulate(pooled, dataset)]
        blocks.append(_draw_scores(pooled, dataset, colours))
        blocks.append(_tabulate_all(pooled, dataset))
        blocks += _show_strips(run, dataset)
        blocks += _show_lags(run, dataset)
        if codes is not None:
            blocks += _show_codes(codes[codes["dataset"] == dataset], rows, dataset)
    return Section("movies-and-bold", "Movies and BOLD", blocks)


def _tabulate_all(rows: pd.DataFrame, dataset: str) -> Details:
    """List every metric of every level and way, a row each: as columns they would be too many."""
    rows = rows[rows["task"] != CODE_TASK]
    metrics = list(dict.fromkeys(rows["metric"]))
    table = []
    for (*names, task), part in rows.groupby([*_VARIANT, "task"], sort=False):
        values = {str(one["metric"]): one for one in part.to_dict(orient="records")}
        cells = [Cell(write_name(str(name))) for name in names]
        cells.append(Cell(write_task(str(task)).replace("bold", "BOLD")))
        cells += [_compose_cell(values.get(metric), metric) for metric in metrics]
        table.append(Row(tuple(cells)))
    columns = ["Method", "Matching", "Backbone", "Retrieval", *map(write_metric, metrics)]
    caption = f"{dataset}: every metric of the {_CAPTION}"
    return Details(
        f"All metrics ({len(table)} rows)", [Table(caption, columns, table, n_headings=4)]
    )


def _tabulate(rows: pd.DataFrame, dataset: str) -> Table:
    table = []
    for key, part in rows[rows["task"] != CODE_TASK].groupby(_VARIANT, sort=False):
        values = {
            (str(one["task"]), str(one["metric"])): one for one in part.to_dict(orient="records")
        }
        cells = [Cell(write_name(str(name))) for name in key]
        cells += [_compose_cell(values.get((task, metric)), metric) for _, task, metric in _COLUMNS]
        table.append(Row(tuple(cells)))
    columns = ["Method", "Matching", "Backbone", *(name for name, _, _ in _COLUMNS)]
    return Table(f"{dataset}: {_CAPTION}", columns, table, n_headings=3)


def _compose_cell(row: Mapping[Hashable, Any] | None, metric: str) -> Cell:
    if row is None:
        return Cell(MISSING)
    value, low, high, chance, ceiling = (
        write_score(row[name], metric)
        for name in ("value", "ci_low", "ci_high", "chance", "ceiling")
    )
    details = (
        f"{low} to {high}",
        f"chance {chance}, ceiling {ceiling}",
        f"of {row['n_candidates']:.0f}",
    )
    return Cell(value, details=details, sort=float(row["value"]))


def _draw_scores(rows: pd.DataFrame, dataset: str, colours: Mapping[str, str]) -> FigureGroup:
    pictures = []
    for task in ("window_bold_to_video", "window_video_to_bold"):
        chosen = rows[(rows["task"] == task) & (rows["metric"] == "top_1")]
        chosen = chosen[chosen["matching"] == "embedding"]
        order = chosen["method"].map(list(colours).index)
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
            for row in chosen.assign(order=order).sort_values("order").to_dict(orient="records")
        ]
        name = task.removeprefix("window_").replace("_", " ").replace("bold", "BOLD")
        alt = (
            f"R@1 of windows, {name}, on {dataset} for {write_count(len(dots), 'method')}, each "
            "with its interval, beside chance and ceiling. The numbers are in the table above."
        )
        figure = draw_score_intervals(dots, f"R@1, {name}", is_share=True)
        pictures.append(encode_figure(figure, make_slug("clips", dataset, task), alt))
    caption = (
        f"{dataset}: R@1 among all test windows, scores of the embeddings. Dot: mean over seeds; "
        "bar: interval; dashed line: chance; mark: ceiling."
    )
    return FigureGroup(pictures, caption)


def _list_groups(run: Run, dataset: str) -> list[tuple[str, str, xr.Dataset]]:
    """List method, subject and predictions of every fit of windows."""
    groups = []
    for fit, artifact in run.predictions.items():
        if fit.dataset != dataset:
            continue
        tree = open_store(artifact.path, "predictions")
        for node in tree.subtree:
            if "clip_stimulus_embedding" in node.data_vars:
                subject = node.path.strip("/").split("/")[0]
                groups.append((fit.method, subject, node.to_dataset()))
    return groups


def _show_strips(run: Run, dataset: str) -> list[Block]:
    """Film strips of the method that is named after the data's own, else of the first."""
    groups = _list_groups(run, dataset)
    if dataset not in run.stimuli or not groups:
        return []
    method, subject, group = min(groups, key=lambda one: (one[0] != "neuroalign", one[0]))
    group = group.isel(seed=0).load()
    score = group["clip_response_embedding"].values @ group["clip_stimulus_embedding"].values.T
    rank = (score >= score.diagonal()[:, None]).sum(1)
    order = np.argsort(rank, kind="stable")
    stimuli = open_store(run.stimuli[dataset].path, "stimuli")
    movie, movies = read_labels(stimuli, "movie"), read_labels(group, "clip_movie")
    time = stimuli.variables["time"].values
    steps = float(group.attrs["tr_s"]) * np.arange(int(group.attrs["window_trs"]))

    def read_strip(clip: int) -> np.ndarray:
        rows = np.flatnonzero(movie == movies[clip])
        wanted = float(group["start_s"].values[clip]) + steps
        frames = rows[np.searchsorted(time[rows], wanted + 1e-6, side="right") - 1]
        return read_values(stimuli.variables["frame"].isel(frame=frames), run.stimuli[dataset].path)

    pictures: list[Picture] = []
    for share in _EXAMPLES:
        query = int(order[int(share * (len(order) - 1))])
        found = int(score[query].argmax())
        start = float(group["start_s"].values[query])
        title = f"Rank {rank[query]} of {len(rank)}: {movies[query]}, {start:g} s"
        alt = (
            f"Frames of the window of {movies[query]} at {start:g} s that was shown, and of the "
            f"window that was retrieved for its BOLD, {movies[found]} at "
            f"{float(group['start_s'].values[found]):g} s."
        )
        figure = draw_film_strips(read_strip(query), read_strip(found), found == query, title)
        name = make_slug("film-strip", dataset, method, str(query))
        pictures.append(encode_figure(figure, name, alt, file_format="png"))
    caption = (
        f"{dataset}, subject {subject}, {write_name(method)}: windows at the best, the middle and "
        "eight tenths of the ranks. Above what was shown, a frame per TR; below what was "
        "retrieved from the BOLD."
    )
    return [FigureGroup(pictures, caption)]


def _show_lags(run: Run, dataset: str) -> list[Block]:
    pictures = []
    for method, subject, group in _list_groups(run, dataset):
        if "lag_weight" not in group:
            continue
        weight = group["lag_weight"].values
        regions = [str(name) for name in group["lag_region"].values]
        curves = {name: weight[:, place] for place, name in enumerate(regions)}
        tr_s = float(group.attrs["tr_s"])
        peaks = ", ".join(
            f"{name} {tr_s * int(one.mean(0).argmax()):g} s" for name, one in curves.items()
        )
        title = f"{write_name(method)}, {subject}"
        pictures.append(
            encode_figure(
                draw_lag_curves(curves, tr_s, title),
                make_slug("lags", dataset, method, subject),
                f"Weight of each lag for {title}; largest at: {peaks}.",
            )
        )
    if not pictures:
        return []
    caption = (
        f"{dataset}: how much of the BOLD after a moment of the movie stands for that moment. "
        "Lines are means over seeds, bands their range. A learned weight is a filter that serves "
        "retrieval, no estimate of the haemodynamic response."
    )
    return [FigureGroup(pictures, caption)]


def _show_codes(codes: pd.DataFrame, scores: pd.DataFrame, dataset: str) -> list[Block]:
    pictures, rows = [], []
    for (method, subject), part in codes.groupby(["method", "subject"], sort=False):
        first = part[part["seed"] == part["seed"].iloc[0]].sort_values("code")
        video, bold = first["n_video"].to_numpy(), first["n_bold"].to_numpy()
        used = [f"{_compute_perplexity(one):.0f}" for one in (video, bold)]
        both = float(((video > 0) & (bold > 0)).mean())
        rate = scores[
            (scores["task"] == CODE_TASK)
            & (scores["method"] == method)
            & (scores["subject"] == subject)
        ]
        same = Cell(MISSING)
        if len(rate):
            one = rate.iloc[0]
            same = Cell(
                f"{one['value']:.3f}",
                details=(
                    f"{one['ci_low']:.3f} to {one['ci_high']:.3f}",
                    f"chance {one['chance']:.3f}",
                ),
                sort=float(one["value"]),
            )
        rows.append(
            Row(
                (
                    Cell(write_name(str(method))),
                    Cell(str(subject)),
                    same,
                    Cell(used[0]),
                    Cell(used[1]),
                    Cell(f"{both:.2f}"),
                    Cell(str(int(((video == 0) & (bold == 0)).sum()))),
                )
            )
        )
        title = f"{write_name(str(method))}, {subject}"
        alt = (
            f"Use of {len(video)} codes by movie and BOLD for {title}: perplexity {used[0]} and "
            f"{used[1]}, {both:.0%} used by both."
        )
        figure = draw_code_usage(video, bold, title)
        pictures.append(
            encode_figure(figure, make_slug("codes", dataset, str(method), str(subject)), alt)
        )
    if not rows:
        return []
    columns = ["Method", "Subject", "Same code", "Perplexity, movie", "Perplexity, BOLD"]
    columns += ["Used by both", "Unused"]
    table = Table(
        f"{dataset}: the shared codebook on test windows; all but the same-code rate of the "
        "first seed.",
        columns,
        rows,
        n_headings=2,
    )
    figures = FigureGroup(pictures, f"{dataset}: use of every code by movie and BOLD, first seed.")
    return [table, Details("Use of every code", [figures])]


def _compute_perplexity(count: np.ndarray) -> float:
    share = count[count > 0] / count.sum()
    return float(np.exp(-(share * np.log(share)).sum()))
