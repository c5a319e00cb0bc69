"""Discriminative encoding and decoding: pick the right partner among candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brainalign.errors import InputError
from brainalign.evaluation.bootstrap import Statistic, bootstrap_interval, summarise_queries
from brainalign.evaluation.metrics import Metric, list_metrics
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.ranking import QueryRanks, concatenate_ranks, count_better_and_tied
from brainalign.evaluation.similarity import apply_csls

COLUMNS = (
    "task",
    "metric",
    "direction",
    "value",
    "ci_low",
    "ci_high",
    "chance",
    "n_candidates",
    "n_queries",
)


@dataclass(frozen=True)
class DiscriminationRanks:
    """Counts per query in both directions; what is pooled over folds.

    Attributes
    ----------
    encoding : QueryRanks
        Queries are stimuli, the gallery are responses.
    decoding : QueryRanks
        Queries are responses, the gallery are stimuli.
    """

    encoding: QueryRanks
    decoding: QueryRanks

    def list_tasks(self) -> list[tuple[str, QueryRanks]]:
        """Name the two tasks as the score tables do.

        Returns
        -------
        tasks : list of (str, QueryRanks)
            ``discriminative_encoding`` and ``discriminative_decoding``.
        """
        return [
            ("discriminative_encoding", self.encoding),
            ("discriminative_decoding", self.decoding),
        ]


def score_discrimination(
    compatibility: ArrayLike,
    stimulus_ids: ArrayLike,
    response_ids: ArrayLike,
    options: EvaluationOptions | None = None,
) -> tuple[pd.DataFrame, DiscriminationRanks]:
    """Score one compatibility matrix in both directions.

    Parameters
    ----------
    compatibility : array of shape (n_stimuli, n_responses)
        Larger is more compatible.
    stimulus_ids : array of shape (n_stimuli,)
        Stimulus of each row.
    response_ids : array of shape (n_responses,)
        Stimulus that each response was recorded for; ids repeat for single trials.
    options : EvaluationOptions, optional
        Metrics, intervals and hubness correction.

    Returns
    -------
    scores : DataFrame
        One row per task and metric, with the columns of :func:`summarise_ranks`.
    ranks : DiscriminationRanks
        Counts per query, to be pooled over folds by :func:`pool_queries`.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`rank_discrimination`.
    """
    options = options or EvaluationOptions()
    ranks = rank_discrimination(compatibility, stimulus_ids, response_ids, options)
    return summarise_ranks(ranks, options), ranks


def rank_discrimination(
    compatibility: ArrayLike,
    stimulus_ids: ArrayLike,
    response_ids: ArrayLike,
    options: EvaluationOptions | None = None,
) -> DiscriminationRanks:
    """Rank the partners of all stimuli and of all responses.

    Parameters
    ----------
    compatibility, stimulus_ids, response_ids, options
        As in :func:`score_discrimination`.

    Returns
    -------
    ranks : DiscriminationRanks
        Counts per query, in the order of stimuli and of responses.

    Raises
    ------
    InputError
        If shapes do not fit, no id is on both axes, or an id is on one axis only while
        ``options.unmatched_items`` is ``refuse``.
    CorruptDataError
        If a score is NaN.

    Notes
    -----
    Encoding is the argmax over responses for each stimulus, decoding the argmax over stimuli for
    each response: two readings of one matrix.
    """
    options = options or EvaluationOptions()
    scores = np.asarray(compatibility)
    stimuli, responses = (np.asarray(ids).astype(np.str_) for ids in (stimulus_ids, response_ids))
    if scores.shape != (*stimuli.shape, *responses.shape):
        raise InputError(
            "scores do not fit the ids of stimuli and responses",
            where="compatibility",
            expected=f"shape {(*stimuli.shape, *responses.shape)}",
            found=scores.shape,
        )
    if options.csls_neighbours is not None:
        scores = apply_csls(scores, options.csls_neighbours)
    stimulus_queries = _select_queries(stimuli, responses, options, "stimulus")
    response_queries = _select_queries(responses, stimuli, options, "response")
    return DiscriminationRanks(
        encoding=count_better_and_tied(
            scores[stimulus_queries], stimuli[stimulus_queries], responses, options.chunk_size
        ),
        decoding=count_better_and_tied(
            scores.T[response_queries], responses[response_queries], stimuli, options.chunk_size
        ),
    )


def pool_queries(parts: Sequence[DiscriminationRanks]) -> DiscriminationRanks:
    """Pool the counts of several galleries, for instance held-out folds, before summarising.

    Parameters
    ----------
    parts : sequence of DiscriminationRanks
        One per gallery; galleries may differ in size.

    Returns
    -------
    pooled : DiscriminationRanks
        All queries of all galleries; each keeps the gallery size it was ranked in.
    """
    return DiscriminationRanks(
        encoding=concatenate_ranks([part.encoding for part in parts]),
        decoding=concatenate_ranks([part.decoding for part in parts]),
    )


def summarise_ranks(
    ranks: DiscriminationRanks, options: EvaluationOptions | None = None
) -> pd.DataFrame:
    """Turn counts per query into metrics with intervals and chance.

    Parameters
    ----------
    ranks : DiscriminationRanks
        Counts of one gallery, or pooled over several.
    options : EvaluationOptions, optional
        Metrics and intervals.

    Returns
    -------
    scores : DataFrame
        Columns ``task``, ``metric``, ``direction`` (which is better: ``higher`` or ``lower``),
        ``value``, ``ci_low``, ``ci_high`` (bootstrap over query stimuli), ``chance``,
        ``n_candidates`` (mean over queries) and ``n_queries``. A query whose gallery is smaller
        than n has no n-way value; a metric without any query is NaN.

    Notes
    -----
    Chance is the mean over queries of what random scores reach in each query's own gallery.
    """
    options = options or EvaluationOptions()
    metrics = list_metrics(options)
    rows: list[dict[str, object]] = []
    for task, queries in ranks.list_tasks():
        values = np.stack([metric.score_queries(queries) for metric in metrics], axis=1)
        intervals = _find_intervals(values, metrics, queries.query, options)
        for index, metric in enumerate(metrics):
            known = ~np.isnan(values[:, index])
            rows.append(
                {
                    "task": task,
                    "metric": metric.name,
                    "direction": metric.direction,
                    "value": summarise_queries(values[:, index], metric.statistic),
                    "ci_low": float(intervals[0, index]),
                    "ci_high": float(intervals[1, index]),
                    "chance": summarise_queries(metric.score_chance(queries), "mean"),
                    "n_candidates": float(queries.n_candidates.mean()),
                    "n_queries": int(known.sum()),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _select_queries(
    queries: NDArray[np.str_], gallery: NDArray[np.str_], options: EvaluationOptions, axis: str
) -> slice | NDArray[np.intp]:
    matched = np.isin(queries, gallery)
    if matched.all():
        return slice(None)
    if not matched.any() or options.unmatched_items == "refuse":
        raise InputError(
            f"{np.count_nonzero(~matched)} of {len(queries)} {axis} ids have no partner",
            where=f"{axis} '{queries[~matched][0]}'",
            expected="every id on both axes",
            remedy="Align predictions and responses by id, or set unmatched_items: distract.",
        )
    return np.flatnonzero(matched)


def _find_intervals(
    values: NDArray[np.float64],
    metrics: list[Metric],
    groups: NDArray[np.str_],
    options: EvaluationOptions,
) -> NDArray[np.float64]:
    intervals = np.empty((2, len(metrics)))
    statistics: tuple[Statistic, ...] = ("mean", "median")
    for statistic in statistics:
        chosen = [index for index, metric in enumerate(metrics) if metric.statistic == statistic]
        intervals[:, chosen] = bootstrap_interval(
            values[:, chosen],
            statistic,
            options.n_bootstrap,
            options.level,
            options.seed,
            groups=groups,
        )
    return intervals
