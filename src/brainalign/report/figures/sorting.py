"""Sorted units: where they lie, their waveforms, spikes and how well planted cells are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from brainalign.report.figures.style import (
    INK,
    MUTED,
    PANEL_WIDTH,
    RULE,
    SMALL_PANEL_WIDTH,
    use_style,
)
from brainalign.responses.counts import count_trial_bins

_BLUE, _ORANGE = "#0072b2", "#d55e00"
_WAVE_LENGTH = 0.8  # of a waveform on the probe, in distances of contacts
_RASTER_MS = (-100.0, 300.0)
_RASTER_BIN_MS = 10.0
_CORRELOGRAM_MS = 50.0
_UNIT_SPREAD = 0.18  # of the units of a session, in distances of sessions
_LABEL_ROOM = 34  # characters side by side below a small panel
_MAX_STIMULI = 14  # in a raster, those with the strongest responses


def draw_probe(
    channel_um: NDArray[np.floating],
    main_channel: NDArray[np.integer],
    waveform: NDArray[np.floating],
    title: str,
) -> Figure:
    """Draw the contacts and the mean waveform of every unit at its main contact.

    Parameters
    ----------
    channel_um : array of shape (n_channels, 2)
        Places in micrometres.
    main_channel : array of shape (n_units,)
        Row of the main contact per unit.
    waveform : array of shape (n_units, n_times)
        Mean waveforms there; scaled to the largest.
    title : str
        Name of the session.
    """
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, max(1, len(main_channel))))
    pitch = _find_pitch(channel_um)
    width = np.ptp(channel_um[:, 0]) + 2 * pitch
    height = np.ptp(channel_um[:, 1]) + 2 * pitch
    with use_style():
        inches = min(6.0, max(2.5, SMALL_PANEL_WIDTH * height / max(width, height / 2.2)))
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, inches), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(*channel_um.T, "s", ms=4, color=RULE, mec=MUTED, mew=0.5)
        largest = max(float(np.nanmax(np.abs(waveform))), 1e-30) if waveform.size else 1.0
        for unit, channel in enumerate(main_channel):
            time = np.linspace(-0.5, 0.5, waveform.shape[1]) * _WAVE_LENGTH * pitch
            # Units of one contact are drawn one after the other to its right.
            place = channel_um[channel] + [pitch * 0.15 * np.sum(main_channel[:unit] == channel), 0]
            shape = place[1] + 0.8 * pitch * waveform[unit] / largest
            axes.plot(place[0] + time, shape, color=colours[unit], lw=1.2)
        axes.set_aspect("equal")
        axes.set_xlim(channel_um[:, 0].min() - pitch, channel_um[:, 0].max() + pitch)
        axes.set_ylim(channel_um[:, 1].min() - pitch, channel_um[:, 1].max() + pitch)
        axes.set_xlabel("x (µm)")
        axes.set_ylabel("y (µm)")
        axes.set_title(title)
    return figure


def draw_waveforms(
    waveform: NDArray[np.floating], rate_hz: float, names: Sequence[str], title: str
) -> Figure:
    """Draw the mean waveforms of units on their main contact, each in a small panel.

    Parameters
    ----------
    waveform : array of shape (n_units, n_times)
        In one unit; each panel has its own scale.
    rate_hz : float
        Samples per second.
    names : sequence of str
        Unit ids.
    title : str
        Name of the session.
    """
    time_ms = 1000 * np.arange(waveform.shape[1]) / rate_hz
    return _draw_grid(
        len(names),
        title,
        lambda axes, unit: axes.plot(time_ms, waveform[unit], color=_BLUE, lw=1.2),
        names,
        "ms",
    )


def draw_autocorrelograms(
    spike_times: Sequence[NDArray[np.floating]], names: Sequence[str], title: str
) -> Figure:
    """Draw the autocorrelograms of units, 1-ms bins up to 50 ms.

    Parameters
    ----------
    spike_times : sequence of array of shape (n_spikes,)
        In s, ascending.
    names : sequence of str
        Unit ids.
    title : str
        Name of the session.
    """
    edges = np.arange(-_CORRELOGRAM_MS, _CORRELOGRAM_MS + 1)

    def draw(axes: mpl.axes.Axes, unit: int) -> None:
        lags = compute_lags(spike_times[unit], _CORRELOGRAM_MS / 1000) * 1000
        count, _ = np.histogram(np.concatenate([lags, -lags]), edges)
        axes.bar(edges[:-1], count, 1.0, align="edge", color=_BLUE)

    return _draw_grid(len(names), title, draw, names, "lag (ms)")


def compute_lags(times: NDArray[np.floating], longest_s: float) -> NDArray[np.float64]:
    """Compute all positive differences of spike times up to a bound.

    Parameters
    ----------
    times : array of shape (n_spikes,)
        In s, ascending.
    longest_s : float
        Bound in s.
    """
    lags, step = [], 1
    while step < len(times):
        difference = times[step:] - times[:-step]
        near = difference <= longest_s
        if not near.any():
            break
        lags.append(difference[near])
        step += 1
    return np.concatenate(lags) if lags else np.empty(0)


def draw_raster(
    spike_times: NDArray[np.floating],
    onset_s: NDArray[np.floating],
    shown: NDArray[np.str_],
    title: str,
) -> Figure:
    """Draw the raster of one unit, trials grouped by stimulus, and its PSTH below.

    Parameters
    ----------
    spike_times : array of shape (n_spikes,)
        In s, ascending.
    onset_s : array of shape (n_trials,)
        Stimulus onsets in s.
    shown : array of str of shape (n_trials,)
        Stimulus per trial; the stimuli with the most spikes are drawn, the strongest on top.
    title : str
        Name of the unit.
    """
    low, high = (edge / 1000 for edge in _RASTER_MS)
    trials = [
        times - onset
        for onset in onset_s
        for times in [_cut(spike_times, onset + low, onset + high)]
    ]
    names = np.unique(shown)
    strength = [
        np.mean([np.sum(trials[row] > 0) for row in np.flatnonzero(shown == name)])
        for name in names
    ]
    chosen = names[np.argsort(strength)[::-1][:_MAX_STIMULI]]
    edges = np.arange(_RASTER_MS[0], _RASTER_MS[1] + 1, _RASTER_BIN_MS)
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, 3.6), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.4])
        line = 0
        for rank, name in enumerate(chosen):
            rows = np.flatnonzero(shown == name)
            if rank % 2:
                upper.axhspan(line - 0.5, line + len(rows) - 0.5, color="#f2f4f6", lw=0)
            for row in rows:
                upper.plot(1000 * trials[row], np.full(len(trials[row]), line), "|", ms=2.5, c=INK)
                line += 1
        upper.set_ylim(line - 0.5, -0.5)
        upper.set_yticks([])
        upper.set_ylabel("trials by stimulus")
        upper.set_title(title)
        count = count_trial_bins(
            [spike_times], onset_s + low, _RASTER_BIN_MS / 1000, len(edges) - 1
        )[0]
        rate = count.mean(axis=0) / (_RASTER_BIN_MS / 1000)
        lower.stairs(rate, edges, fill=True, color=_BLUE)
        lower.set_ylabel("Hz")
        lower.set_xlabel("time after onset (ms)")
        for axes in (upper, lower):
            axes.axvline(0, color=_ORANGE, lw=0.9)
        lower.set_xlim(_RASTER_MS)
    return figure


def draw_session_raster(
    spike_times: Sequence[NDArray[np.floating]],
    onset_s: NDArray[np.floating],
    duration_s: float,
    title: str,
) -> Figure:
    """Draw the spikes of all units over a whole session and where movies start.

    Parameters
    ----------
    spike_times : sequence of array of shape (n_spikes,)
        In s.
    onset_s : array of shape (n_movies,)
        Starts of movies in s.
    duration_s : float
        Length of the session in s.
    title : str
        Name of the session.
    """
    with use_style():
        figure = Figure(figsize=(1.6 * PANEL_WIDTH, 2.6), layout="constrained")
        axes = figure.add_subplot()
        for row, times in enumerate(spike_times):
            axes.plot(times, np.full(len(times), row), "|", ms=4, mew=0.6, color=INK)
        for onset in onset_s:
            axes.axvline(onset, color=_ORANGE, lw=1.1)
        axes.set_xlim(0, duration_s)
        axes.set_ylim(len(spike_times) - 0.5, -0.5)
        axes.set_ylabel("unit")
        axes.set_xlabel("time (s)")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title)
    return figure


def draw_accuracy(
    snr: NDArray[np.floating],
    accuracy: NDArray[np.floating],
    isolated_snr: float,
    title: str,
) -> Figure:
    """Draw how well each planted cell was found, against its planted SNR.

    Parameters
    ----------
    snr, accuracy : array of shape (n_cells,)
        Peak over noise, and share of hits among hits, misses and false positives.
    isolated_snr : float
        From here on cells count as well isolated.
    title : str
        Name of the session.
    """
    with use_style():
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, 2.6), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0.9, color=MUTED, lw=0.8, ls=(0, (4, 2)))
        axes.axvline(isolated_snr, color=MUTED, lw=0.8, ls=(0, (1, 2)))
        axes.plot(snr, accuracy, "o", ms=5, color=_BLUE, mec="white", mew=0.6, clip_on=False)
        axes.set_xlim(0, 1.08 * max(float(np.max(snr)), isolated_snr))
        axes.set_ylim(0, 1.0)
        axes.set_xlabel("planted peak / noise")
        axes.set_ylabel("accuracy")
        axes.set_title(title)
    return figure


def draw_reliability_by_session(
    by_session: Mapping[str, NDArray[np.floating]], title: str
) -> Figure:
    """Draw the reliability of every unit in a column per session, with the median.

    Parameters
    ----------
    by_session : mapping of str to array of shape (n_units,)
        Split-half reliabilities; a session may have none.
    title : str
        Name of the subject.
    """
    with use_style():
        names = [f"{name.replace(';', '+')} ({len(rows)})" for name, rows in by_session.items()]
        longest = max(map(len, names), default=0)
        is_crowded = longest * len(names) > _LABEL_ROOM
        height = 2.6 + (0.06 * longest if is_crowded else 0.0)
        figure = Figure(figsize=(SMALL_PANEL_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        for column, values in enumerate(by_session.values()):
            spread = _UNIT_SPREAD if len(values) > 1 else 0.0
            offset = np.linspace(-spread, spread, len(values))
            # Units at an end of the scale are drawn whole.
            axes.plot(
                column + offset,
                values,
                "o",
                ms=4.5,
                color=_BLUE,
                alpha=0.8,
                clip_on=False,
                zorder=3,
            )
            if len(values):
                middle = np.median(values)
                axes.hlines(middle, column - 0.3, column + 0.3, color=INK, lw=1.4, zorder=4)
        axes.axhline(0, color=RULE, lw=0.8, zorder=0)
        axes.set_xticks(range(len(names)), names)
        if is_crowded:
            axes.tick_params(axis="x", rotation=90)
        axes.set_xlim(-0.6, len(by_session) - 0.4)
        lowest = min((values.min(initial=0.0) for values in by_session.values()), default=0.0)
        axes.set_ylim(np.floor(10 * lowest) / 10, 1.0)
        axes.set_xlabel("session (number of units)")
        axes.set_ylabel("split-half reliability")
        axes.set_title(title)
    return figure


def draw_rdm_pair(
    recorded: NDArray[np.floating], planted: NDArray[np.floating], title: str
) -> Figure:
    """Draw recorded and planted dissimilarities side by side, on one scale of ranks.

    Parameters
    ----------
    recorded, planted : array of shape (n_stimuli, n_stimuli)
        Dissimilarities; NaN for unknown pairs.
    title : str
        Name of the subject.
    """
    colours = mpl.colormaps["viridis"].with_extremes(bad=RULE)
    with use_style():
        figure = Figure(figsize=(1.6 * PANEL_WIDTH, 3.2), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        images = []
        for axes, rdm, name in zip(
            figure.subplots(1, 2), (recorded, planted), ("recorded", "planted"), strict=True
        ):
            images.append(
                axes.imshow(_rank(rdm), cmap=colours, vmin=0, vmax=1, interpolation="nearest")
            )
            axes.set_title(name, weight="normal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel("stimulus")
        bar = figure.colorbar(images[-1], ax=figure.axes, shrink=0.7)
        bar.set_label("dissimilarity (rank)", size=8)
        bar.outline.set_visible(False)
    return figure


def _draw_grid(n_units: int, title: str, draw: object, names: Sequence[str], label: str) -> Figure:
    columns = 4
    rows = -(-n_units // columns)
    with use_style():
        figure = Figure(figsize=(1.6 * PANEL_WIDTH, 0.5 + 1.05 * rows), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        for place, axes in enumerate(grid.flat):
            if place >= n_units:
                axes.set_visible(False)
                continue
            draw(axes, place)  # type: ignore[operator]
            axes.set_title(names[place], weight="normal", size=8)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            if place + columns >= n_units:
                axes.set_xlabel(label, size=8)
                axes.tick_params(labelbottom=True)
    return figure


def _cut(times: NDArray[np.floating], low: float, high: float) -> NDArray[np.floating]:
    return times[np.searchsorted(times, low) : np.searchsorted(times, high)]


def _find_pitch(channel_um: NDArray[np.floating]) -> float:
    if len(channel_um) < 2:
        return 40.0
    distance = np.linalg.norm(channel_um[:, None] - channel_um[None], axis=2)
    return float(distance[distance > 0].min())


def _rank(rdm: NDArray[np.floating]) -> NDArray[np.float64]:
    known = np.isfinite(rdm) & ~np.eye(len(rdm), dtype=bool)
    ranks = np.full(rdm.shape, np.nan)
    values = rdm[known]
    order = np.sort(values)
    ranks[known] = np.searchsorted(order, values) / max(1, len(values) - 1)
    return ranks
