"""Training curves: loss and validation score by epoch, one line per seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brainalign.report.figures.style import RULE, SMALL_PANEL_WIDTH, colour_seeds, use_style

_HEIGHT = 2.3  # inches


def average_by_epoch(history: pd.DataFrame, column: str) -> pd.Series:
    """Average a column over the fits of a seed, up to the epoch that all of them reached.

    Parameters
    ----------
    history : pandas.DataFrame
        Rows of one seed, with ``fit`` and ``epoch``.
    column : str
        What to average.

    Notes
    -----
    Beyond that epoch only some fits go on, and their mean would jump.
    """
    last = history.groupby("fit")["epoch"].max().min()
    return history[history["epoch"] <= last].groupby("epoch")[column].mean()


def draw_training(history: pd.DataFrame, title: str) -> Figure:
    """Draw loss and validation score of one model.

    Parameters
    ----------
    history : pandas.DataFrame
        With ``epoch``, ``loss``, ``validation_score``, ``seed`` and ``fit``, a label of each
        single fit (subject and fold) of a seed.
    title : str
        Name of the model.
    """
    seeds = sorted(history["seed"].unique())
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, _HEIGHT), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        left, right = figure.subplots(1, 2)
        for axes, column, label in (
            (left, "loss", "training loss"),
            (right, "validation_score", "validation score"),
        ):
            for seed, colour in zip(seeds, colour_seeds(len(seeds)), strict=True):
                _draw_seed(axes, history[history["seed"] == seed], column, colour, str(seed))
            axes.set_title(label, weight="normal")
            axes.set_xlabel("epoch")
            axes.grid(visible=True, color=RULE, linewidth=0.6)
            axes.set_axisbelow(True)
        handles, labels = right.get_legend_handles_labels()
        figure.legend(handles, labels, title="seed", loc="outside right center", handlelength=1.2)
    return figure


def _draw_seed(axes: Axes, history: pd.DataFrame, column: str, colour: str, label: str) -> None:
    fits = list(history.groupby("fit", sort=False))
    if len(fits) > 1:
        for _, one in fits:
            axes.plot(one["epoch"], one[column], color=colour, lw=0.5, alpha=0.3)
    mean = average_by_epoch(history, column)
    # A single epoch is a dot, which a line would not show.
    marker = "o" if np.isfinite(mean).sum() < 2 else ""
    axes.plot(mean.index, mean, color=colour, lw=1.6, marker=marker, ms=4, label=label)
