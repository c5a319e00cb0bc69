"""Values of an array as colours."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from brainalign.report.figures.style import PANEL_WIDTH, RULE, use_style

_LEAST_HEIGHT, _MOST_HEIGHT = 2.2, 4.6  # inches
_LIMITS = (1, 99)  # percentiles: a single outlier would leave everything else one colour


def draw_excerpt(
    values: NDArray, row_name: str, column_name: str, colour_name: str, title: str
) -> Figure:
    """Draw a matrix.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        Numbers or booleans; NaN is drawn grey.
    row_name, column_name : str
        Names of the axes.
    colour_name : str
        What the colours stand for, with units.
    title : str
        Heading of the panel.
    """
    shown = values.astype(np.float64)
    shown[~np.isfinite(shown)] = np.nan
    known = shown[np.isfinite(shown)]
    low, high = np.percentile(known, _LIMITS) if len(known) else (0.0, 1.0)
    if low == high:
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    colours = mpl.colormaps["viridis"].with_extremes(bad=RULE)
    height = float(np.clip(3.2 * shown.shape[0] / max(1, shown.shape[1]), 0, 3.4)) + 1.2
    with use_style():
        size = (PANEL_WIDTH, float(np.clip(height, _LEAST_HEIGHT, _MOST_HEIGHT)))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(
            shown, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="nearest"
        )
        axes.set(xlabel=column_name, ylabel=row_name, title=title)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
        figure.colorbar(image, ax=axes, label=colour_name, fraction=0.05)
    return figure
