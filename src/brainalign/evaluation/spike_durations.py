"""Divergence between the durations of spike events in predicted and recorded rates (SD-KL)."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import find_peaks, peak_widths
from scipy.stats import wasserstein_distance

Direction = Literal["code", "paper"]
Reason = Literal["", "few events", "zero variance", "underflow"]

REASONS: tuple[Reason, ...] = ("few events", "zero variance", "underflow")
"""Why a divergence may be infinite or undefined."""

LARGEST_DIVERGENCE = 1000.0
"""What stands for a divergence that is infinite or undefined, as published."""

_N_GRID = 200
_MARGIN = 3.0


def measure_durations(
    trace: ArrayLike, threshold: float = 1.0, relative_height: float = 1.0
) -> NDArray[np.float64]:
    """Durations of the events in a rate.

    Parameters
    ----------
    trace : array of shape (n_frames,)
        Rate in Hz; negative values count as 0. Not changed.
    threshold : float
        Rate in Hz at which events are cut off, so that only their lengths count.
    relative_height : float
        Height below a peak, as a share of its prominence, at which its width is measured.

    Returns
    -------
    durations : array of shape (n_events,)
        In frames. Two maxima inside one cut-off event count twice, as published.
    """
    rate = np.maximum(np.asarray(trace, np.float64), 0.0)
    peaks, _ = find_peaks(rate, height=0)
    with warnings.catch_warnings():
        # A maximum on the flat top of a cut-off event has no prominence there.
        warnings.simplefilter("ignore", RuntimeWarning)
        return peak_widths(np.minimum(rate, threshold), peaks, rel_height=relative_height)[0]


def compare_durations(
    predicted: ArrayLike, recorded: ArrayLike, alpha: float, direction: Direction = "code"
) -> tuple[float, Reason]:
    """Kullback-Leibler divergence between kernel densities of two sets of durations.

    Parameters
    ----------
    predicted, recorded : array of shape (n_events,)
        Durations, see :func:`measure_durations`.
    alpha : float
        Bandwidth factor; enters the density squared and the grid once, as published.
    direction : {"code", "paper"}
        ``code``: recorded from predicted, what the public function returns; ``paper``:
        predicted from recorded, what the supplement writes.

    Returns
    -------
    divergence : float
        In nats; 1000 where it is infinite or undefined.
    reason : str
        Why it is 1000: ``few events`` (fewer than two on a side), ``zero variance``, or
        ``underflow`` (a density is 0 where the other is not); empty else.
    """
    first, second = np.asarray(predicted, np.float64), np.asarray(recorded, np.float64)
    if min(len(first), len(second)) < 2:
        return LARGEST_DIVERGENCE, "few events"
    if not (first.std() > 0 and second.std() > 0):
        return LARGEST_DIVERGENCE, "zero variance"
    pooled = np.concatenate([first, second])
    reach = _MARGIN * pooled.std(ddof=1) * len(pooled) ** -0.2 * alpha
    grid = np.linspace(pooled.min() - reach, pooled.max() + reach, _N_GRID)
    of_predicted, of_recorded = _estimate(first, grid, alpha), _estimate(second, grid, alpha)
    if direction == "code":
        weight, reference = of_recorded, of_predicted
    else:
        weight, reference = of_predicted, of_recorded
    held = weight > 0
    if (reference[held] <= 0).any():
        return LARGEST_DIVERGENCE, "underflow"
    # A ratio of two tiny numbers may overflow where the difference of their logarithms does not.
    divergence = np.sum(weight[held] * (np.log(weight[held]) - np.log(reference[held])))
    return float(divergence), ""


def compute_duration_distance(predicted: ArrayLike, recorded: ArrayLike) -> float:
    """Earth mover's distance between two sets of durations, in frames; needs no bandwidth.

    Parameters
    ----------
    predicted, recorded : array of shape (n_events,)
        Durations.

    Returns
    -------
    distance : float
        NaN where a side has no event.
    """
    if not np.size(predicted) or not np.size(recorded):
        return float("nan")
    return float(wasserstein_distance(np.asarray(predicted), np.asarray(recorded)))


def _estimate(
    durations: NDArray[np.float64], grid: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    width = alpha**2 * durations.std(ddof=1)
    density = np.exp(-0.5 * ((grid[:, None] - durations) / width) ** 2).sum(1)
    total = density.sum()
    return density / total if total > 0 else density
