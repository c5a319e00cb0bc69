"""Quality metrics of spike trains and mean waveforms."""

from __future__ import annotations

import numpy as np


def compute_presence_ratio(times: np.ndarray, duration_s: float, bin_s: float) -> float:
    """Share of time bins with at least one spike.

    Parameters
    ----------
    times : array of shape (n_spikes,)
        In s.
    duration_s : float
        Length of the recording in s.
    bin_s : float
        Length of a bin in s; shortened so that there are at least ten whole ones.
    """
    n_bins = max(10, int(duration_s / bin_s))
    if not len(times) or duration_s <= 0:
        return 0.0
    count, _ = np.histogram(times, bins=n_bins, range=(0, duration_s))
    return float(np.mean(count > 0))


def compute_isi_violation_share(times: np.ndarray, refractory_ms: float) -> float:
    """Share of intervals that are shorter than the refractory period; NaN below two spikes."""
    if len(times) < 2:
        return float("nan")
    return float(np.mean(np.diff(times) < refractory_ms / 1000))


def find_main_channel(waveform: np.ndarray) -> np.ndarray:
    """Find the channel with the largest peak-to-peak amplitude per unit.

    Parameters
    ----------
    waveform : array of shape (n_units, n_times, n_channels)
        Mean waveforms.

    Returns
    -------
    channel : array of shape (n_units,)
        Indices.
    """
    return np.ptp(waveform, axis=1).argmax(axis=1)


def compute_snr(waveform: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Ratio of the peak of the mean waveform to the noise of its main channel.

    Parameters
    ----------
    waveform : array of shape (n_units, n_times, n_channels)
        Mean waveforms.
    noise : array of shape (n_channels,)
        Standard deviation of the noise, in the same unit.

    Returns
    -------
    snr : array of shape (n_units,)
        As SpikeInterface's metric ``snr``.
    """
    channel = find_main_channel(waveform)
    peak = np.abs(waveform[np.arange(len(waveform)), :, channel]).max(axis=1)
    return peak / noise[channel]
