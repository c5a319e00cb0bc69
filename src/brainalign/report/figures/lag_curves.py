"""How much of the BOLD of which TRs a method takes for one moment of the movie."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import PANEL_WIDTH, use_style

_HEIGHT = 2.6  # inches


def draw_lag_curves(curves: Mapping[str, NDArray[np.floating]], tr_s: float, title: str) -> Figure:
    """Draw the weight of each lag, a line per region with the range over seeds behind it.

    Parameters
    ----------
    curves : mapping of str to array of shape (n_seeds, n_lags)
        Weights by region.
    tr_s : float
        TR in s.
    title : str
        Name of the method.
    """
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.subplots()
        shades = mpl.colormaps["viridis"]
        for rank, (name, weight) in enumerate(curves.items()):
            colour = shades(0.85 * rank / max(1, len(curves) - 1))
            lag = tr_s * np.arange(weight.shape[1])
            axes.fill_between(lag, weight.min(0), weight.max(0), color=colour, alpha=0.2, lw=0)
            axes.plot(lag, weight.mean(0), "o-", color=colour, lw=1.2, ms=3, label=name)
        axes.set_title(title)
        axes.set(xlabel="BOLD after the movie (s)", ylabel="weight")
        axes.set_ylim(0, None)
        axes.legend()
    return figure
