"""Similarity matrix: how every test stimulus fits every test response."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, RULE, SMALL_PANEL_WIDTH, use_style

_HEIGHT = 3.7  # inches
_LIMIT = 3.0  # standard deviations at which the colours end


def standardise_columns(compatibility: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give every column mean 0 and SD 1 over its finite values.

    Parameters
    ----------
    compatibility : array of shape (n_stimuli, n_responses)
        NaN where a pair was not compared.

    Returns
    -------
    standardised : array of shape (n_stimuli, n_responses)
        NaN stays; a constant column is 0.

    Notes
    -----
    Decoding compares within a column, so that this changes no rank, while scales of methods
    become comparable.
    """
    scores = np.asarray(compatibility, dtype=np.float64)
    mean, sd = np.nanmean(scores, axis=0), np.nanstd(scores, axis=0)
    return (scores - mean) / np.where(sd > 0, sd, 1.0)


def draw_similarity(
    compatibility: NDArray[np.floating],
    title: str,
    categories: Sequence[str] | None = None,
) -> Figure:
    """Draw a compatibility matrix, standardised per response.

    Parameters
    ----------
    compatibility : array of shape (n_stimuli, n_stimuli)
        Rows and columns in the same order; NaN where a pair was not compared.
    title : str
        Name of the method.
    categories : sequence of str, optional
        Category of each row, equal ones together; they are named at the axes.
    """
    colours = mpl.colormaps["PuOr_r"].with_extremes(bad=RULE)
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(
            standardise_columns(compatibility),
            cmap=colours,
            vmin=-_LIMIT,
            vmax=_LIMIT,
            interpolation="nearest",
        )
        axes.set_title(title)
        axes.set_xlabel("response to stimulus")
        axes.set_ylabel("stimulus")
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(True)
        if categories is not None:
            _mark_categories(axes, categories)
        bar = figure.colorbar(image, ax=axes, location="bottom", shrink=0.7, aspect=30)
        bar.set_label("compatibility (SD within a response)", size=8)
        bar.outline.set_visible(False)
    return figure


def _mark_categories(axes: mpl.axes.Axes, categories: Sequence[str]) -> None:
    names = np.asarray(categories)
    starts = np.r_[0, np.flatnonzero(names[1:] != names[:-1]) + 1]
    ends = np.r_[starts[1:], len(names)]
    axes.set_yticks((starts + ends - 1) / 2, [str(names[start]) for start in starts])
    axes.tick_params(axis="y", length=0, labelsize=8)
    for start in starts[1:]:
        axes.axhline(start - 0.5, color=INK, lw=0.4, alpha=0.5)
        axes.axvline(start - 0.5, color=INK, lw=0.4, alpha=0.5)
