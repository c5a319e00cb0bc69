"""Retrieval by the ridge encoding: predicted against measured responses to test stimuli."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from brainalign.evaluation.bootstrap import bootstrap_interval
from brainalign.evaluation.metrics import list_metrics
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.ranking import QueryRanks, concatenate_ranks, count_better_and_tied
from brainalign.evaluation.similarity import compute_compatibility
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.recordings import YardstickSubject

TASKS = ("response_retrieval", "stimulus_retrieval")
"""Find the measured response of a stimulus by its predicted one, and the other way round."""

_METRICS = list_metrics(EvaluationOptions(top_k=[1], n_way=[2]))[:2]


def score_retrieval(
    subject: YardstickSubject,
    predicted: list[NDArray[np.float64]],
    chosen: NDArray[np.bool_],
    options: YardstickOptions,
) -> list[dict[str, object]]:
    """Find test stimuli among all test stimuli of their fold, both ways.

    Parameters
    ----------
    subject : YardstickSubject
        Mean responses.
    predicted : list of array of shape (n_test_stimuli, n_units)
        Predictions of one layer, fold by fold.
    chosen : array of shape (n_units,), bool
        Units of an area.
    options : YardstickOptions
        Draws and coverage.

    Returns
    -------
    rows : list of dict
        Top-1 and two-way identification of both tasks, with chance and interval over stimuli, the
        gallery fixed. The ceiling is NaN: half-split ceilings stand beside the methods' scores.

    Notes
    -----
    Similarity is Pearson's correlation over units that are scaled by mean and SD of the training
    stimuli. Fewer than two units give no row.
    """
    if chosen.sum() < 2:
        return []
    parts: list[list[QueryRanks]] = [[], []]
    for fold, prediction in zip(subject.folds, predicted, strict=True):
        training = fold.response["train"][:, chosen].astype(np.float64)
        mean, scale = training.mean(axis=0), training.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        first, second = (
            (values[:, chosen] - mean) / scale for values in (prediction, fold.response["test"])
        )
        # Rows are predictions, columns measured responses.
        score = compute_compatibility(first, second, "pearson")
        ids = fold.stimulus["test"]
        for place, one in enumerate((score, score.T)):
            parts[place].append(count_better_and_tied(one, ids, ids))
    rows: list[dict[str, object]] = []
    for task, ranks in zip(TASKS, map(concatenate_ranks, parts), strict=True):
        for metric in _METRICS:
            values = metric.score_queries(ranks)
            low, high = bootstrap_interval(
                values, "mean", options.n_bootstrap, options.level, options.seed
            )
            rows.append(
                {
                    "task": task,
                    "metric": metric.name,
                    "direction": metric.direction,
                    "value": float(np.nanmean(values)),
                    "ci_low": float(low),
                    "ci_high": float(high),
                    "chance": float(np.nanmean(metric.score_chance(ranks))),
                    "ceiling": float("nan"),
                    "n_candidates": float(ranks.n_candidates.mean()),
                    "n_queries": len(ranks),
                }
            )
    return rows
