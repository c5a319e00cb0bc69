"""Ranks of the right partner among candidates, with ties counted exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainalign.errors import CorruptDataError, InputError


@dataclass(frozen=True)
class QueryRanks:
    """How each query's target stands among its distractors.

    Attributes
    ----------
    query : array of shape (n_queries,)
        Id of each query; ids may repeat (single trials).
    n_better : array of shape (n_queries,)
        Distractors that score strictly above the target (b in the equations).
    n_tied : array of shape (n_queries,)
        Distractors that score the same as the target (e).
    n_distractors : array of shape (n_queries,)
        Gallery items of another id (M).
    n_targets : array of shape (n_queries,)
        Gallery items of the query's id; the best of them is the target.
    """

    query: NDArray[np.str_]
    n_better: NDArray[np.intp]
    n_tied: NDArray[np.intp]
    n_distractors: NDArray[np.intp]
    n_targets: NDArray[np.intp]

    @property
    def n_candidates(self) -> NDArray[np.intp]:
        """Candidates of each query: its distractors and one target (N = M + 1)."""
        return self.n_distractors + 1

    def __len__(self) -> int:
        return len(self.query)


def count_better_and_tied(
    compatibility: ArrayLike,
    query_ids: ArrayLike,
    gallery_ids: ArrayLike,
    chunk_size: int = 1024,
) -> QueryRanks:
    """Count for each query the distractors above and level with its target.

    Parameters
    ----------
    compatibility : array of shape (n_queries, n_gallery)
        Score of each gallery item for each query; larger is better. Infinite scores are allowed.
    query_ids : array of shape (n_queries,)
        Identity of each query.
    gallery_ids : array of shape (n_gallery,)
        Identity of each gallery item.
    chunk_size : int
        Queries compared at once. Bounds the memory beyond ``compatibility``; changes no count.

    Returns
    -------
    ranks : QueryRanks
        Counts per query, in the order of the queries.

    Raises
    ------
    InputError
        If ids do not fit the scores, or a query has no gallery item of its id.
    CorruptDataError
        If a score is NaN.

    Notes
    -----
    Gallery items of the query's own id are never distractors; the best of them is the target.
    Comparing with the target's score costs O(n_queries x n_gallery) and sorts nothing.
    """
    scores = np.asarray(compatibility)
    queries, gallery = _as_ids(query_ids), _as_ids(gallery_ids)
    if scores.shape != (len(queries), len(gallery)):
        raise InputError(
            "scores do not fit the ids of queries and gallery",
            where="compatibility",
            expected=f"shape ({len(queries)}, {len(gallery)})",
            found=scores.shape,
        )
    n_targets, target_columns = _find_targets(queries, gallery)
    first_target = np.concatenate([[0], np.cumsum(n_targets)])
    n_better = np.empty(len(queries), np.intp)
    n_tied = np.empty(len(queries), np.intp)
    for start in range(0, len(queries), chunk_size):
        chunk = slice(start, min(start + chunk_size, len(queries)))
        n_better[chunk], n_tied[chunk] = _count_chunk(
            np.ascontiguousarray(scores[chunk]),
            n_targets[chunk],
            target_columns[first_target[chunk.start] : first_target[chunk.stop]],
            queries[chunk],
        )
    return QueryRanks(queries, n_better, n_tied, len(gallery) - n_targets, n_targets)


def concatenate_ranks(parts: Sequence[QueryRanks]) -> QueryRanks:
    """Pool the queries of several galleries, for instance of the folds of a cross-validation.

    Parameters
    ----------
    parts : sequence of QueryRanks
        Counts against each gallery; galleries may differ in size.

    Returns
    -------
    pooled : QueryRanks
        All queries, in the order of the parts.

    Raises
    ------
    InputError
        If there is nothing to pool.
    """
    if not parts:
        raise InputError("there are no queries to pool", expected="at least one fold", found=0)
    return QueryRanks(
        np.concatenate([part.query for part in parts]),
        np.concatenate([part.n_better for part in parts]),
        np.concatenate([part.n_tied for part in parts]),
        np.concatenate([part.n_distractors for part in parts]),
        np.concatenate([part.n_targets for part in parts]),
    )


def score_top_k(ranks: QueryRanks, k: int) -> NDArray[np.float64]:
    """Score each query's expected hit among its k best candidates, ties broken at random.

    Parameters
    ----------
    ranks : QueryRanks
        Counts per query.
    k : int
        Candidates that are accepted; with k or fewer candidates every query is a hit.

    Returns
    -------
    hit : array of shape (n_queries,)
        clip((k - b) / (e + 1), 0, 1): the chance that a target which shares its score with e
        distractors below b better ones lands in the first k places.
    """
    return np.clip((k - ranks.n_better) / (ranks.n_tied + 1), 0.0, 1.0)


def compute_mid_rank(ranks: QueryRanks) -> NDArray[np.float64]:
    """Mid-rank 1 + b + e / 2 of each query's target; 1 is best.

    Parameters
    ----------
    ranks : QueryRanks
        Counts per query.

    Returns
    -------
    mid_rank : array of shape (n_queries,)
        Between 1 and the number of candidates.
    """
    return 1.0 + ranks.n_better + ranks.n_tied / 2.0


def compute_reciprocal_rank(ranks: QueryRanks) -> NDArray[np.float64]:
    """Reciprocal of each query's mid-rank; its mean is the mean reciprocal rank (MRR).

    Parameters
    ----------
    ranks : QueryRanks
        Counts per query.

    Returns
    -------
    reciprocal_rank : array of shape (n_queries,)
        In (0, 1]. Of tied targets it is the reciprocal of the mid-rank, which is below the
        reciprocal averaged over random tie breaks.
    """
    return 1.0 / compute_mid_rank(ranks)


def _as_ids(ids: ArrayLike) -> NDArray[np.str_]:
    array = np.asarray(ids).astype(np.str_)
    if array.ndim != 1 or not len(array):
        raise InputError("ids must be a list with at least one id", found=f"shape {array.shape}")
    return array


def _find_targets(
    queries: NDArray[np.str_], gallery: NDArray[np.str_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the number of targets per query and, query after query, their gallery columns."""
    order = np.argsort(gallery, kind="stable")
    sorted_gallery = gallery[order]
    first = np.searchsorted(sorted_gallery, queries, side="left")
    n_targets = np.searchsorted(sorted_gallery, queries, side="right") - first
    if not n_targets.all():
        missing = queries[n_targets == 0]
        raise InputError(
            f"{len(missing)} of {len(queries)} queries have no gallery item of their id",
            where=f"query '{missing[0]}'",
            expected="a gallery item with the same id",
            remedy="Leave these queries out or add their partners to the gallery.",
        )
    preceding = np.cumsum(n_targets) - n_targets
    within_query = np.arange(n_targets.sum()) - np.repeat(preceding, n_targets)
    return n_targets, order[np.repeat(first, n_targets) + within_query]


def _count_chunk(
    scores: NDArray[np.floating],
    n_targets: NDArray[np.intp],
    target_columns: NDArray[np.intp],
    queries: NDArray[np.str_],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if np.isnan(scores.max()):
        row = int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])
        raise CorruptDataError(
            "a score is NaN",
            where=f"query '{queries[row]}'",
            remedy="Find the prediction that is not finite; NaN has no rank.",
        )
    rows = np.repeat(np.arange(len(scores)), n_targets)
    target_scores = scores[rows, target_columns]
    segments = np.cumsum(n_targets) - n_targets
    best = np.maximum.reduceat(target_scores, segments)
    n_tied_targets = np.add.reduceat((target_scores == best[rows]).astype(np.intp), segments)
    n_better = np.empty(len(scores), np.intp)
    n_tied = np.empty(len(scores), np.intp)
    # Row by row, the comparison stays in cache: twice as fast as one comparison of the chunk.
    for row, (row_scores, target_score) in enumerate(zip(scores, best, strict=True)):
        n_better[row] = np.count_nonzero(row_scores > target_score)
        n_tied[row] = np.count_nonzero(row_scores == target_score)
    return n_better, n_tied - n_tied_targets
