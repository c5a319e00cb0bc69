"""Differences between methods with their intervals, beside the line of no difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from brainalign.report.figures.style import INK, MUTED, PANEL_WIDTH, RULE, use_style

_LINE_HEIGHT = 0.2  # inches
_FRAME_HEIGHT = 1.2  # inches for the axis, its label and the key


@dataclass(frozen=True)
class DifferenceRow:
    """One pair.

    Attributes
    ----------
    group : str
        Heading under which it stands: the first of the pair.
    label : str
        The second of the pair.
    difference, low, high : float
        Score of the first less that of the second, and its interval.
    is_found : bool
        Whether the corrected test finds a difference; others are drawn hollow and grey.
    """

    group: str
    label: str
    difference: float
    low: float
    high: float
    is_found: bool


def draw_differences(rows: Sequence[DifferenceRow], axis_label: str, colour: str) -> Figure:
    """Draw differences with intervals, grouped by the first of each pair.

    Parameters
    ----------
    rows : sequence of DifferenceRow
        In the order of the figure; those of a group stand together.
    axis_label : str
        What the axis shows.
    colour : str
        Of differences that are found.
    """
    groups = list(dict.fromkeys(row.group for row in rows))
    n_lines = len(rows) + len(groups)
    with use_style():
        figure = Figure(
            figsize=(PANEL_WIDTH, _FRAME_HEIGHT + _LINE_HEIGHT * n_lines), layout="constrained"
        )
        axes = figure.add_subplot()
        line, places, labels = 0, [], []
        for group in groups:
            axes.text(
                0.0,
                line,
                group,
                weight="bold",
                va="center",
                transform=axes.get_yaxis_transform(),
                # The line of no difference runs through the heading.
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                zorder=4,
            )
            line += 1
            for row in (row for row in rows if row.group == group):
                shown = colour if row.is_found else MUTED
                axes.plot([row.low, row.high], [line, line], color=shown, lw=2.2, zorder=2)
                axes.plot(
                    row.difference,
                    line,
                    marker="o",
                    ms=5.5,
                    mfc=shown if row.is_found else "white",
                    mec=shown,
                    mew=1.5,
                    zorder=3,
                )
                places.append(line)
                labels.append(row.label)
                line += 1
        axes.axvline(0, color=INK, lw=1.1, ls=(0, (2, 1.5)), zorder=1)
        axes.set_yticks(places, labels)
        axes.set_ylim(n_lines - 0.4, -0.6)
        axes.set_xlabel(axis_label)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.grid(visible=True, color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        key = [
            Line2D([], [], marker="o", color=colour, lw=2.2, label="difference found"),
            Line2D([], [], marker="o", color=MUTED, lw=2.2, mfc="white", label="none found"),
        ]
        figure.legend(handles=key, loc="outside lower center", ncols=2)
    return figure
