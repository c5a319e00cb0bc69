"""Exact n-way identification: the accuracy over all sets of distractors, without sampling."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import InputError
from brainalign.evaluation.ranking import QueryRanks


def score_identification(ranks: QueryRanks, n_way: int | Literal["all"]) -> NDArray[np.float64]:
    """Chance that each query's target wins against n - 1 random distractors.

    Parameters
    ----------
    ranks : QueryRanks
        Counts per query: b better, e tied, M distractors.
    n_way : int or 'all'
        Number of candidates, target included; ``all`` takes every query's whole gallery.

    Returns
    -------
    accuracy : array of shape (n_queries,)
        Expected accuracy over all draws of distractors without replacement and over random
        tie breaking; NaN where a gallery has fewer than ``n_way`` candidates.

    Raises
    ------
    InputError
        If ``n_way`` is below 1.

    Notes
    -----
    With u of the e tied distractors above the target, it wins against n - 1 of M distractors
    with probability g(a) = C(a, n - 1) / C(M, n - 1), a = M - b - u, and u is uniform on 0..e
    (Half of the ties in place of u would be wrong for n > 2.) By C(a + 1, n) =
    C(a, n) + C(a, n - 1) the mean over u telescopes to two values of g::

        ((A + 1) g(A) - (A - e - n + 1) g(A - e)) / (n (e + 1)),    A = M - b
    """
    if n_way != "all" and n_way < 1:
        raise InputError("identification needs candidates", expected="n_way >= 1", found=n_way)
    accuracy = np.full(len(ranks), np.nan)
    for n_distractors in np.unique(ranks.n_distractors):
        n_candidates = int(n_distractors) + 1
        n = n_candidates if n_way == "all" else n_way
        if n > n_candidates:
            continue
        members = np.flatnonzero(ranks.n_distractors == n_distractors)
        accuracy[members] = _score_one_gallery(
            ranks.n_better[members], ranks.n_tied[members], int(n_distractors), n
        )
    return accuracy


def _score_one_gallery(
    n_better: NDArray[np.intp], n_tied: NDArray[np.intp], n_distractors: int, n: int
) -> NDArray[np.float64]:
    win = _tabulate_wins(n_distractors, n)
    n_at_most_tied = n_distractors - n_better
    n_worse = n_at_most_tied - n_tied
    upper = (n_at_most_tied + 1) * win[n_better]
    lower = (n_worse - n + 1) * win[n_better + n_tied]
    # Without ties the two terms differ by exactly one win, which needs no subtraction.
    return np.where(n_tied == 0, win[n_better], (upper - lower) / (n * (n_tied + 1)))


def _tabulate_wins(n_distractors: int, n: int) -> NDArray[np.float64]:
    """Probability that none of n - 1 drawn distractors is among the b better, for b = 0..M.

    C(M - b, n - 1) / C(M, n - 1) is a running product over b, so one table serves all queries
    of a gallery whatever n, and neither overflows nor takes logarithms.
    """
    n_drawn_before = np.arange(n_distractors)
    n_left = n_distractors - n_drawn_before
    factors = np.maximum(n_left - (n - 1), 0) / n_left
    return np.concatenate([[1.0], np.cumprod(factors)])
