"""Yardsticks: every layer of every backbone against every area, whatever the method."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.report.blocks import Block, FigureGroup, Heading, Section, Text
from brainalign.report.figures.layer_map import draw_layer_map
from brainalign.report.names import make_slug, write_name
from brainalign.report.pictures import Picture, encode_figure

METHOD = "yardstick"
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


def compose_yardsticks(scores: pd.DataFrame | None) -> Section | None:
    """Draw a layer map per backbone and metric.

    Parameters
    ----------
    scores : pandas.DataFrame or None
        The table of all scores.
    """
    if scores is None:
        return None
    rows = scores[(scores["method"] == METHOD) & (scores["matching"] == _EACH)]
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
    return Section("yardsticks", "Layers and areas", blocks)


def _draw_maps(rows: pd.DataFrame, dataset: str, metric: str, name: str) -> list[Picture]:
    means = rows.groupby(["backbone", "feature", "area"], sort=False)["value"].mean()
    # Small values must not look large.
    limits = (min(0.0, float(np.nanmin(means))), max(_LOWEST_TOP, float(np.nanmax(means))))
    pictures = []
    for backbone in dict.fromkeys(rows["backbone"]):
        table = means[backbone].unstack("area")
        areas = ["all", *(area for area in table.columns if area != "all")]
        table = table[[area for area in areas if area in table.columns]]
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
