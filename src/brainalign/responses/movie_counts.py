"""Count spikes in the bins of movie trials."""

from __future__ import annotations

import numpy as np

from brainalign.errors import InputError
from brainalign.raw.movies import MovieTrial

# A bin on the clock may differ from its length in movie time by this share: drift and jitter.
_LENGTH_TOLERANCE = 0.2


def count_frame_bins(spike_times: list[np.ndarray], trial: MovieTrial) -> np.ndarray:
    """Count the spikes of every unit in every frame of one trial.

    Parameters
    ----------
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, ascending.
    trial : MovieTrial
        When the frames came and went.

    Returns
    -------
    count : array of shape (n_frames, n_units), float32
        Spikes from each frame's start (included) to its stop; NaN where it was not recorded.
    """
    return _count_between(spike_times, trial.start_s, trial.stop_s)


def count_width_bins(
    spike_times: list[np.ndarray], trial: MovieTrial, frame_rate_hz: float, width_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Count the spikes of every unit in bins of a given width of movie time.

    Parameters
    ----------
    spike_times, trial
        As :func:`count_frame_bins` takes them.
    frame_rate_hz : float
        Frames per second of the movie.
    width_s : float
        Width of a bin in s.

    Returns
    -------
    count : array of shape (n_bins, n_units), float32
        NaN for bins that are not recorded as a whole.
    window : array of shape (n_bins,), int32
        Recorded window of each bin, -1 outside.

    Raises
    ------
    InputError
        If the movie is shorter than one bin.

    Notes
    -----
    Edges lie in movie time and are carried to the clock of the spikes by the times of the frames,
    so that bins do not drift against the movie.
    """
    n_frames = len(trial.start_s)
    # A bin that ends within rounding of the movie's end is whole.
    n_bins = int(np.floor(n_frames / frame_rate_hz / width_s + 1e-6))
    if n_bins < 1:
        raise InputError(
            f"movie '{trial.movie}' is shorter than one bin",
            expected=f"at least {width_s * 1000:g} ms",
            found=f"{n_frames} frames at {frame_rate_hz:g} Hz",
        )
    edges = np.arange(n_bins + 1) * width_s * frame_rate_hz
    first = np.minimum((edges[:-1] + 1e-6).astype(int), n_frames - 1)
    last = np.clip(np.ceil(edges[1:] - 1e-6).astype(int) - 1, first, n_frames - 1)
    duration_s = trial.stop_s - trial.start_s
    start_s = trial.start_s[first] + (edges[:-1] - first) * duration_s[first]
    stop_s = trial.start_s[last] + (edges[1:] - last) * duration_s[last]
    same_window = trial.window[first] == trial.window[last]
    whole = np.abs(stop_s - start_s - width_s) <= _LENGTH_TOLERANCE * width_s
    recorded = same_window & (trial.window[first] >= 0) & whole
    start_s, stop_s = np.where(recorded, start_s, np.nan), np.where(recorded, stop_s, np.nan)
    window = np.where(recorded, trial.window[first], -1).astype(np.int32)
    return _count_between(spike_times, start_s, stop_s), window


def _count_between(
    spike_times: list[np.ndarray], start_s: np.ndarray, stop_s: np.ndarray
) -> np.ndarray:
    recorded = np.isfinite(start_s) & np.isfinite(stop_s)
    count = np.full((len(start_s), len(spike_times)), np.nan, dtype=np.float32)
    starts, stops = start_s[recorded], stop_s[recorded]
    for unit, times in enumerate(spike_times):
        count[recorded, unit] = np.searchsorted(times, stops) - np.searchsorted(times, starts)
    return count
