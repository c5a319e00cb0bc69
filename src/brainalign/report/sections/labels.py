"""Label decoding: scores per method, token similarities, attention by region, classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

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
from brainalign.report.figures.area_attention import draw_area_values
from brainalign.report.figures.class_precision import draw_class_precision
from brainalign.report.figures.score_intervals import ScoreDot, draw_score_intervals
from brainalign.report.names import make_slug, write_count, write_name, write_score
from brainalign.report.pictures import Picture, encode_figure
from brainalign.stores.read import read_store

LABEL_TASK, RETRIEVAL_TASK, RSA_TASK = "label_decoding", "token_retrieval", "token_rsa"
LABEL_TASKS = (LABEL_TASK, RETRIEVAL_TASK, RSA_TASK)

_METRICS = {"map": "mean average precision", "auc": "AUC", "hamming": "Hamming loss"}
_READING = (
    "Which objects a test stimulus shows, from the responses to it. Mean average precision (mAP) "
    "and AUC: larger is better; Hamming loss, the share of wrong labels at a threshold of 0.5: "
    "smaller is better. Intervals are bootstrap intervals over stimuli. Chance is the mean "
    "prevalence for mAP, 0.5 for AUC, and for the Hamming loss the error of always giving the more "
    "frequent answer. Classes that the test split lacks are left out. There is no ceiling: labels "
    "are known without noise, and what noisy responses allow at most is not known without a model. "
    "Rows with swapped tokens are a control: the model is told the wrong subject."
)


def compose_labels(
    run: Run, scores: pd.DataFrame | None, colours: Mapping[str, str]
) -> Section | None:
    """Show how labels were decoded; None for a run without label predictions.

    Parameters
    ----------
    run : Run
        Its published folders.
    scores : pandas.DataFrame or None
        All scores; nothing is computed from them but means over seeds and subjects of details.
    colours : mapping of str to str
        Colour of each method.
    """
    if scores is None or not (scores["task"] == LABEL_TASK).any() or run.scores is None:
        return None
    tree = read_store(run.scores.path, "scores")
    details = {
        name: read_score_table(tree, name)
        for name in ("classes", "attention", "token_rsa")
        if name in tree.children
    }
    blocks: list[Block] = [Text(_READING)]
    decoded = scores[scores["task"].isin(LABEL_TASKS)]
    for dataset in dict.fromkeys(decoded["dataset"]):
        rows = decoded[(decoded["dataset"] == dataset) & (decoded["seed"] == ALL)]
        pooled = rows[rows["subject"] == ALL]
        pooled = pooled if len(pooled) else rows
        blocks.append(Heading(dataset))
        blocks += _show_scores(pooled, rows, dataset, colours)
        blocks += _show_tokens(pooled, dataset)
        chosen = {name: table[table["dataset"] == dataset] for name, table in details.items()}
        blocks += _show_attention(chosen.get("attention"), dataset)
        blocks += _show_classes(chosen.get("classes"), dataset)
    return Section("labels", "Label decoding", blocks)


def _show_scores(
    pooled: pd.DataFrame, rows: pd.DataFrame, dataset: str, colours: Mapping[str, str]
) -> list[Block]:
    labels = pooled[pooled["task"] == LABEL_TASK]
    n_queries = write_count(int(labels["n_queries"].max()), "prediction")
    table = _tabulate(
        labels, ["method", "matching", "backbone"], list(_METRICS), f"{dataset}: {n_queries}."
    )
    pictures = [_draw_metric(labels, dataset, metric, colours) for metric in ("map", "auc")]
    caption = (
        f"{dataset}: every method, mean over subjects and seeds. Dot: score; bar: interval; dashed "
        "line: chance."
    )
    blocks: list[Block] = [table, FigureGroup(pictures, caption)]
    single = rows[(rows["subject"] != ALL) & (rows["task"] == LABEL_TASK)]
    if single["subject"].nunique() > 1:
        keys = ["subject", "method", "matching", "backbone"]
        each = _tabulate(single, keys, list(_METRICS), f"{dataset}: each subject alone.")
        blocks.append(Details(f"Each of {single['subject'].nunique()} subjects", [each]))
    return blocks


def _draw_metric(
    labels: pd.DataFrame, dataset: str, metric: str, colours: Mapping[str, str]
) -> Picture:
    chosen = labels[labels["metric"] == metric]
    order = chosen["method"].map(list(colours).index)
    chosen = chosen.assign(order=order).sort_values(["order", "matching", "backbone"])
    dots = [
        ScoreDot(
            group=write_name(row["method"]),
            label=f"{_write_variant(row['matching'])} · {write_name(row['backbone'])}",
            value=row["value"],
            low=row["ci_low"],
            high=row["ci_high"],
            chance=row["chance"],
            ceiling=row["ceiling"],
            colour=colours[row["method"]],
            is_floor=row["matching"] != "labels",
        )
        for row in chosen.to_dict(orient="records")
    ]
    values = chosen["value"].dropna()
    alt = (
        f"{_METRICS[metric]} on {dataset} for {write_count(len(dots), 'row')}: from "
        f"{values.min():.3f} to {values.max():.3f}, each with its interval, beside chance. The "
        "numbers are in the table above."
    )
    figure = draw_score_intervals(
        dots, _METRICS[metric], is_share=True, floor_label="control: another subject's, or untuned"
    )
    return encode_figure(figure, make_slug("labels", dataset, metric), alt)


def _show_tokens(pooled: pd.DataFrame, dataset: str) -> list[Block]:
    tokens = pooled[pooled["task"].isin((RSA_TASK, RETRIEVAL_TASK))]
    if not len(tokens):
        return []
    rows = tuple(
        Row(
            (
                Cell(write_name(row["method"])),
                Cell(write_name(row["task"])),
                Cell(row["metric"].replace("_", " ")),
                *_write_numbers(row),
            )
        )
        for row in tokens.to_dict(orient="records")
    )
    caption = (
        f"{dataset}: what the tokens hold. Similarities: Spearman correlation of dissimilarities "
        "between tokens with those between features of CLIP; chance is the mean over permutations "
        "of the stimuli. Retrieval: tokens mapped to the features by ridge regression on the "
        "training split, top-1 in random galleries; image: a response looks for its image, brain: "
        "an image for its response."
    )
    columns = ["Method", "Task", "What", "Score", "Interval", "Chance", "SD over seeds"]
    return [Table(caption, columns, rows, n_headings=3)]


def _show_attention(attention: pd.DataFrame | None, dataset: str) -> list[Block]:
    if attention is None:
        return []
    attention = attention[attention["matching"] == "labels"]
    blocks: list[Block] = []
    for (method, backbone), rows in attention.groupby(["method", "backbone"], sort=True):
        mean = rows.groupby(["region", "level"])[
            [
                "attention",
                "occlusion",
                "attention_ci_low",
                "attention_ci_high",
                "attention_chance",
            ]
        ].mean()
        areas = sorted(rows["region"].unique())
        pictures = []
        for kind, label in (
            ("attention", "share of attention"),
            ("occlusion", "move of the token without the region"),
        ):
            values = {
                level: [float(mean.loc[(area, level), kind]) for area in areas]
                for level in ("low", "high")
            }
            intervals: dict[str, list[tuple[float, float]]] = {}
            if kind == "attention":
                ends = mean[["attention_ci_low", "attention_ci_high"]]
                intervals = {
                    level: [
                        cast(tuple[float, float], tuple(ends.loc[(area, level)])) for area in areas
                    ]
                    for level in ("low", "high")
                }
            chance = float(mean["attention_chance"].mean()) if kind == "attention" else np.nan
            strongest = {level: areas[int(np.argmax(numbers))] for level, numbers in values.items()}
            alt = (
                f"{label} of both tokens of {write_name(str(method))} for "
                f"{write_count(len(areas), 'region')} on {dataset}; largest for the low token in "
                f"{strongest['low']}, for the high token in {strongest['high']}."
            )
            figure = draw_area_values(areas, values, intervals, label, chance)
            name = make_slug("labels", dataset, str(method), str(backbone), kind)
            pictures.append(encode_figure(figure, name, alt))
        caption = (
            f"{dataset}, {write_name(str(method))}: where the tokens look, mean over subjects and "
            "seeds. Attention: share by region, mean over layers and heads, intervals over "
            "stimuli. Occlusion: how far a token moves, relative to its length, when a region "
            "gives its mean response; attention alone does not say what is used."
        )
        blocks.append(FigureGroup(pictures, caption))
    return blocks


def _show_classes(classes: pd.DataFrame | None, dataset: str) -> list[Block]:
    if classes is None:
        return []
    classes = classes[classes["matching"] == "labels"]
    table = classes.pivot_table(
        index=["method", "backbone"], columns="class", values="average_precision", dropna=False
    )
    table = table.dropna(how="all")
    chance = classes.groupby("class")["chance"].mean().reindex(table.columns)
    several = len({backbone for _, backbone in table.index}) > 1
    names = [
        f"{write_name(method)} · {write_name(backbone)}" if several else write_name(method)
        for method, backbone in table.index
    ]
    precision = np.vstack([table.to_numpy(dtype=np.float64), chance.to_numpy(dtype=np.float64)])
    alt = (
        f"Average precision of {write_count(len(table.columns), 'class', 'classes')} by "
        f"{write_count(len(table), 'method')} on {dataset}, beside the prevalence of each class."
    )
    figure = draw_class_precision(
        precision, [*names, "prevalence (chance)"], [str(name) for name in table.columns]
    )
    picture = encode_figure(figure, make_slug("labels", dataset, "classes"), alt)
    caption = f"{dataset}: average precision of each class, mean over subjects and seeds."
    return [FigureGroup([picture], caption)]


def _tabulate(rows: pd.DataFrame, keys: list[str], metrics: list[str], caption: str) -> Table:
    wide = []
    for key, group in rows.groupby(keys, sort=False):
        by_metric = {row["metric"]: row for row in group.to_dict(orient="records")}
        cells = [
            Cell(_write_variant(str(name)) if column == "matching" else write_name(str(name)))
            for column, name in zip(keys, key, strict=True)
        ]
        cells += [_write_score_cell(by_metric[name]) for name in metrics if name in by_metric]
        best = by_metric.get("map", {"value": np.nan})["value"]
        wide.append((best, Row(tuple(cells), is_floor="labels" not in key)))
    wide.sort(key=lambda pair: -np.nan_to_num(pair[0], nan=-1))
    columns = [name.capitalize() for name in keys] + [_METRICS[name] for name in metrics]
    return Table(caption, columns, tuple(row for _, row in wide), n_headings=len(keys))


def _write_score_cell(row: Mapping[Any, Any]) -> Cell:
    spread = row["seed_sd"]
    note = f"± {spread:.3f}" if np.isfinite(spread) else ""
    interval = f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
    return Cell(
        write_score(row["value"], ""),
        note=note,
        details=(interval, f"chance {row['chance']:.3f}"),
        sort=float(row["value"]),
    )


def _write_numbers(row: Mapping[Any, Any]) -> tuple[Cell, ...]:
    value, chance, spread = row["value"], row["chance"], row["seed_sd"]
    return (
        Cell(write_score(value, ""), sort=float(value)),
        Cell(f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"),
        Cell(write_score(chance, ""), sort=float(chance)),
        Cell(write_score(spread, ""), sort=float(spread)),
    )


def _write_variant(matching: str) -> str:
    names = {"labels": "as fitted", "labels_swapped": "swapped subjects"}
    return names.get(matching, "new subject, not tuned" if "untuned" in matching else matching)
