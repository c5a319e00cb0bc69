"""The table of discriminative metrics: what a query scores, and what random scores reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from brainalign.evaluation.bootstrap import Statistic
from brainalign.evaluation.chance import (
    chance_of_identification,
    chance_of_rank,
    chance_of_reciprocal_rank,
    chance_of_top_k,
)
from brainalign.evaluation.identification import score_identification
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.ranking import (
    QueryRanks,
    compute_mid_rank,
    compute_reciprocal_rank,
    score_top_k,
)


@dataclass(frozen=True)
class Metric:
    """One number that summarises the ranks of queries.

    Attributes
    ----------
    name : str
        Name in score tables.
    direction : str
        ``higher`` or ``lower``: which is better.
    statistic : {'mean', 'median'}
        What is taken over queries.
    score_queries : callable
        Value of each query from its ranks.
    score_chance : callable
        Value of each query that random scores would reach.
    """

    name: str
    direction: str
    statistic: Statistic
    score_queries: Callable[[QueryRanks], NDArray[np.float64]]
    score_chance: Callable[[QueryRanks], NDArray[np.float64]]


def list_metrics(options: EvaluationOptions) -> list[Metric]:
    """List the metrics that options ask for.

    Parameters
    ----------
    options : EvaluationOptions
        Gives the values of k and n.

    Returns
    -------
    metrics : list of Metric
        ``top_{k}``, ``identification_{n}_way``, ``median_rank`` and ``mean_reciprocal_rank``.
    """
    top_k = [
        Metric(
            f"top_{k}", "higher", "mean", partial(score_top_k, k=k), partial(chance_of_top_k, k=k)
        )
        for k in options.top_k
    ]
    identification = [
        Metric(
            f"identification_{n}_way",
            "higher",
            "mean",
            partial(score_identification, n_way=n),
            partial(chance_of_identification, n_way=n),
        )
        for n in options.n_way
    ]
    return [
        *top_k,
        *identification,
        Metric("median_rank", "lower", "median", compute_mid_rank, chance_of_rank),
        Metric(
            "mean_reciprocal_rank",
            "higher",
            "mean",
            compute_reciprocal_rank,
            chance_of_reciprocal_rank,
        ),
    ]
