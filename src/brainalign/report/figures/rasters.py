"""Spikes of one cell in all trials of one movie, and the rate over them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, MUTED, PANEL_WIDTH, use_style

_HEIGHT = 2.6  # inches


def draw_raster(
    count: NDArray[np.floating], time: NDArray[np.floating], bin_s: float, title: str
) -> Figure:
    """Draw trials as rows of spikes above the mean rate.

    Parameters
    ----------
    count : array of shape (n_trials, n_bins)
        Spikes per bin of one cell; NaN where it was not recorded.
    time : array of shape (n_bins,)
        Starts of the bins in s.
    bin_s : float
        Width of a bin in s.
    title : str
        Names of cell and movie.
    """
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, _HEIGHT), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        trial, place = np.nonzero(np.nan_to_num(count))
        above.scatter(
            time[place] + bin_s / 2, trial + 1, s=4, marker="|", color=INK, lw=0.8, rasterized=True
        )
        above.set_ylim(len(count) + 0.8, 0.2)
        above.set_ylabel("trial")
        above.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        recorded = np.isfinite(count).any(axis=0)
        rate = np.full(len(time), np.nan)
        rate[recorded] = np.nanmean(count[:, recorded], axis=0) / bin_s
        # What was not recorded is a gap of the line, shaded so that it is not taken for silence.
        below.plot(time, rate, color="#0072b2", lw=0.9)
        below.set_ylim(0, None)
        if not recorded.all():
            top = below.get_ylim()[1]
            below.fill_between(time, 0, top, where=~recorded, color=MUTED, alpha=0.15, lw=0)
        below.set_ylabel("rate (Hz)")
        below.set_xlabel("time in the movie (s)")
        below.set_xlim(time[0], time[-1] + bin_s)
        figure.align_ylabels()
    return figure
