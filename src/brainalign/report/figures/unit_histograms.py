"""Histograms over units: noise ceiling and reliability, and how many units have neither."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, MUTED, SMALL_PANEL_WIDTH, use_style

_HEIGHT = 2.5  # inches
_BIN_WIDTH = 0.05
_UNIT_COLOUR = "#56b4e9"


def draw_unit_histograms(
    noise_ceiling: NDArray[np.floating], reliability: NDArray[np.floating], title: str
) -> Figure:
    """Draw both distributions of one subject.

    Parameters
    ----------
    noise_ceiling, reliability : array of shape (n_units,)
        NaN for units that are left out; they are counted in a bar of their own.
    title : str
        Name of the subject.
    """
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, _HEIGHT), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_histogram(left, noise_ceiling, "noise ceiling (share)", lowest=0.0)
        _draw_histogram(right, reliability, "reliability (r)", lowest=-0.2)
        left.set_ylabel("units")
        left.yaxis.get_major_locator().set_params(integer=True)
        # Room for the numbers above the bars.
        left.set_ylim(0, 1.18 * max(1.0, left.get_ylim()[1]))
    return figure


def _draw_histogram(axes: Axes, values: NDArray[np.floating], label: str, lowest: float) -> None:
    known = values[np.isfinite(values)]
    lowest = min(lowest, np.floor(known.min() / _BIN_WIDTH) * _BIN_WIDTH if len(known) else 0.0)
    edges = np.arange(round(lowest / _BIN_WIDTH), round(1 / _BIN_WIDTH) + 1) * _BIN_WIDTH
    counts, _ = np.histogram(np.clip(known, edges[0], 1.0), edges)
    axes.bar(edges[:-1], counts, _BIN_WIDTH, align="edge", color=_UNIT_COLOUR, ec="white", lw=0.5)
    n_missing = len(values) - len(known)
    place = edges[0] - 3 * _BIN_WIDTH
    ticks, names = [0.0, 0.5, 1.0], ["0", "0.5", "1"]
    if n_missing:
        axes.bar(place, n_missing, 2 * _BIN_WIDTH, color="white", ec=MUTED, hatch="////", lw=0.8)
        axes.text(place, n_missing, f"{n_missing}", ha="center", va="bottom", size=8, color=MUTED)
        ticks, names = [place, *ticks], ["n/a", *names]
    axes.set_xticks(ticks, names)
    axes.set_xlabel(label, size=8.5)
    if len(known):
        median = float(np.median(known))
        axes.axvline(median, color=INK, lw=1.1, ls=(0, (4, 2)))
        axes.set_title(f"median {median:.2f}", weight="normal", size=8.5)
    else:
        axes.set_title("no unit is ok", weight="normal", size=8.5)
