"""Average precision of every class and method, beside the prevalence of the class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, PANEL_WIDTH, use_style

_ROW_HEIGHT, _FRAME_HEIGHT, _CELL_WIDTH = 0.24, 1.5, 0.62  # inches


def draw_class_precision(
    precision: NDArray[np.float64], methods: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Draw a table of colours, a number in each cell.

    Parameters
    ----------
    precision : array of shape (n_methods, n_classes)
        Average precision; NaN for classes that the test split lacks.
    methods, classes : sequence of str
        Names of rows and columns.
    """
    with use_style():
        width = max(PANEL_WIDTH, 1.6 + _CELL_WIDTH * len(classes))
        figure = Figure(
            figsize=(width, _FRAME_HEIGHT + _ROW_HEIGHT * len(methods)), layout="constrained"
        )
        axes = figure.add_subplot()
        image = axes.imshow(precision, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for row, column in np.argwhere(np.isfinite(precision)):
            value = precision[row, column]
            colour = "white" if value > 0.6 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, size=7.5)
        axes.set_yticks(range(len(methods)), list(methods))
        axes.set_xticks(range(len(classes)), list(classes), rotation=40, ha="right")
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
        bar.set_label("average precision", size=8)
        bar.outline.set_visible(False)
    return figure
