"""Permutation tests over stimuli, corrected for all comparisons at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import InputError

# Permuted matrices that are held at once; near the size of a processor's cache.
_BLOCK_BYTES = 8 << 20
# Draws are summed in single precision, and rounding must not decide between an order that changes
# nothing and the observed one.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class PermutationResult:
    """What similarities between two sets of representations would be by chance.

    Attributes
    ----------
    chance : array of shape (n_first, n_second)
        Mean over permutations.
    p_value : array of shape (n_first, n_second)
        Share of permutations (the observed order included) whose similarity is as high.
    p_corrected : array of shape (n_first, n_second)
        The same against the highest similarity of all pairs: the family-wise error of all of them.
    """

    chance: NDArray[np.float64]
    p_value: NDArray[np.float64]
    p_corrected: NDArray[np.float64]


def compare_by_permutation(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    n_permutations: int = 1000,
    seed: int = 0,
) -> PermutationResult:
    """Permute the stimuli of one set of similarity matrices and compare again.

    Parameters
    ----------
    first : array of shape (n_first, n_stimuli, n_stimuli)
        Symmetric matrices whose inner product is the similarity: centred Gram matrices for CKA,
        standardised RDMs (see :func:`square_rdms`) for RSA.
    second : array of shape (n_second, n_stimuli, n_stimuli)
        The same for other representations; their stimuli are permuted.
    n_permutations : int
        Random orders of the stimuli.
    seed : int
        Seed of the orders, which are the same for all pairs.

    Returns
    -------
    result : PermutationResult
        One-sided. NaN where a matrix has NaN; such pairs take no part in the correction.

    Raises
    ------
    InputError
        If the matrices are not of the same stimuli.

    Notes
    -----
    Maximum statistic: Nichols & Holmes (2002). All permutations of a block are one matrix product.
    """
    if first.shape[1:] != second.shape[1:]:
        raise InputError(
            "representations of different stimuli", expected=first.shape[1:], found=second.shape[1:]
        )
    n_stimuli = first.shape[1]
    observed = first.reshape(len(first), -1) @ second.reshape(len(second), -1).T
    known = np.isfinite(observed)
    # Matrices are symmetric: one triangle holds all, with its off-diagonal part counted twice.
    rows, columns = np.triu_indices(n_stimuli)
    twice = np.where(rows == columns, 1.0, 2.0)
    half = (first[:, rows, columns] * twice).astype(np.float32)
    # The matrices of one pair of stimuli lie beside each other, so that a draw copies whole rows.
    by_pair = np.ascontiguousarray(second.reshape(len(second), -1).T, dtype=np.float32)
    generator = np.random.default_rng(seed)
    as_high = np.ones_like(observed)
    as_high_as_any = np.ones_like(observed)
    total = np.zeros_like(observed)
    block = max(1, _BLOCK_BYTES // (4 * len(rows) * len(second)))
    for start in range(0, n_permutations, block):
        orders = np.stack(
            [generator.permutation(n_stimuli) for _ in range(min(block, n_permutations - start))],
            axis=1,
        )
        permuted = by_pair.take(orders[rows] * n_stimuli + orders[columns], axis=0)
        drawn = (half @ permuted.reshape(len(rows), -1)).reshape(len(first), -1, len(second))
        highest = np.where(known[:, None], drawn, -np.inf).max(axis=(0, 2))
        bar = observed - _ROUNDING
        as_high += (drawn >= bar[:, None]).sum(axis=1)
        as_high_as_any += (highest[:, None, None] >= bar).sum(axis=0)
        total += drawn.sum(axis=1, dtype=np.float64)
    nan = np.where(known, 0.0, np.nan)
    return PermutationResult(
        chance=total / n_permutations + nan,
        p_value=as_high / (n_permutations + 1) + nan,
        p_corrected=as_high_as_any / (n_permutations + 1) + nan,
    )


def square_rdms(rdms: NDArray[np.float64], n_stimuli: int) -> NDArray[np.float64]:
    """Lay out standardised RDMs as symmetric matrices whose inner product is their correlation.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_pairs)
        RDMs or their ranks.
    n_stimuli : int
        Number of stimuli.

    Returns
    -------
    matrices : array of shape (n_rdms, n_stimuli, n_stimuli)
        Zero diagonal, Frobenius norm 1.
    """
    centred = rdms - rdms.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True) * np.sqrt(2.0)
    standard = np.divide(centred, norm, out=np.full_like(centred, np.nan), where=norm > 0)
    matrices = np.zeros((len(rdms), n_stimuli, n_stimuli))
    rows, columns = np.triu_indices(n_stimuli, k=1)
    matrices[:, rows, columns] = matrices[:, columns, rows] = standard
    return matrices
