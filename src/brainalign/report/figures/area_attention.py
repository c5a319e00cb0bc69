"""Where tokens look: attention and occlusion of both levels by region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from brainalign.report.figures.style import INK, PANEL_WIDTH, RULE, use_style

_COLOURS = {"low": "#e69f00", "high": "#0072b2"}
_OFFSET = {"low": -0.16, "high": 0.16}
_ROW_HEIGHT, _FRAME_HEIGHT = 0.34, 1.1  # inches


def draw_area_values(
    areas: Sequence[str],
    values: Mapping[str, Sequence[float]],
    intervals: Mapping[str, Sequence[tuple[float, float]]],
    axis_label: str,
    chance: float = float("nan"),
) -> Figure:
    """Draw one value of both tokens for each region.

    Parameters
    ----------
    areas : sequence of str
        Regions, from above to below.
    values : mapping of str to sequence of float
        By level, ``low`` and ``high``.
    intervals : mapping of str to sequence of (float, float)
        Lower and upper end; levels without intervals are left out.
    axis_label : str
        What the axis shows.
    chance : float
        Drawn as a dashed line where it is known.
    """
    place = np.arange(len(areas), dtype=float)
    with use_style():
        figure = Figure(
            figsize=(PANEL_WIDTH, _FRAME_HEIGHT + _ROW_HEIGHT * len(areas)), layout="constrained"
        )
        axes = figure.add_subplot()
        for level, numbers in values.items():
            colour, row = _COLOURS[level], place + _OFFSET[level]
            axes.barh(row, numbers, height=0.28, color=colour, label=f"{level} token")
            for at, (low, high) in zip(row, intervals.get(level, []), strict=False):
                axes.plot([low, high], [at, at], color=INK, lw=1.2, solid_capstyle="butt")
        if np.isfinite(chance):
            axes.axvline(chance, color=INK, lw=1.1, ls=(0, (2, 1.5)), label="equal shares")
        axes.set_yticks(place, list(areas))
        axes.set_ylim(len(areas) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.grid(visible=True, color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlim(left=0)
        axes.set_xlabel(axis_label)
        figure.legend(loc="outside lower center", ncols=3)
    return figure
