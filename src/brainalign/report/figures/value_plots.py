"""Plain plots of values whose meaning only their name tells: histogram, scatter, lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from brainalign.report.figures.style import (
    MUTED,
    RULE,
    SMALL_PANEL_WIDTH,
    assign_colours,
    use_style,
)

_HEIGHT = 2.5  # inches
_N_BINS = 30
_COLOUR = "#0072b2"
_SMALL = 7.5  # points
_MOST_LABELS = 7  # as many as there are colours


def draw_histogram(values: NDArray[np.floating], name: str, title: str) -> Figure:
    """Draw the distribution of finite values.

    Parameters
    ----------
    values : array
        Any shape; what is not finite is left out.
    name : str
        What is counted, with units.
    title : str
        Heading of the panel.
    """
    known = values[np.isfinite(values)]
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        axes.hist(known, bins=_N_BINS, color=_COLOUR, ec="white", lw=0.4)
        axes.set(xlabel=name, ylabel="count", title=title)
        axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
    return figure


def draw_components(
    points: NDArray[np.floating], labels: Sequence[str], shares: Sequence[float], title: str
) -> Figure:
    """Draw rows in the plane of their first two principal components.

    Parameters
    ----------
    points : array of shape (n_rows, 2)
        Coordinates.
    labels : sequence of str
        Group of each row; drawn in colours where there are few groups.
    shares : sequence of float
        Share of the variance of both components.
    title : str
        Heading of the panel.
    """
    groups = sorted(set(labels))
    groups = groups if 1 < len(groups) <= _MOST_LABELS else []
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, _HEIGHT + 0.5), layout="constrained")
        axes = figure.add_subplot()
        if groups:
            group = np.asarray(labels)
            for name, colour in assign_colours(groups).items():
                chosen = points[group == name]
                axes.scatter(
                    chosen[:, 0], chosen[:, 1], s=7, color=colour, lw=0, alpha=0.8, label=name
                )
            axes.legend(fontsize=_SMALL, loc="best", handletextpad=0.2)
        else:
            axes.scatter(points[:, 0], points[:, 1], s=7, color=_COLOUR, lw=0, alpha=0.7)
        axes.set(
            xlabel=f"first component ({shares[0]:.0%})",
            ylabel=f"second ({shares[1]:.0%})",
            title=title,
        )
    return figure


def draw_lines(
    places: NDArray[np.floating],
    lines: Mapping[str, NDArray[np.floating]],
    place_name: str,
    value_name: str,
    title: str,
) -> Figure:
    """Draw some series over the same places.

    Parameters
    ----------
    places : array of shape (n_places,)
        Where the values stand.
    lines : mapping of str to array of shape (n_places,)
        Values by name; the first is drawn in grey behind the others.
    place_name, value_name : str
        Names of the axes, with units.
    title : str
        Heading of the panel.
    """
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        colours = [MUTED, *assign_colours(list(lines)[1:]).values()]
        for (name, values), colour in zip(lines.items(), colours, strict=True):
            axes.plot(places, values, color=colour, lw=1.1, label=name)
        axes.set(xlabel=place_name, ylabel=value_name, title=title)
        axes.grid(visible=True, color=RULE, linewidth=0.6)
        if len(lines) > 1:
            axes.legend(fontsize=_SMALL)
    return figure
