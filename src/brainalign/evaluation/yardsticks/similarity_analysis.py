"""Representational dissimilarity and linear CKA of many representations at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from brainalign.errors import InputError

# Two stimuli have one distance only; a correlation over it says nothing.
_MIN_STIMULI = 3


@dataclass(frozen=True)
class RDMCeiling:
    """How well the best possible model could match the subjects.

    Attributes
    ----------
    lower : float
        Mean correlation of each subject's RDM with the mean of the others'.
    upper : float
        Mean correlation of each subject's RDM with the mean of all.
    """

    lower: float
    upper: float


def compute_rdm(pattern: ArrayLike) -> NDArray[np.float64]:
    """Correlation distances between the patterns of all pairs of stimuli.

    Parameters
    ----------
    pattern : array of shape (n_stimuli, n_dimensions)
        One row per stimulus: features, or responses of units.

    Returns
    -------
    rdm : array of shape (n_stimuli * (n_stimuli - 1) / 2,)
        1 - Pearson correlation, upper triangle row by row. NaN where a pattern is constant.

    Raises
    ------
    InputError
        If there are fewer than three stimuli, fewer than two dimensions, or a value that is not
        finite.

    Notes
    -----
    Kriegeskorte, Mur & Bandettini (2008).
    """
    matrix = _check_pattern(pattern)
    centred = matrix - matrix.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    # A constant pattern leaves rounding errors of its own size, not zeros.
    is_constant = norm[:, 0] <= 1e-12 * np.abs(matrix).max(axis=1).clip(1e-300)
    unit = np.divide(centred, norm, out=np.full_like(centred, np.nan), where=~is_constant[:, None])
    return 1.0 - (unit @ unit.T)[np.triu_indices(len(matrix), k=1)]


def compare_rdms(first: ArrayLike, second: ArrayLike, by_rank: bool = True) -> NDArray[np.float64]:
    """Correlate every RDM of one set with every RDM of another.

    Parameters
    ----------
    first : array of shape (n_first, n_pairs)
        RDMs as from :func:`compute_rdm`, stacked.
    second : array of shape (n_second, n_pairs)
        RDMs of the same stimuli.
    by_rank : bool
        Spearman's correlation with mean ranks of ties; otherwise Pearson's.

    Returns
    -------
    correlation : array of shape (n_first, n_second)
        NaN where an RDM has NaN or is constant.
    """
    rows, columns = (_standardise(values, by_rank) for values in (first, second))
    return rows @ columns.T


def estimate_rdm_ceiling(rdms: ArrayLike, by_rank: bool = True) -> RDMCeiling:
    """Bounds of the mean correlation that any model RDM can reach with the subjects' RDMs.

    Parameters
    ----------
    rdms : array of shape (n_subjects, n_pairs)
        One RDM per subject.
    by_rank : bool
        As in :func:`compare_rdms`; RDMs are ranked before they are averaged, and their mean again.

    Returns
    -------
    ceiling : RDMCeiling
        NaN for a single subject, whose noise cannot be told from its signal.

    Notes
    -----
    Nili et al. (2014). The upper bound is exact for Pearson's correlation and for Spearman's.
    """
    standard = _standardise(rdms, by_rank)
    if len(standard) < 2:
        return RDMCeiling(float("nan"), float("nan"))
    # Sums of ranks are exact, so that their ties stay ties when they are ranked again.
    summands = rankdata(rdms, axis=1) if by_rank else standard
    total = summands.sum(axis=0)
    best = _standardise(total[None], by_rank)[0]
    others = _standardise(total - summands, by_rank)
    return RDMCeiling(
        lower=float(np.mean(np.sum(standard * others, axis=1))),
        upper=float(np.mean(standard @ best)),
    )


def compute_centred_gram(pattern: ArrayLike) -> NDArray[np.float64]:
    """Inner products of all pairs of stimuli after centring each dimension, of unit norm.

    Parameters
    ----------
    pattern : array of shape (n_stimuli, n_dimensions)
        One row per stimulus.

    Returns
    -------
    gram : array of shape (n_stimuli, n_stimuli)
        Frobenius norm 1; NaN where all patterns are equal.

    Raises
    ------
    InputError
        As :func:`compute_rdm`, but one dimension is enough.
    """
    matrix = _check_pattern(pattern, min_dimensions=1)
    centred = matrix - matrix.mean(axis=0)
    gram = centred @ centred.T
    norm = np.linalg.norm(gram)
    scale = np.abs(matrix).max() ** 2 * matrix.size
    return gram / norm if norm > 1e-12 * scale else np.full_like(gram, np.nan)


def compute_linear_cka(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear centred kernel alignment of every representation of two sets.

    Parameters
    ----------
    first : array of shape (n_first, n_stimuli, n_stimuli)
        From :func:`compute_centred_gram`, stacked.
    second : array of shape (n_second, n_stimuli, n_stimuli)
        The same for other representations of the same stimuli.

    Returns
    -------
    cka : array of shape (n_first, n_second)
        In [0, 1].

    Notes
    -----
    Kornblith et al. (2019), equation 4. With few stimuli and many dimensions it is biased upwards;
    compare it with its value under permuted stimuli.
    """
    return first.reshape(len(first), -1) @ second.reshape(len(second), -1).T


def _check_pattern(pattern: ArrayLike, min_dimensions: int = 2) -> NDArray[np.float64]:
    matrix = np.asarray(pattern, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < _MIN_STIMULI or matrix.shape[1] < min_dimensions:
        raise InputError(
            "too few patterns to compare",
            expected=f"at least {_MIN_STIMULI} stimuli and {min_dimensions} dimensions",
            found=f"shape {matrix.shape}",
        )
    if not np.isfinite(matrix).all():
        raise InputError(
            "patterns are not finite",
            found=f"{int((~np.isfinite(matrix)).sum())} values",
            remedy="Leave out units or stimuli without a response.",
        )
    return matrix


def _standardise(values: ArrayLike, by_rank: bool) -> NDArray[np.float64]:
    """Centre each row and give it unit norm; NaN for rows that are constant or hold NaN."""
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if by_rank:
        rows = rankdata(rows, axis=1)
    centred = rows - rows.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, norm, out=np.full_like(centred, np.nan), where=norm > 0)
