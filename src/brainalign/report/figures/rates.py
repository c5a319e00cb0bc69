"""Predicted rates: beside recorded ones, cell by cell, and against the number of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, MUTED, PANEL_WIDTH, RULE, use_style

_TRACE_HEIGHT, _POPULATION_HEIGHT = 3.0, 2.9  # inches
_ROW_HEIGHT, _FRAME_HEIGHT = 0.34, 1.0  # inches
_MARKERS = "osD^vP*Xdph"


@dataclass(frozen=True)
class RateTrace:
    """A predicted rate of one cell.

    Attributes
    ----------
    label : str
        What predicted it.
    rate : array of shape (n_frames,)
        Hz.
    colour : str
        Colour of the method.
    """

    label: str
    rate: NDArray[np.floating]
    colour: str


@dataclass(frozen=True)
class UnitRow:
    """One score of all cells: a row of dots.

    Attributes
    ----------
    label : str
        What was scored.
    value : array of shape (n_units,)
        NaN where undefined.
    colour : str
        Colour of the dots.
    """

    label: str
    value: NDArray[np.floating]
    colour: str


@dataclass(frozen=True)
class PopulationLine:
    """A score against the number of cells.

    Attributes
    ----------
    label : str
        What was scored.
    table : pandas.DataFrame
        With ``n_units``, ``top_1``, ``low`` and ``high``, in the order of ``n_units``.
    colour : str
        Colour of the method.
    """

    label: str
    table: pd.DataFrame
    colour: str


def draw_rate_traces(
    count: NDArray[np.floating],
    frame_rate: float,
    traces: Sequence[RateTrace],
    stretch: NDArray[np.integer],
    title: str,
) -> Figure:
    """Draw the spikes of all repeats above their mean rate and what was predicted of it.

    Parameters
    ----------
    count : array of shape (n_repeats, n_frames)
        Spikes of one cell per frame; NaN where a repeat was not recorded.
    frame_rate : float
        Frames per second.
    traces : sequence of RateTrace
        Predictions at the same frames.
    stretch : array of shape (n_frames,)
        Contiguous stretch of each frame; lines break between two of them.
    title : str
        Names of cell and movie.
    """
    start = np.arange(count.shape[1]) / frame_rate
    edges = np.flatnonzero(np.diff(stretch)) + 1
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, _TRACE_HEIGHT), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 3])
        repeat, place = np.nonzero(np.nan_to_num(count))
        above.scatter(
            start[place] + 0.5 / frame_rate, repeat + 1, s=3, marker="|", color=INK, lw=0.7
        )
        above.set_ylim(len(count) + 0.8, 0.2)
        above.set_ylabel("repeat")
        above.yaxis.get_major_locator().set_params(integer=True, nbins=3)
        n_recorded = np.isfinite(count).sum(axis=0)
        mean = np.nanmean(count, axis=0) * frame_rate
        error = np.nanstd(count, axis=0) * frame_rate / np.sqrt(n_recorded)
        middle = start + 0.5 / frame_rate
        spans = np.split(np.arange(len(start)), edges)
        for span in spans:
            label = "recorded ± SE" if span is spans[0] else None
            below.fill_between(
                middle[span],
                (mean - error)[span],
                (mean + error)[span],
                color=MUTED,
                alpha=0.3,
                lw=0,
            )
            below.plot(middle[span], mean[span], color=INK, lw=0.9, label=label)
            for trace in traces:
                name = trace.label if span is spans[0] else None
                below.plot(middle[span], trace.rate[span], color=trace.colour, lw=1.4, label=name)
        for edge in edges:
            for axes in (above, below):
                axes.axvline(start[edge], color=RULE, lw=0.7, zorder=0)
        below.axhline(0, color=RULE, lw=0.7, zorder=0)
        below.set_ylabel("rate (Hz)")
        below.set_xlabel("recorded test time (s)" if len(edges) else "test time (s)")
        below.set_xlim(0, count.shape[1] / frame_rate)
        figure.align_ylabels()
        handles, labels = below.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def draw_unit_scores(rows: Sequence[UnitRow], axis_label: str, title: str) -> Figure:
    """Draw one dot per cell, a row per method, with the median of each row.

    Parameters
    ----------
    rows : sequence of UnitRow
        Top to bottom.
    axis_label : str
        What the axis shows.
    title : str
        Heading of the panel.
    """
    with use_style():
        height = _FRAME_HEIGHT + _ROW_HEIGHT * len(rows)
        figure = Figure(figsize=(PANEL_WIDTH, height), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
            known = row.value[np.isfinite(row.value)]
            if not len(known):
                axes.text(0.02, place, "undefined", va="center", size=8, color=MUTED)
                continue
            # Neighbouring ranks stand apart, so that equal values stay visible.
            spread = 0.12 * (np.argsort(np.argsort(known)) % 5 - 2)
            axes.scatter(known, place + spread, s=11, color=row.colour, alpha=0.65, lw=0)
            median = float(np.median(known))
            axes.plot([median] * 2, [place - 0.38, place + 0.38], color=INK, lw=1.6)
        axes.axvline(0, color=MUTED, lw=0.9, ls=(0, (2, 1.5)), zorder=0)
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis_label)
        axes.xaxis.grid(visible=True, color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure


def draw_population(lines: Sequence[PopulationLine], chance: float, title: str) -> Figure:
    """Draw the share of moments that populations of each size identify.

    Parameters
    ----------
    lines : sequence of PopulationLine
        One per method.
    chance : float
        Share that guessing reaches.
    title : str
        Heading of the panel.
    """
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, _POPULATION_HEIGHT), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        axes = figure.add_subplot()
        sizes = sorted({int(size) for line in lines for size in line.table["n_units"]})
        for rank, line in enumerate(lines):
            _draw_line(axes, line, _MARKERS[rank % len(_MARKERS)])
        axes.axhline(chance, color=INK, lw=1.1, ls=(0, (2, 1.5)), label="chance")
        axes.set_xscale("log", base=2)
        # The whole population is no power of two: a neighbour too close would hide its number.
        ticks = [size for size in sizes if size == sizes[-1] or 1.4 * size < sizes[-1]]
        axes.set_xticks(ticks, [str(size) for size in ticks])
        axes.minorticks_off()
        axes.set_xlabel("cells")
        axes.set_ylabel("moments identified (share)")
        axes.set_ylim(0, None)
        axes.grid(visible=True, color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def _draw_line(axes: Axes, line: PopulationLine, marker: str) -> None:
    table = line.table
    axes.fill_between(
        table["n_units"], table["low"], table["high"], color=line.colour, alpha=0.12, lw=0
    )
    axes.plot(
        table["n_units"],
        table["top_1"],
        color=line.colour,
        lw=1.5,
        marker=marker,
        ms=4.5,
        label=line.label,
    )
