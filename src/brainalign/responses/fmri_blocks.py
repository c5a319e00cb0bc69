"""Responses from the cleaned series itself: block means and windows after onset."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd


def join_blocks(events: pd.DataFrame, gap_s: float) -> pd.DataFrame:
    """Join events of one stimulus that follow each other closely.

    Parameters
    ----------
    events : pandas.DataFrame
        ``stimulus``, ``onset_s`` and ``duration_s``, sorted by onset.
    gap_s : float
        Longest time from the end of an event to the onset of the next of its block, in s.

    Returns
    -------
    blocks : pandas.DataFrame
        One row per block; ``duration_s`` lasts to the end of its last event.
    """
    end = events["onset_s"] + events["duration_s"]
    is_new = (events["stimulus"] != events["stimulus"].shift()) | (
        events["onset_s"] - end.shift() > gap_s
    )
    number = is_new.cumsum()
    first = events.groupby(number)[["stimulus", "onset_s"]].first()
    first["duration_s"] = end.groupby(number).max() - first["onset_s"]
    return first.reset_index(drop=True)


def average_windows(
    series: np.ndarray, start_s: np.ndarray, stop_s: np.ndarray, tr_s: float
) -> np.ndarray:
    """Average the volumes of each window.

    Parameters
    ----------
    series : array of shape (n_volumes, n_voxels)
        Cleaned; NaN in volumes that are left out.
    start_s, stop_s : array of shape (n_windows,)
        Volumes whose start lies from start (included) to stop (excluded).
    tr_s : float
        Repetition time in s.

    Returns
    -------
    mean : array of shape (n_windows, n_voxels), float32
        NaN where a window holds no volume.
    """
    # A hundred-thousandth of a volume: onsets are sums of decimal numbers.
    first = np.ceil(start_s / tr_s - 1e-5).astype(int).clip(0)
    last = np.ceil(stop_s / tr_s - 1e-5).astype(int).clip(0)
    mean = np.full((len(first), series.shape[1]), np.nan, dtype=np.float32)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        for row, (begin, end) in enumerate(zip(first, last, strict=True)):
            if begin < min(end, len(series)):
                mean[row] = np.nanmean(series[begin:end], axis=0)
    return mean


def lock_to_onsets(
    series: np.ndarray, onset_s: np.ndarray, lags: np.ndarray, tr_s: float
) -> np.ndarray:
    """Cut the series around onsets.

    Parameters
    ----------
    series : array of shape (n_volumes, n_voxels)
        Cleaned.
    onset_s : array of shape (n_events,)
        Onsets in s.
    lags : array of shape (n_lags,), int
        Volumes after the one that an onset falls into.
    tr_s : float
        Repetition time in s.

    Returns
    -------
    windows : array of shape (n_events, n_lags, n_voxels), float32
        NaN after the end of the run.
    """
    row = np.floor(onset_s / tr_s + 1e-5).astype(int)[:, np.newaxis] + lags
    inside = row < len(series)
    windows = series[np.where(inside, row, 0)].astype(np.float32)
    windows[~inside] = np.nan
    return windows
