"""Dots and intervals: one score of every method, with chance and ceiling beside each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainalign.report.figures.style import INK, MUTED, PANEL_WIDTH, RULE, use_style

_ROW_HEIGHT = 0.19  # inches
_FRAME_HEIGHT = 1.15  # inches for the axis, its label and the key


@dataclass(frozen=True)
class ScoreDot:
    """One row of the figure.

    Attributes
    ----------
    group : str
        Heading under which it stands: the method.
    label : str
        What tells it from the others of its group.
    value, low, high, chance, ceiling : float
        The score, its interval, and its two references; NaN is not drawn.
    colour : str
        Colour of the method.
    is_floor : bool
        Whether it is the floor that others must beat; drawn hollow.
    """

    group: str
    label: str
    value: float
    low: float
    high: float
    chance: float
    ceiling: float
    colour: str
    is_floor: bool


def draw_score_intervals(
    dots: Sequence[ScoreDot],
    axis_label: str,
    *,
    is_share: bool,
    floor_label: str = "pixels, the floor",
) -> Figure:
    """Draw scores with their intervals, grouped by method.

    Parameters
    ----------
    dots : sequence of ScoreDot
        In the order of the figure; those of a group stand together.
    axis_label : str
        What the axis shows.
    is_share : bool
        Whether the axis runs from 0 to 1.
    floor_label : str
        What hollow dots stand for.
    """
    places, headings, n_lines = _place(dots)
    with use_style():
        figure = Figure(
            figsize=(PANEL_WIDTH, _FRAME_HEIGHT + _ROW_HEIGHT * n_lines), layout="constrained"
        )
        axes = figure.add_subplot()
        for place, dot in zip(places, dots, strict=True):
            _draw_row(axes, place, dot)
        for place, name, colour in headings:
            axes.text(
                0.0,
                place,
                name,
                color=colour,
                weight="bold",
                va="center",
                transform=axes.get_yaxis_transform(),
                # Chance runs through the heading's line.
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                zorder=4,
            )
        axes.set_yticks(places, [dot.label for dot in dots])
        axes.set_ylim(n_lines - 0.4, -0.6)
        if is_share:
            axes.set_xlim(0, 1.02)
        axes.set_xlabel(axis_label)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.grid(visible=True, color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(handles=_make_key(dots, floor_label), loc="outside lower center", ncols=2)
    return figure


def _place(
    dots: Sequence[ScoreDot],
) -> tuple[list[float], list[tuple[float, str, str]], int]:
    """Give each dot a line, and each group a line of its own above its first dot."""
    places: list[float] = []
    headings: list[tuple[float, str, str]] = []
    line = 0
    for rank, dot in enumerate(dots):
        if rank == 0 or dots[rank - 1].group != dot.group:
            headings.append((float(line), dot.group, dot.colour))
            line += 1
        places.append(float(line))
        line += 1
    return places, headings, line


def _draw_row(axes: Axes, place: float, dot: ScoreDot) -> None:
    axes.plot([dot.chance] * 2, [place - 0.5, place + 0.5], color=INK, lw=1.1, ls=(0, (2, 1.5)))
    if np.isfinite(dot.ceiling):
        axes.plot(dot.ceiling, place, marker="D", ms=4, mfc="white", mec=MUTED, ls="", zorder=2)
    axes.plot([dot.low, dot.high], [place, place], color=dot.colour, lw=2.2, solid_capstyle="butt")
    axes.plot(
        dot.value,
        place,
        marker="o",
        ms=5.5,
        mfc="white" if dot.is_floor else dot.colour,
        mec=dot.colour,
        mew=1.5,
        ls="",
        zorder=3,
    )


def _make_key(dots: Sequence[ScoreDot], floor_label: str) -> list[Line2D]:
    key = []
    if any(not dot.is_floor for dot in dots):
        key.append(_make_handle("score and interval", marker="o", color=INK, lw=2.2))
    if any(dot.is_floor for dot in dots):
        key.append(_make_handle(floor_label, marker="o", color=INK, lw=2.2, mfc="white", mew=1.5))
    key.append(_make_handle("chance", color=INK, lw=1.1, ls=(0, (2, 1.5))))
    if any(np.isfinite(dot.ceiling) for dot in dots):
        key.append(
            _make_handle("half-split ceiling", marker="D", ms=4, mfc="white", mec=MUTED, ls="")
        )
    return key


def _make_handle(label: str, **properties: object) -> Line2D:
    return Line2D([], [], label=label, **mpl.cbook.normalize_kwargs(properties, Line2D))
