"""Receptive fields on a frame of the movie, and their time courses."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from brainalign.report.figures.style import MUTED, PANEL_WIDTH, SMALL_PANEL_WIDTH, use_style

POLARITY_COLOURS = {1: "#d55e00", -1: "#56b4e9", 0: "#e69f00"}
_NAMES = {1: "ON", -1: "OFF", 0: "given outline"}
_N_POINTS = 60


def draw_fields_on_frame(
    frame: NDArray[np.uint8],
    ellipses: NDArray[np.floating],
    polarity: NDArray[np.floating],
    title: str,
) -> Figure:
    """Draw the contour of every receptive field at one standard deviation on a frame.

    Parameters
    ----------
    frame : array of shape (y, x, 3), uint8
        A frame of the movie.
    ellipses : array of shape (n_units, 5)
        Centre in shares of width and height, SDs along both axes in widths, angle in radians.
    polarity : array of shape (n_units,)
        1 for ON, -1 for OFF, NaN where it is not known.
    title : str
        Name of the subject.
    """
    height, width = frame.shape[:2]
    angle = np.linspace(0, 2 * np.pi, _N_POINTS)
    sign = np.nan_to_num(polarity).astype(int)
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, PANEL_WIDTH * height / width + 0.4))
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.96 - 0.4 / figure.get_figheight()))
        figure.suptitle(title, x=0.02, y=0.99, ha="left", va="top", size=9, weight="bold")
        # Paler than it was, so that lines of all colours are seen on it.
        grey = frame.mean(axis=2)
        axes.imshow(90 + 0.6 * grey, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
        for value, colour in POLARITY_COLOURS.items():
            lines = [
                _trace(one, angle, width, height)
                for one in ellipses[(sign == value) & np.isfinite(ellipses).all(axis=1)]
            ]
            axes.add_collection(LineCollection(lines, colors="white", linewidths=2.2))
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=1.3))
        axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
        handles = [
            Line2D([], [], color=colour, lw=1.5, label=_NAMES[value])
            for value, colour in POLARITY_COLOURS.items()
            if np.any((sign == value) & np.isfinite(ellipses).all(axis=1))
        ]
        figure.legend(handles=handles, loc="upper right", ncols=3, borderaxespad=0.1)
    return figure


def _trace(
    ellipse: NDArray[np.floating], angle: NDArray[np.floating], width: int, height: int
) -> NDArray[np.floating]:
    x, y, major, minor, tilt = ellipse
    along, across = major * np.cos(angle), minor * np.sin(angle)
    right = np.cos(tilt) * along - np.sin(tilt) * across
    down = np.sin(tilt) * along + np.cos(tilt) * across
    return np.stack([width * (x + right), height * y + width * down], axis=1)


def draw_time_courses(
    time_course: NDArray[np.floating],
    lag_s: NDArray[np.floating],
    polarity: NDArray[np.floating],
    title: str,
) -> Figure:
    """Draw the time courses of all significant receptive fields.

    Parameters
    ----------
    time_course : array of shape (n_units, n_lags)
        Temporal part of the spike-triggered average.
    lag_s : array of shape (n_lags,)
        Time before the spike in s.
    polarity : array of shape (n_units,)
        1 for ON, -1 for OFF; NaN units are left out.
    title : str
        Name of the subject.
    """
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, 2.4), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        axes = figure.subplots()
        axes.axhline(0, color=MUTED, lw=0.8)
        for value in (1, -1):
            for one in time_course[polarity == value]:
                axes.plot(-1000 * lag_s, one, color=POLARITY_COLOURS[value], lw=0.8, alpha=0.7)
        axes.set_xlabel("time before the spike (ms)")
        axes.set_ylabel("weight")
    return figure
