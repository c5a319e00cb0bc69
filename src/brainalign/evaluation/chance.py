"""What scores without information reach, for any gallery size and number of targets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from brainalign.evaluation.ranking import QueryRanks

# Cumulated probabilities at the median differ from one half by rounding only.
_MEDIAN_TOLERANCE = 1e-9


def chance_of_top_k(ranks: QueryRanks, k: int) -> NDArray[np.float64]:
    """Chance that random scores put the target among the first k.

    Parameters
    ----------
    ranks : QueryRanks
        Gives each query its numbers of distractors M and targets R.
    k : int
        Candidates that are accepted.

    Returns
    -------
    chance : array of shape (n_queries,)
        1 - C(M, k) / C(M + R, k); with one target k / N, at most 1.

    Notes
    -----
    With several targets (single trials) the best of them counts, so chance is higher.
    """
    return _tabulate(ranks, lambda survival: 1.0 - survival[min(k, len(survival) - 1)])


def chance_of_identification(ranks: QueryRanks, n_way: int | str) -> NDArray[np.float64]:
    """Chance that random scores put the target above n - 1 random distractors.

    Parameters
    ----------
    ranks : QueryRanks
        Gives each query its numbers of distractors and targets R.
    n_way : int or 'all'
        Number of candidates.

    Returns
    -------
    chance : array of shape (n_queries,)
        R / (R + n - 1); with one target 1 / n. NaN where there are fewer candidates than n.
    """
    n_candidates = ranks.n_candidates
    n = n_candidates if n_way == "all" else np.full(len(ranks), int(n_way))
    chance = ranks.n_targets / (ranks.n_targets + n - 1)
    return np.where(n <= n_candidates, chance, np.nan)


def chance_of_rank(ranks: QueryRanks) -> NDArray[np.float64]:
    """Median rank of the target under random scores.

    Parameters
    ----------
    ranks : QueryRanks
        Gives each query its numbers of distractors and targets.

    Returns
    -------
    chance : array of shape (n_queries,)
        With one target (N + 1) / 2.
    """
    return _tabulate(ranks, _find_median_rank)


def chance_of_reciprocal_rank(ranks: QueryRanks) -> NDArray[np.float64]:
    """Mean reciprocal rank of the target under random scores.

    Parameters
    ----------
    ranks : QueryRanks
        Gives each query its numbers of distractors and targets.

    Returns
    -------
    chance : array of shape (n_queries,)
        With one target H_N / N, where H_N is the N-th harmonic number.
    """
    return _tabulate(ranks, _average_reciprocal_rank)


def _find_median_rank(survival: NDArray[np.float64]) -> float:
    reached = 1.0 - survival[1:]
    lower = int(np.argmax(reached >= 0.5 - _MEDIAN_TOLERANCE))
    upper = int(np.argmax(reached > 0.5 + _MEDIAN_TOLERANCE))
    return 1.0 + (lower + upper) / 2.0


def _average_reciprocal_rank(survival: NDArray[np.float64]) -> float:
    return float(np.sum(-np.diff(survival) / np.arange(1, len(survival))))


def _tabulate(
    ranks: QueryRanks, summarise: Callable[[NDArray[np.float64]], float]
) -> NDArray[np.float64]:
    """Summarise the chance distribution of the rank once per kind of gallery."""
    galleries, member = np.unique(
        np.stack([ranks.n_distractors, ranks.n_targets], axis=1), axis=0, return_inverse=True
    )
    chance = np.array([summarise(_tabulate_survival(int(m), int(r))) for m, r in galleries])
    return chance[member.reshape(-1)]


def _tabulate_survival(n_distractors: int, n_targets: int) -> NDArray[np.float64]:
    """Probability that the k best items are all distractors, for k = 0..M + 1."""
    n_before = np.arange(n_distractors + 1)
    factors = (n_distractors - n_before) / (n_distractors + n_targets - n_before)
    return np.concatenate([[1.0], np.cumprod(factors)])
