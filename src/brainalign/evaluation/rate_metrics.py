"""How well predicted rates follow recorded ones, cell by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_HALVES = 20
"""Random halves of the repeats behind a ceiling."""

SMALLEST_RELIABILITY = 0.1
"""Split-half correlation below which a correlation is not normalised."""

SMALLEST_RATE = 0.01
"""Rate in Hz that stands for smaller and negative ones in a likelihood."""

SHORTEST_SHIFT = 183
"""Frames of a circular shift that counts as chance: the reach of the longest model."""


def correlate_rates(predicted: ArrayLike, recorded: ArrayLike) -> NDArray[np.float64]:
    """Signed Pearson correlation over time of each cell.

    Parameters
    ----------
    predicted, recorded : array of shape (n_frames, n_units)
        Rates; NaN in a cell leaves it undefined.

    Returns
    -------
    correlation : array of shape (n_units,)
        NaN where a rate is constant. Always in float64: half precision is wrong by percents.
    """
    first, second = (np.asarray(values, np.float64) for values in (predicted, recorded))
    constant = (np.ptp(first, axis=0) == 0) | (np.ptp(second, axis=0) == 0)
    first, second = first - first.mean(0), second - second.mean(0)
    scale = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    defined = (scale > 0) & ~constant
    return np.divide((first * second).sum(0), scale, out=np.full(len(scale), np.nan), where=defined)


def correlate_shifted(predicted: ArrayLike, recorded: ArrayLike) -> NDArray[np.float64]:
    """Chance: mean correlation over all circular shifts that leave no common history.

    Parameters
    ----------
    predicted, recorded : array of shape (n_frames, n_units)
        Rates.

    Returns
    -------
    chance : array of shape (n_units,)
        Mean over shifts of at least 183 frames, of a quarter of the frames where these are
        fewer than 732; NaN where the correlation is undefined.
    """
    first, second = (np.asarray(values, np.float64) for values in (predicted, recorded))
    n_frames = len(first)
    spectra = [np.fft.rfft(v - v.mean(0), axis=0) for v in (first, second)]
    products = np.fft.irfft(spectra[0] * spectra[1].conj(), n=n_frames, axis=0)
    scale = n_frames * first.std(0) * second.std(0)
    least = min(SHORTEST_SHIFT, max(1, n_frames // 4))
    mean = products[least : n_frames - least + 1].mean(0)
    undefined = np.isnan(correlate_rates(first, second))
    return np.where(undefined, np.nan, mean / np.where(scale > 0, scale, 1))


def estimate_ceiling(count: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """Largest correlation of a model with the mean over repeats, at the scored frames.

    Parameters
    ----------
    count : array of shape (n_repeats, n_frames, n_units)
        Spikes per frame; NaN where a repeat was not recorded.
    seed : int
        Seed of the halves.

    Returns
    -------
    ceiling : array of shape (n_units,)
        Square root of the Spearman-Brown corrected split-half correlation, mean over 20 random
        halves; NaN where that is at most 0.1, or with fewer than two repeats.
    """
    table = np.asarray(count, np.float64)
    if len(table) < 2:
        return np.full(table.shape[2], np.nan)
    generator = np.random.default_rng(seed)
    half = len(table) // 2
    correlations = []
    for _ in range(N_HALVES):
        order = generator.permutation(len(table))
        means = [average_repeats(table[part]) for part in (order[:half], order[half : 2 * half])]
        known = np.isfinite(means[0]).all(1) & np.isfinite(means[1]).all(1)
        if known.sum() > 1:
            correlations.append(correlate_rates(means[0][known], means[1][known]))
    if not correlations:
        return np.full(table.shape[2], np.nan)
    reliability = np.mean(correlations, axis=0)
    usable = reliability > SMALLEST_RELIABILITY
    corrected = np.where(usable, 2 * reliability / (1 + reliability), np.nan)
    return np.sqrt(corrected)


def average_repeats(count: ArrayLike) -> NDArray[np.float64]:
    """Mean over the repeats that were recorded at each frame; NaN where none was.

    Parameters
    ----------
    count : array of shape (n_repeats, n_frames, n_units)
        Spikes per frame.
    """
    table = np.asarray(count, np.float64)
    recorded = np.isfinite(table)
    n_recorded = recorded.sum(0)
    total = np.where(recorded, table, 0).sum(0)
    return np.divide(total, n_recorded, out=np.full(total.shape, np.nan), where=n_recorded > 0)


def compute_bits_per_spike(
    predicted: ArrayLike, recorded: ArrayLike, mean_rate: ArrayLike, frame_rate: float
) -> NDArray[np.float64]:
    """Poisson log likelihood of the recorded spikes beyond that of the mean rate.

    Parameters
    ----------
    predicted, recorded, mean_rate : array of shape (n_frames, n_units)
        Rates in Hz; `mean_rate` is that of the training split.
    frame_rate : float
        Frames per second.

    Returns
    -------
    bits : array of shape (n_units,)
        Bits per spike; 0 for the mean rate, negative for worse; NaN without spikes.
    """
    rate = np.maximum(np.asarray(predicted, np.float64), SMALLEST_RATE)
    null = np.maximum(np.asarray(mean_rate, np.float64), SMALLEST_RATE)
    spikes = np.asarray(recorded, np.float64) / frame_rate
    gain = (spikes * np.log(rate / null) - (rate - null) / frame_rate).sum(0)
    total = spikes.sum(0)
    return np.divide(gain, total * np.log(2), out=np.full(len(total), np.nan), where=total > 0)
