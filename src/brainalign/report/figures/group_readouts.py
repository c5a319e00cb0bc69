"""What each group of latents tells of stimuli, beside chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainalign.report.figures.style import (
    MUTED,
    RULE,
    SMALL_PANEL_WIDTH,
    assign_colours,
    use_style,
)
from brainalign.report.names import write_name

_ROW = 0.13  # inches per variant of a group
_SPAN = 0.7  # of all variants of a group, in distances of groups
_LEAST_HEIGHT = 0.34  # inches per group
_COLUMNS = 3
# Fits of latents; each has its colour also where others were left out.
_LATENTS = ("mig_vis", "no_penalty", "no_supervision", "standard_vae")


def draw_group_readouts(
    scores: pd.DataFrame, variants: Mapping[str, str], metrics: Sequence[str], title: str
) -> Figure:
    """Draw one panel per label: a row per group of latents, a mark with interval per variant.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of the task ``label_information`` of one subject and area, pooled over seeds.
    variants : mapping of str to str
        Variants that are drawn, and how they are written.
    metrics : sequence of str
        One panel each.
    title : str
        Name of the subject.
    """
    groups = list(dict.fromkeys(scores["response"]))
    colours = assign_colours([*_LATENTS, *variants])
    columns = min(_COLUMNS, len(metrics))
    rows = -(-len(metrics) // columns)
    height = len(groups) * max(_LEAST_HEIGHT, _ROW * len(variants)) + 0.6
    with use_style():
        figure = Figure(
            figsize=(SMALL_PANEL_WIDTH * max(columns, 2) * 0.8, rows * height + 0.6),
            layout="constrained",
        )
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axes, metric in zip(panels, metrics, strict=False):
            own = scores[scores["metric"] == metric]
            axes.axvline(own["chance"].mean(), color=MUTED, lw=0.9, ls="--", zorder=0)
            for edge in range(len(groups) - 1):
                axes.axhline(edge + 0.5, color=RULE, lw=0.6, zorder=0)
            for rank, name in enumerate(variants):
                shift = _SPAN * ((rank + 0.5) / len(variants) - 0.5)
                one = own[own["matching"] == name]
                place = np.array([groups.index(group) for group in one["response"]]) + shift
                axes.hlines(place, one["ci_low"], one["ci_high"], color=colours[name], lw=1.5)
                label = variants[name] if metric == metrics[0] else None
                axes.plot(one["value"], place, "o", color=colours[name], ms=4.5, label=label)
            axes.set_title(write_name(metric).replace("r2", "R²"), weight="normal")
            axes.set_yticks(range(len(groups)), groups)
            axes.set_ylim(len(groups) - 0.5, -0.5)
        for axes in panels[len(metrics) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure
