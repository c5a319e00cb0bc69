"""Reliability of units over repeats of movies: split halves, oracle and explainable variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainalign.responses.reliability import spearman_brown

_MIN_BINS_TO_CORRELATE = 3


@dataclass(frozen=True)
class MovieReliability:
    """How well repeats of movies agree, per unit; NaN where it is not defined.

    Attributes
    ----------
    split_half_correlation : array of shape (n_units,)
        Correlation of the rates of random halves of the repeats, mean over splits.
    reliability : array of shape (n_units,)
        The same, Spearman-Brown corrected to all repeats.
    noise_ceiling : array of shape (n_units,)
        Square root of the reliability: the largest correlation of a model with the rate over all
        repeats; 0 where the reliability is negative.
    oracle_correlation : array of shape (n_units,)
        Correlation of single trials with the mean of the other trials.
    explainable_variance : array of shape (n_units,)
        Share of the variance of the mean over repeats that the movies explain, in [0, 1].
    """

    split_half_correlation: NDArray[np.float64]
    reliability: NDArray[np.float64]
    noise_ceiling: NDArray[np.float64]
    oracle_correlation: NDArray[np.float64]
    explainable_variance: NDArray[np.float64]


def estimate_movie_reliability(
    response: np.ndarray, movie: np.ndarray, n_splits: int = 100, seed: int = 0
) -> MovieReliability:
    """Compare the repeats of movies, per unit.

    Parameters
    ----------
    response : array of shape (n_trials, n_bins, n_units)
        Spike counts; NaN where a bin or unit was not recorded.
    movie : array of shape (n_trials,) of str
        Movie of each trial; movies with one trial are left out.
    n_splits : int
        Random halves of the repeats.
    seed : int
        Seed of the halves.

    Returns
    -------
    reliability : MovieReliability
        NaN for units without two repeats of a movie or without variance.

    Notes
    -----
    Bins of all movies are concatenated before correlating. Of an odd number of repeats one half
    has one more. Halves are averaged before the Spearman-Brown correction. Explainable variance:
    signal power from the variance of the mean and the mean variance of single trials (Sahani and
    Linden 2003, NIPS 15), as a share of the variance of the mean.
    """
    generator = np.random.default_rng(seed)
    blocks = [_RepeatedBins.collect(response[movie == name]) for name in np.unique(movie)]
    repeated = [block for block in blocks if block is not None]
    n_units = response.shape[2]
    if not repeated:
        nothing = np.full(n_units, np.nan)
        return MovieReliability(nothing, nothing, nothing, nothing, nothing)
    halves = [block.average_halves(n_splits, generator) for block in repeated]
    first = np.concatenate([half[0] for half in halves], axis=1)
    second = np.concatenate([half[1] for half in halves], axis=1)
    correlation = _correlate(first, second)
    half = _mean_or_nan(correlation)
    reliability = spearman_brown(half)
    return MovieReliability(
        split_half_correlation=half,
        reliability=reliability,
        noise_ceiling=np.sqrt(np.maximum(reliability, 0.0)),
        oracle_correlation=_correlate_oracle(repeated),
        explainable_variance=_explain_variance(repeated),
    )


@dataclass(frozen=True)
class _RepeatedBins:
    """The recorded bins of all trials of one movie: counts with zeros for what is missing."""

    count: NDArray[np.float64]  # (n_trials, n_bins, n_units)
    recorded: NDArray[np.bool_]  # (n_trials, n_units)

    @classmethod
    def collect(cls, response: np.ndarray) -> _RepeatedBins | None:
        if len(response) < 2:
            return None
        shown = np.isfinite(response).any(axis=(0, 2))
        values = response[:, shown].astype(np.float64)
        # A unit is there in a whole trial or not at all.
        recorded = np.asarray(np.isfinite(values).all(axis=1))
        return cls(np.where(recorded[:, np.newaxis], values, 0.0), recorded)

    def average_halves(
        self, n_splits: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the means of random halves, (n_splits, n_bins, n_units); NaN for too few trials."""
        n_trials, n_bins, n_units = self.count.shape
        membership = np.zeros((n_splits, n_trials))
        for row in membership:
            row[generator.permutation(n_trials)[: n_trials // 2]] = 1.0
        flat = self.count.reshape(n_trials, -1)
        means = []
        for weight in (membership, 1.0 - membership):
            total = (weight @ flat).reshape(n_splits, n_bins, n_units)
            n_recorded = (weight @ self.recorded)[:, np.newaxis]
            with np.errstate(invalid="ignore", divide="ignore"):
                means.append(np.where(n_recorded > 0, total / n_recorded, np.nan))
        return means[0], means[1]


def _correlate(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate along axis 1, over the bins that both have; NaN without variance."""
    both = np.isfinite(first) & np.isfinite(second)
    n_bins = both.sum(axis=1)
    enough = n_bins >= _MIN_BINS_TO_CORRELATE
    n_bins = np.maximum(n_bins, 1)
    first, second = np.where(both, first, 0.0), np.where(both, second, 0.0)
    first = np.where(both, first - (first.sum(axis=1) / n_bins)[:, np.newaxis], 0.0)
    second = np.where(both, second - (second.sum(axis=1) / n_bins)[:, np.newaxis], 0.0)
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    product = (first * second).sum(axis=1)
    defined = enough & (scale > 0)
    return np.divide(product, scale, out=np.full(scale.shape, np.nan), where=defined)


def _mean_or_nan(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = np.isfinite(values).sum(axis=0)
    total = np.nansum(values, axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _correlate_oracle(blocks: list[_RepeatedBins]) -> NDArray[np.float64]:
    """Correlate each trial with the mean of the others over all trials and movies at once."""
    singles, others = [], []
    for block in blocks:
        present = block.recorded[:, np.newaxis]
        n_others = block.recorded.sum(axis=0) - 1
        rest = (block.count.sum(axis=0) - block.count) / np.maximum(n_others, 1)
        usable = present & (n_others > 0)
        single = np.where(usable, block.count, np.nan)
        singles.append(single.reshape(-1, single.shape[2]))
        others.append(np.where(usable, rest, np.nan).reshape(-1, rest.shape[2]))
    return _correlate(np.concatenate(singles)[np.newaxis], np.concatenate(others)[np.newaxis])[0]


def _explain_variance(blocks: list[_RepeatedBins]) -> NDArray[np.float64]:
    """Estimate signal power over the power of the mean, movies weighted by their bins."""
    n_units = blocks[0].count.shape[2]
    signal, power = np.zeros(n_units), np.zeros(n_units)
    for block in blocks:
        n_trials = block.recorded.sum(axis=0).astype(np.float64)
        n_bins = block.count.shape[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = block.count.sum(axis=0) / n_trials
            power_of_mean = mean.var(axis=0)
            single = np.where(block.recorded, block.count.var(axis=1), 0.0).sum(axis=0) / n_trials
            estimate = (n_trials * power_of_mean - single) / (n_trials - 1)
        usable = n_trials > 1
        signal += np.where(usable, n_bins * estimate, 0.0)
        power += np.where(usable, n_bins * power_of_mean, 0.0)
    share = np.divide(signal, power, out=np.full(power.shape, np.nan), where=power > 0)
    return np.clip(share, 0.0, 1.0)
