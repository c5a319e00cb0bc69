"""Sign-flip tests and bootstrap intervals of many paired differences at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import InputError

Array = NDArray[np.float64]

# Flips held at once; sized to stay near the processor's cache.
_BLOCK_BYTES = 8 << 20
# Rounding must not decide between a flip that changes nothing and the observed signs.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class SignFlipResult:
    """P-values of a family of paired differences.

    Attributes
    ----------
    p_value : array of shape (n_pairs,)
        Two-sided, of each pair alone.
    p_corrected : array of shape (n_pairs,)
        Against the largest statistic of the family: its family-wise error.
    is_exact : bool
        Whether all flips were tried.
    """

    p_value: Array
    p_corrected: Array
    is_exact: bool


def flip_signs(total: Array, n_permutations: int = 9999, seed: int = 0) -> SignFlipResult:
    """Test whether paired differences are symmetric about 0, for a family of pairs together.

    Parameters
    ----------
    total : array of shape (n_units, n_pairs)
        Sum of the differences of each unit (a stimulus, cell or block); 0 where a pair lacks it.
    n_permutations : int
        Random flips; where all ``2 ** n_units`` are no more than these, each is tried once.
    seed : int
        Seed of the flips, which are the same for all pairs.

    Returns
    -------
    result : SignFlipResult
        1 for pairs whose differences are all 0.

    Raises
    ------
    InputError
        If a total is not finite.

    Notes
    -----
    A flip exchanges both methods for all that was measured of a unit. The statistic is the sum over
    units divided by the root of its sum of squares, which no flip changes, so that pairs of
    different spread compete on one scale; correction by the largest absolute statistic of the
    family (Westfall & Young 1993, single step). It controls the family-wise error where differences
    of pairs without an effect are symmetric about 0.
    """
    if not np.isfinite(total).all():
        raise InputError("a paired difference is not finite", where="sign flips")
    n_units, n_pairs = total.shape
    scale = np.sqrt((total**2).sum(axis=0))
    standard = np.divide(total, scale, out=np.zeros_like(total), where=scale > 0)
    observed = np.abs(standard.sum(axis=0)) - _ROUNDING
    is_exact = n_units < 63 and 2**n_units <= n_permutations
    as_large, as_large_as_any = np.zeros(n_pairs), np.zeros(n_pairs)
    n_flips = 0
    for signs in _draw_signs(n_units, n_permutations, seed, is_exact):
        drawn = np.abs(signs @ standard)
        as_large += (drawn >= observed).sum(axis=0)
        as_large_as_any += (drawn.max(axis=1, initial=0.0)[:, None] >= observed).sum(axis=0)
        n_flips += len(signs)
    # The observed signs are one of the flips; drawn at random they are counted beside them.
    extra = 0 if is_exact else 1
    return SignFlipResult(
        (as_large + extra) / (n_flips + extra),
        (as_large_as_any + extra) / (n_flips + extra),
        is_exact,
    )


def _draw_signs(n_units: int, n_permutations: int, seed: int, is_exact: bool) -> Iterator[Array]:
    """Yield blocks of flips, as arrays (n_flips_of_block, n_units) of 1 and -1."""
    block = max(1, _BLOCK_BYTES // (8 * max(n_units, 1)))
    generator = np.random.default_rng(seed)
    n_flips = 2**n_units if is_exact else n_permutations
    for start in range(0, n_flips, block):
        n_rows = min(block, n_flips - start)
        if is_exact:
            numbers = np.arange(start, start + n_rows)[:, None]
            bits = (numbers >> np.arange(n_units)) & 1
        else:
            bits = generator.integers(2, size=(n_rows, n_units), dtype=np.int8)
        yield 1.0 - 2.0 * bits.astype(np.float64)


def bootstrap_means(
    total: Array,
    count: Array,
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    *,
    draw_subjects: bool = False,
) -> Array:
    """Percentile intervals of mean differences over draws of units, and of subjects.

    Parameters
    ----------
    total : array of shape (n_subjects, n_units, n_pairs)
        Sum of the differences of each subject and unit.
    count : array of shape (n_subjects, n_units, n_pairs)
        Number of differences behind each sum; 0 where a subject lacks a unit.
    n_draws : int
        Draws with replacement; a unit is drawn for all subjects and pairs together.
    level : float
        Coverage, in (0, 1).
    seed : int
        Seed of the draws.
    draw_subjects : bool
        Whether subjects are drawn, too, independently of the units.

    Returns
    -------
    interval : array of shape (2, n_pairs)
        Lower and upper end; NaN for pairs without a difference.
    """
    n_subjects, n_units, n_pairs = total.shape
    generator = np.random.default_rng(seed)
    weight = generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_draws)
    if draw_subjects:
        share = np.full(n_subjects, 1 / n_subjects)
        by_subject = generator.multinomial(n_subjects, share, size=n_draws)
    else:
        by_subject = np.ones((n_draws, n_subjects), dtype=np.int64)
    sums, numbers = np.zeros((n_draws, n_pairs)), np.zeros((n_draws, n_pairs))
    weight = weight.astype(np.float64)
    for subject in range(n_subjects):
        chosen = by_subject[:, [subject]]
        sums += chosen * (weight @ total[subject])
        numbers += chosen * (weight @ count[subject])
    means = np.divide(sums, numbers, out=np.full_like(sums, np.nan), where=numbers > 0)
    tails = [(1 - level) / 2, (1 + level) / 2]
    interval = np.full((2, n_pairs), np.nan)
    for pair in range(n_pairs):
        known = means[~np.isnan(means[:, pair]), pair]
        if len(known):
            interval[:, pair] = np.quantile(known, tails)
    return interval
