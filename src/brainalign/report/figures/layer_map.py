"""Layer map: how well each layer of a backbone fits each area."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, RULE, SMALL_PANEL_WIDTH, use_style

_ROW_HEIGHT, _FRAME_HEIGHT = 0.23, 1.0  # inches


def draw_layer_map(
    values: NDArray[np.floating],
    layers: Sequence[str],
    areas: Sequence[str],
    title: str,
    limits: tuple[float, float],
) -> Figure:
    """Draw one value per layer and area, as colour and as number.

    Parameters
    ----------
    values : array of shape (n_layers, n_areas)
        NaN where there is none.
    layers, areas : sequence of str
        Names of rows and columns; the first layer is at the bottom.
    title : str
        Name of the backbone.
    limits : tuple of float
        Values at which the colours end, the same for all panels.
    """
    colours = mpl.colormaps["viridis"].with_extremes(bad=RULE)
    height = _FRAME_HEIGHT + _ROW_HEIGHT * max(3, len(layers))
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(
            values, cmap=colours, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto"
        )
        axes.set_title(title)
        axes.set_xticks(range(len(areas)), areas, rotation=35 if len(areas) > 4 else 0)
        axes.set_yticks(range(len(layers)), layers)
        axes.tick_params(length=0, labelsize=7.5)
        span = limits[1] - limits[0] or 1.0
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                is_dark = (value - limits[0]) / span < 0.6
                axes.text(
                    column,
                    row,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    size=7,
                    color="white" if is_dark else INK,
                )
    return figure
