"""Bootstrap of representational similarities over stimuli, all draws at once.

A draw is a weight per stimulus: how often it was drawn. Similarities of two matrices over pairs of
stimuli are quadratic forms in these weights, so that no matrix is ever resampled.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def draw_weights(n_stimuli: int, n_draws: int, seed: int) -> NDArray[np.float64]:
    """Draw stimuli with replacement.

    Parameters
    ----------
    n_stimuli, n_draws : int
        Size and number of the draws.
    seed : int
        Seed.

    Returns
    -------
    weights : array of shape (n_draws, n_stimuli)
        How often each stimulus was drawn; rows sum to `n_stimuli`.
    """
    generator = np.random.default_rng(seed)
    share = np.full(n_stimuli, 1.0 / n_stimuli)
    return generator.multinomial(n_stimuli, share, size=n_draws).astype(np.float64)


def draw_halves(n_stimuli: int, n_draws: int, seed: int) -> NDArray[np.float64]:
    """Draw random halves of the stimuli, without replacement.

    Parameters
    ----------
    n_stimuli, n_draws : int
        Number of stimuli and of halves.
    seed : int
        Seed.

    Returns
    -------
    weights : array of shape (n_draws, n_stimuli)
        1 for stimuli of the half, 0 for the others.

    Notes
    -----
    A stimulus that is drawn twice resembles itself, which raises CKA in every bootstrap draw. Over
    halves a statistic varies about as much as over new samples of the full size (delete-half
    jackknife, Shao & Wu 1989), and no stimulus comes twice.
    """
    generator = np.random.default_rng(seed)
    ranks = generator.random((n_draws, n_stimuli)).argsort(axis=1).argsort(axis=1)
    return (ranks < n_stimuli // 2).astype(np.float64)


def bootstrap_rdm_correlation(
    first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlate two RDMs over draws of stimuli.

    Parameters
    ----------
    first, second : array of shape (n_stimuli, n_stimuli)
        Symmetric distances, or their ranks; the diagonal is not read.
    weights : array of shape (n_draws, n_stimuli)
        From :func:`draw_weights`.

    Returns
    -------
    correlation : array of shape (n_draws,)
        Pearson's; pairs of a stimulus with itself take no part, as in rsatoolbox.
    """
    upper = ~np.eye(len(first), dtype=bool)
    # A common shift changes no correlation and keeps sums of squares from cancelling.
    x = np.where(upper, first - first[upper].mean(), 0.0)
    y = np.where(upper, second - second[upper].mean(), 0.0)
    n_pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)
    mean_x, mean_y = _form(weights, x) / n_pairs, _form(weights, y) / n_pairs
    covariance = _form(weights, x * y) / n_pairs - mean_x * mean_y
    variance_x = _form(weights, x * x) / n_pairs - mean_x**2
    variance_y = _form(weights, y * y) / n_pairs - mean_y**2
    return _divide(covariance, variance_x * variance_y)


def resample_cka(
    first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear CKA of two representations over draws of stimuli.

    Parameters
    ----------
    first, second : array of shape (n_stimuli, n_stimuli)
        Gram matrices, centred over all stimuli; each draw centres them anew.
    weights : array of shape (n_draws, n_stimuli)
        From :func:`draw_halves`.

    Returns
    -------
    cka : array of shape (n_draws,)
        In [0, 1].
    """
    covariance = _hsic(first, second, weights)
    return _divide(covariance, _hsic(first, first, weights) * _hsic(second, second, weights))


def _hsic(
    first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inner product of two Gram matrices, centred over each draw."""
    total = weights.sum(axis=1)
    sums = weights @ first, weights @ second
    means = [(part * weights).sum(axis=1) for part in sums]
    cross = (weights * sums[0] * sums[1]).sum(axis=1)
    return _form(weights, first * second) - 2.0 * cross / total + means[0] * means[1] / total**2


def _form(weights: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("dn,dn->d", weights @ matrix, weights)


def _divide(covariance: NDArray[np.float64], squared: NDArray[np.float64]) -> NDArray[np.float64]:
    root = np.sqrt(np.clip(squared, 0.0, None))
    return np.divide(covariance, root, out=np.full_like(covariance, np.nan), where=root > 0)
