"""Yardsticks: every layer of every backbone against every area, whatever the method."""

from __future__ import annotations

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
from brainalign.report.figures.layer_map import draw_layer_map
from brainalign.report.names import MISSING, make_slug, write_name, write_score
from brainalign.report.pictures import Picture, encode_figure

METHOD = "yardstick"
ALL_AREAS = "all"
_EACH = "each layer"
_LOWEST_TOP = 0.2
_METRICS = {
    "normalised_pearson": (
        "Ridge encoding",
        "Pearson correlation of predicted and recorded mean responses to test stimuli, divided by "
        "the highest that noise allows; mean over units. 0 is chance, 1 the ceiling.",
    ),
    "rsa_spearman": (
        "Representational similarity",
        "Spearman correlation of the dissimilarities (1 - Pearson) of all pairs of test stimuli.",
    ),
    "linear_cka": (
        "Linear CKA",
        "It is above 0 by chance, the more the fewer the stimuli: chance stands in scores.csv.",
    ),
}

_READ_OUTS = {
    ("layer_encoding", "normalised_pearson"): "Ridge encoding",
    ("response_retrieval", "top_1"): "Response by prediction",
    ("stimulus_retrieval", "top_1"): "Prediction by response",
    ("category_decoding", "accuracy_from_responses"): "Category from responses",
    ("category_decoding", "accuracy_from_features"): "Category from layer",
}


def compose_yardsticks(scores: pd.DataFrame | None) -> Section | None:
    """Draw a layer map per backbone and metric.

    Parameters
    ----------
    scores : pandas.DataFrame or None
        The table of all scores.
    """
    if scores is None:
        return None
    measured = scores[scores["method"] == METHOD]
    rows = measured[measured["matching"] == _EACH]
    if not len(rows):
        return None
    blocks: list[Block] = [
        Text(
            "Measured without any of the methods above: what a layer offers to a linear read-out, "
            "and how alike its geometry is to that of the responses. Means over subjects; each "
            "subject with its interval, chance and ceiling in scores.csv, p-values corrected over "
            "layers and areas in the group permutation_tests of scores.zarr."
        )
    ]
    for dataset in dict.fromkeys(rows["dataset"]):
        blocks.append(Heading(str(dataset)))
        for metric, (name, explanation) in _METRICS.items():
            chosen = rows[(rows["dataset"] == dataset) & (rows["metric"] == metric)]
            if len(chosen):
                pictures = _draw_maps(chosen, str(dataset), metric, name)
                blocks.append(FigureGroup(pictures, f"{name}. {explanation}"))
                blocks.append(_tabulate_maps(chosen, str(dataset), name))
        blocks += _tabulate_read_outs(measured[measured["dataset"] == dataset], str(dataset))
    return Section("yardsticks", "Layers and areas", blocks)


def _tabulate_maps(rows: pd.DataFrame, dataset: str, name: str) -> Details:
    """List what the maps show, for readers who cannot see them."""
    areas = _sort_areas(rows["area"])
    means = rows.groupby(["backbone", "feature", "area"], sort=False)["value"].mean()
    lines = []
    for (backbone, layer), own in means.groupby(["backbone", "feature"], sort=False):
        values = own.droplevel(["backbone", "feature"])
        numbers = [float(values.get(area, np.nan)) for area in areas]
        cells = [
            Cell(write_score(one, ""), sort=one if np.isfinite(one) else None) for one in numbers
        ]
        lines.append(Row((Cell(write_name(str(backbone))), Cell(str(layer)), *cells)))
    caption = f"{dataset}: {name[0].lower() + name[1:]} by layer and area, mean over subjects."
    table = Table(caption, ["Backbone", "Layer", *areas], lines, n_headings=2)
    return Details(f"{name} in numbers", [table])


def _sort_areas(areas: pd.Series) -> list[str]:
    names = [str(area) for area in dict.fromkeys(areas)]
    return sorted(names, key=lambda name: name != ALL_AREAS)


def _tabulate_read_outs(measured: pd.DataFrame, dataset: str) -> list[Block]:
    """List what the best layer predicts and how categories decode, per subject and backbone."""
    chosen = measured[(measured["area"] == ALL_AREAS) & (measured["matching"] != _EACH)]
    asked = [(chosen["task"] == task) & (chosen["metric"] == metric) for task, metric in _READ_OUTS]
    chosen = chosen[np.logical_or.reduce(asked)]
    if not len(chosen):
        return []
    rows = []
    for (backbone, subject), part in chosen.groupby(["backbone", "subject"], sort=True):
        found = {(row["task"], row["metric"]): row for row in part.to_dict("records")}
        cells = [_compose_cell(found.get(score)) for score in _READ_OUTS]
        rows.append(Row((Cell(write_name(str(backbone)), details=(str(subject),)), *cells)))
    caption = (
        f"{dataset}, all areas: ridge encoding as above, and top-1 of finding the measured "
        "response among those to all test stimuli by its prediction and the other way round, all "
        "by the layer that is best on "
        "validation stimuli; accuracy of a linear read-out of categories from responses, and from "
        "the layer that is best on validation stimuli. In brackets the interval over stimuli; the "
        "read-out from responses knows no backbone."
    )
    return [Table(caption, ["Backbone", *_READ_OUTS.values()], rows)]


def _compose_cell(row: dict | None) -> Cell:
    if row is None:
        return Cell(MISSING)
    value, low, high, chance = (
        write_score(row[name], row["metric"]) for name in ("value", "ci_low", "ci_high", "chance")
    )
    return Cell(value, details=(f"[{low}, {high}]", f"chance {chance}"), sort=float(row["value"]))


def _draw_maps(rows: pd.DataFrame, dataset: str, metric: str, name: str) -> list[Picture]:
    means = rows.groupby(["backbone", "feature", "area"], sort=False)["value"].mean()
    # Small values must not look large.
    limits = (min(0.0, float(np.nanmin(means))), max(_LOWEST_TOP, float(np.nanmax(means))))
    pictures = []
    for backbone in dict.fromkeys(rows["backbone"]):
        table = means[backbone].unstack("area")
        table = table[_sort_areas(table.columns.to_series())]
        figure = draw_layer_map(
            table.to_numpy(), list(table.index), list(table.columns), write_name(backbone), limits
        )
        best = means[backbone].idxmax()
        pictures.append(
            encode_figure(
                figure,
                f"yardstick_{make_slug(dataset)}_{metric}_{make_slug(backbone)}",
                f"{name} of {write_name(backbone)} on {dataset} by layer and area; highest "
                f"{means[backbone].max():.2f} in {best[0]} with {best[1]}.",
            )
        )
    return pictures
