"""Similarity structure of tokens against that of features, and retrieval by tokens."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def rank_dissimilarities(rows: Array) -> Array:
    """Rank the dissimilarities of all pairs of rows.

    Parameters
    ----------
    rows : array of shape (n_stimuli, width)
        Tokens or features.

    Returns
    -------
    ranks : array of shape (n_stimuli, n_stimuli)
        Symmetric ranks of one less the cosine over the pairs of different stimuli, mean 0; 0 on
        the diagonal. Rows without a direction are dissimilar to all by 1.
    """
    values = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    unit = np.divide(values, length, out=np.zeros_like(values), where=length > 0)
    upper = np.triu_indices(len(unit), 1)
    # Rounding must not break the ties of equal rows.
    ranks = rankdata(np.round(1 - (unit @ unit.T)[upper], 9))
    matrix = np.zeros((len(unit), len(unit)))
    matrix[upper] = ranks - ranks.mean()
    return matrix + matrix.T


def correlate_ranks(first: Array, second: Array, weight: Array) -> Array:
    """Correlate two rank matrices in every resampling of the stimuli.

    Parameters
    ----------
    first, second : array of shape (n_stimuli, n_stimuli)
        From :func:`rank_dissimilarities`.
    weight : array of shape (n_draws, n_stimuli)
        How often each draw holds each stimulus; a pair counts as the product of its two, and
        copies of one stimulus are not compared with each other.

    Returns
    -------
    correlation : array of shape (n_draws,)
        Spearman where every stimulus counts once. In resamplings the ranks stay those of the whole
        sample. NaN where one side does not vary.
    """
    pairs = 1 - np.eye(len(first))

    def total(matrix: Array) -> Array:
        return np.einsum("di,di->d", weight @ matrix, weight)

    number = np.maximum(total(pairs), 1e-12)
    mean_first, mean_second = total(first) / number, total(second) / number
    product = total(first * second) / number - mean_first * mean_second
    square = total(first**2) / number - mean_first**2
    square = square * (total(second**2) / number - mean_second**2)
    valid = square > 0
    return np.divide(
        product,
        np.sqrt(square, where=valid, out=np.ones_like(square)),
        out=np.full(len(weight), np.nan),
        where=valid,
    )


def permute_correlation(
    first: Array, second: Array, n_permutations: int, generator: np.random.Generator
) -> Array:
    """Correlate two rank matrices whose stimuli were exchanged at random.

    Returns
    -------
    null : array of shape (n_permutations,)
        What similarities without relation to the features reach.
    """
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    null = np.full(n_permutations, np.nan)
    if scale > 0:
        for draw in range(n_permutations):
            order = generator.permutation(len(first))
            null[draw] = np.sum(first[np.ix_(order, order)] * second) / scale
    return null


def draw_retrieval_hits(
    similarity: Array, n_gallery: int, n_draws: int, generator: np.random.Generator
) -> Array:
    """Look for the partner of each row in random galleries.

    Parameters
    ----------
    similarity : array of shape (n_stimuli, n_stimuli)
        Row: query; column: candidate; the partner is on the diagonal.
    n_gallery : int
        Candidates per gallery; the whole set where it is smaller.
    n_draws : int
        Galleries; queries and candidates of a draw are the same stimuli.
    generator : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    hits : array of shape (n_stimuli,)
        Share of the galleries with a stimulus in which its partner comes first, ties counted by
        their chance; NaN where it was in none.
    """
    n_stimuli = len(similarity)
    if n_stimuli <= n_gallery:
        return _score_top1(similarity)
    hits, shown = np.zeros(n_stimuli), np.zeros(n_stimuli)
    for _ in range(n_draws):
        chosen = generator.choice(n_stimuli, n_gallery, replace=False)
        hits[chosen] += _score_top1(similarity[np.ix_(chosen, chosen)])
        shown[chosen] += 1
    return np.divide(hits, shown, out=np.full(n_stimuli, np.nan), where=shown > 0)


def _score_top1(similarity: Array) -> Array:
    own = np.diag(similarity)[:, None]
    n_tied = (similarity == own).sum(axis=1)
    return (~(similarity > own).any(axis=1)) / n_tied
