"""Count spikes around stimulus onsets."""

from __future__ import annotations

import numpy as np

from brainalign.errors import InputError


def count_spikes(
    spike_times: list[np.ndarray], onset_s: np.ndarray, window_ms: list[float] | tuple[float, float]
) -> np.ndarray:
    """Count the spikes of every unit in a window after every onset.

    Parameters
    ----------
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, not descending (the readers have checked that).
    onset_s : array of shape (n_presentations,)
        Stimulus onsets in s, in any order.
    window_ms : pair of float
        Start (included) and end (excluded) of the window in ms after onset.

    Returns
    -------
    count : array of shape (n_presentations, n_units), float32
        Spikes per window.

    Raises
    ------
    InputError
        If the window does not start before it ends.
    """
    start_ms, stop_ms = window_ms
    if not start_ms < stop_ms:
        raise InputError("the window does not start before it ends", found=list(window_ms))
    starts = onset_s + start_ms / 1000
    stops = onset_s + stop_ms / 1000
    count = np.empty((len(onset_s), len(spike_times)), dtype=np.float32)
    for unit, times in enumerate(spike_times):
        count[:, unit] = np.searchsorted(times, stops) - np.searchsorted(times, starts)
    return count


def count_trial_bins(
    spike_times: list[np.ndarray], onset_s: np.ndarray, bin_s: float, n_bins: int
) -> np.ndarray:
    """Count the spikes of every unit in equal bins after every onset, in one pass over the spikes.

    Parameters
    ----------
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, not descending.
    onset_s : array of shape (n_trials,)
        Start of the first bin of every trial in s, in any order; trials may overlap.
    bin_s : float
        Width of a bin in s.
    n_bins : int
        Bins per trial.

    Returns
    -------
    count : array of shape (n_units, n_trials, n_bins), float32
        Spikes per bin; a bin holds its start and not its end.

    Notes
    -----
    Spikes are far fewer than bins, so that each spike finds its bin and not each bin its spikes.
    """
    n_trials = len(onset_s)
    count = np.empty((len(spike_times), n_trials * n_bins), dtype=np.float32)
    offset = np.arange(n_trials) * n_bins
    for unit, times in enumerate(spike_times):
        first = np.searchsorted(times, onset_s)
        length = np.searchsorted(times, onset_s + n_bins * bin_s) - first
        before = np.cumsum(length) - length
        spike = np.arange(int(length.sum())) + np.repeat(first - before, length)
        start, time = np.repeat(onset_s, length), times[spike]
        place = ((time - start) / bin_s).astype(np.int64)
        # Rounding of the division must not decide on which side of an edge a spike lies.
        place -= time < start + place * bin_s
        place += time >= start + (place + 1) * bin_s
        np.minimum(place, n_bins - 1, out=place)
        place += np.repeat(offset, length)
        count[unit] = np.bincount(place, minlength=n_trials * n_bins)
    return count.reshape(len(spike_times), n_trials, n_bins)


def subtract_baseline(
    count: np.ndarray,
    baseline_count: np.ndarray,
    window_ms: list[float] | tuple[float, float],
    baseline_ms: list[float] | tuple[float, float],
) -> np.ndarray:
    """Subtract the spikes that the baseline rate predicts for the response window.

    Parameters
    ----------
    count, baseline_count : array of shape (n_presentations, n_units)
        Spikes in the response window and in the baseline window.
    window_ms, baseline_ms : pair of float
        Both windows in ms; the baseline is scaled by the ratio of their lengths.

    Returns
    -------
    evoked : array of shape (n_presentations, n_units), float32
        Spikes per response window above baseline; can be negative.
    """
    ratio = (window_ms[1] - window_ms[0]) / (baseline_ms[1] - baseline_ms[0])
    return (count - baseline_count * ratio).astype(np.float32)


def number_repeats(stimulus: np.ndarray) -> np.ndarray:
    """Count, for each presentation, the earlier ones of the same stimulus.

    Parameters
    ----------
    stimulus : array of shape (n_presentations,) of str
        Stimulus id per presentation.

    Returns
    -------
    repeat : array of shape (n_presentations,), int32
        0 for the first presentation of a stimulus, 1 for the second, and so on.
    """
    order = np.argsort(stimulus, kind="stable")
    sorted_ids = stimulus[order]
    is_first = np.concatenate([[True], sorted_ids[1:] != sorted_ids[:-1]])
    positions = np.arange(len(stimulus))
    first_position = np.maximum.accumulate(np.where(is_first, positions, 0))
    repeat = np.empty(len(stimulus), dtype=np.int32)
    repeat[order] = positions - first_position
    return repeat
