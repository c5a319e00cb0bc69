"""Reliability of units over repeats: split halves, variance components and noise ceilings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from brainalign.errors import InputError
from brainalign.responses.halves import Halves, half_split_means, halve_recordings
from brainalign.responses.repeats import (
    block_units,
    check_responses,
    classify_units,
    divide_or_nan,
    indicate_stimuli,
    mean_over_repeats,
)

__all__ = [
    "NoiseCeiling",
    "classify_units",
    "estimate_noise_ceiling",
    "half_split_means",
    "mean_over_repeats",
    "spearman_brown",
    "split_half_reliability",
]

# A correlation over fewer stimuli says nothing: over two it is always 1 or -1.
_MIN_STIMULI_TO_CORRELATE = 3

# Halves of a standardised unit that vary less than this do so by rounding alone (no spike fell
# into a half); their correlation would be that of rounding errors.
_ROUNDING_OF_HALVES = 1e-12


@dataclass(frozen=True)
class NoiseCeiling:
    """Variance of responses that stimuli explain and that they do not, per unit.

    Attributes
    ----------
    signal_variance : array of shape (n_units,)
        Variance of the expected response over stimuli, at least 0 (squared response units).
    noise_variance : array of shape (n_units,)
        Variance of single responses around it (squared response units).
    n_mean_repeats : array of shape (n_units,)
        Repeats in the mean response that ``repeat_mean`` refers to.
    single_trial : array of shape (n_units,)
        Explainable share of the variance of single responses, in [0, 1].
    repeat_mean : array of shape (n_units,)
        Explainable share of the variance of mean responses, in [0, 1].
    status : array of shape (n_units,)
        Label of each unit, see :func:`classify_units`; not ``ok`` means NaN above.
    """

    signal_variance: NDArray[np.float64]
    noise_variance: NDArray[np.float64]
    n_mean_repeats: NDArray[np.float64]
    single_trial: NDArray[np.float64]
    repeat_mean: NDArray[np.float64]
    status: NDArray[np.str_]


def spearman_brown(half_split_correlation: ArrayLike) -> NDArray[np.float64]:
    """Correct a half-split correlation to the full number of repeats.

    Parameters
    ----------
    half_split_correlation : array of shape (n_units,)
        Pearson correlation between two halves of the repeats, in [-1, 1].

    Returns
    -------
    reliability : array of shape (n_units,)
        2 r / (1 + r); NaN where r <= -1.

    Notes
    -----
    Spearman (1910), Brown (1910). Does not clip negative values.
    """
    correlation = np.asarray(half_split_correlation, dtype=np.float64)
    corrected = np.full_like(correlation, np.nan)
    return np.divide(2 * correlation, 1 + correlation, out=corrected, where=correlation > -1)


def split_half_reliability(
    response: ArrayLike,
    stimulus: ArrayLike,
    n_splits: int = 100,
    seed: int = 0,
    min_repeated_stimuli: int = 10,
) -> NDArray[np.float64]:
    """Correlate the mean responses of random halves of the repeats.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Responses; NaN where a unit was not recorded.
    stimulus : array of shape (n_presentations,)
        Stimulus of each presentation.
    n_splits : int
        Random splits to average over.
    seed : int
        Seed of the splits. A unit's reliability does not depend on which other units there are.
    min_repeated_stimuli : int
        A unit needs this many stimuli with two or more recorded repeats (and never fewer than 3).

    Returns
    -------
    reliability : array of shape (n_units,)
        Pearson correlation over stimuli between the halves' means, Spearman-Brown corrected and
        then averaged over splits; NaN for units that :func:`classify_units` does not call ``ok``.

    Raises
    ------
    InputError
        If shapes or numbers of splits do not fit.
    CorruptDataError
        If a response is infinite.

    Notes
    -----
    Each unit's own recorded repeats are halved; of an odd number a random half has one more.
    Stimuli with one recorded repeat are left out. Negative values are kept. The average skips
    splits in which a half does not vary over stimuli.
    """
    array, labels = check_responses(response, stimulus)
    n_required = max(min_repeated_stimuli, _MIN_STIMULI_TO_CORRELATE)
    usable = classify_units(array, labels, n_required) == "ok"
    reliability = np.full(array.shape[1], np.nan)
    for units, halves in halve_recordings(array, labels, n_splits, seed):
        for block in block_units(units[usable[units]]):
            reliability[block] = _correlate_halves(
                array[np.ix_(halves.presentations, block)].astype(np.float64), halves
            )
    return reliability


def estimate_noise_ceiling(
    response: ArrayLike,
    stimulus: ArrayLike,
    n_mean_repeats: float | None = None,
    min_repeated_stimuli: int = 10,
) -> NoiseCeiling:
    """Estimate the share of response variance that a perfect model of the stimuli explains.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Responses; NaN where a unit was not recorded.
    stimulus : array of shape (n_presentations,)
        Stimulus of each presentation.
    n_mean_repeats : float, optional
        Repeats in the mean responses that are to be explained; by default each unit's harmonic
        mean of its numbers of repeats, which is right for means over ragged repeats.
    min_repeated_stimuli : int
        A unit needs this many stimuli with two or more recorded repeats.

    Returns
    -------
    ceiling : NoiseCeiling
        ``single_trial = signal / (signal + noise)`` and
        ``repeat_mean = signal / (signal + noise / n_mean_repeats)``, with their components.

    Raises
    ------
    InputError
        If shapes do not fit or ``n_mean_repeats`` is not positive.
    CorruptDataError
        If a response is infinite.

    Notes
    -----
    One-way random-effects analysis of variance for unequal group sizes (Searle, Casella and
    McCulloch 1992, section 3.6): noise = MS_within, signal = max(0, (MS_between - MS_within) / n0)
    with n0 = (N - sum n_i^2 / N) / (k - 1). The noise ceiling follows Allen et al. (2022), where
    ncsnr^2 = signal / noise; they give percent, we give shares. It bounds squared correlation, not
    correlation.
    """
    array, labels = check_responses(response, stimulus)
    if n_mean_repeats is not None and not n_mean_repeats > 0:
        raise InputError("a mean needs repeats", where="n_mean_repeats", found=n_mean_repeats)
    status = classify_units(array, labels, min_repeated_stimuli)
    signal, noise, repeats = (np.full(array.shape[1], np.nan) for _ in range(3))
    indicator = indicate_stimuli(labels, np.unique(labels))
    for block in block_units(np.flatnonzero(status == "ok")):
        signal[block], noise[block], repeats[block] = _estimate_components(
            array[:, block].astype(np.float64), indicator
        )
    if n_mean_repeats is not None:
        repeats[status == "ok"] = n_mean_repeats
    return NoiseCeiling(
        signal_variance=signal,
        noise_variance=noise,
        n_mean_repeats=repeats,
        single_trial=_take_share(signal, noise),
        repeat_mean=_take_share(signal, noise / repeats),
        status=status,
    )


def _correlate_halves(values: NDArray[np.float64], halves: Halves) -> NDArray[np.float64]:
    deviation = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    total, n_defined = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for _, first, second in halves.average(standard):
        reliability = spearman_brown(_correlate_stimuli(first, second))
        total += np.nansum(reliability, axis=0)
        n_defined += np.count_nonzero(~np.isnan(reliability), axis=0)
    return divide_or_nan(total, n_defined)


def _correlate_stimuli(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlate halves ``(n_splits, n_stimuli, n_units)`` of standardised units over stimuli."""
    first -= first.mean(axis=1, keepdims=True)
    second -= second.mean(axis=1, keepdims=True)
    covariance = np.einsum("isu,isu->iu", first, second)
    scale = np.sqrt(np.einsum("isu,isu->iu", first, first))
    scale *= np.sqrt(np.einsum("isu,isu->iu", second, second))
    varies = scale > _ROUNDING_OF_HALVES * first.shape[1]
    return np.clip(divide_or_nan(covariance, np.where(varies, scale, 0.0)), -1.0, 1.0)


def _estimate_components(
    values: NDArray[np.float64], indicator: sparse.csr_array
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    recorded = ~np.isnan(values)
    n_repeats = indicator @ recorded.astype(np.float64)
    n_total = n_repeats.sum(axis=0)
    n_stimuli = np.count_nonzero(n_repeats, axis=0)
    centred = np.where(recorded, values - np.nansum(values, axis=0) / n_total, 0.0)
    mean = (indicator @ centred) / np.maximum(n_repeats, 1)
    between = np.sum(n_repeats * mean**2, axis=0) / (n_stimuli - 1)
    residual = np.where(recorded, centred - indicator.T @ mean, 0.0)
    noise = np.sum(residual**2, axis=0) / (n_total - n_stimuli)
    n_effective = (n_total - np.sum(n_repeats**2, axis=0) / n_total) / (n_stimuli - 1)
    signal = np.maximum(0.0, (between - noise) / n_effective)
    reciprocal = np.divide(1.0, n_repeats, out=np.zeros_like(n_repeats), where=n_repeats > 0)
    return signal, noise, n_stimuli / reciprocal.sum(axis=0)


def _take_share(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    return divide_or_nan(signal, signal + noise)
