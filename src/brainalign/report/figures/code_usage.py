"""How often the movie and the BOLD use each code of a shared codebook."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import MUTED, PANEL_WIDTH, use_style

_HEIGHT = 2.6  # inches


def draw_code_usage(
    n_video: NDArray[np.integer], n_bold: NDArray[np.integer], title: str
) -> Figure:
    """Draw the use of every code, the most used first: the movie upwards, the BOLD downwards.

    Parameters
    ----------
    n_video, n_bold : array of shape (n_codes,)
        Moments of the test windows with this code.
    title : str
        Name of the method and counts.
    """
    order = np.argsort(-(n_video + n_bold), kind="stable")
    place = np.arange(len(order))
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.subplots()
        axes.bar(place, n_video[order], width=1.0, color="#0072b2", label="movie")
        axes.bar(place, -n_bold[order], width=1.0, color="#d55e00", label="BOLD")
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        axes.set_title(title)
        axes.set(xlabel="code, by use", ylabel="moments")
        axes.legend()
    return figure
