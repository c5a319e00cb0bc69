"""Ranks and exact n-way accuracy on a gallery of 20,000, against sorting every row.

Run with ``pytest tests/benchmarks/benchmark_ranks.py -s``.
"""

import time

import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.evaluation.identification import score_identification
from brainalign.evaluation.ranking import compute_mid_rank, count_better_and_tied

N_GALLERY = 20_000
N_QUERIES = 1_000  # rows are independent, so a part of the queries gives the ratio of all
N_WAYS = (2, 5, 10, 50, 100)


@pytest.fixture(scope="module")
def scores():
    generator = np.random.default_rng(0)
    scores = generator.standard_normal((N_QUERIES, N_GALLERY), dtype=np.float32)
    scores[np.arange(N_QUERIES), np.arange(N_QUERIES)] += 2
    return scores


def rank_by_sorting(scores):
    order = np.argsort(-scores, axis=1)
    return 1 + np.argmax(order == np.arange(len(scores))[:, None], axis=1)


def identify_by_products(rank, n_way):
    """Multiply out the chance of each draw, query by query."""
    accuracy = np.empty(len(rank))
    for query, n_better in enumerate(rank - 1):
        n_left = N_GALLERY - 1 - np.arange(n_way - 1)
        accuracy[query] = np.prod((n_left - n_better).clip(0) / n_left)
    return accuracy


@pytest.mark.benchmark
def test_ranks_and_identification_against_sorting(scores):
    queries, gallery = np.arange(N_QUERIES), np.arange(N_GALLERY)

    def score_by_sorting():
        rank = rank_by_sorting(scores)
        return rank, [identify_by_products(rank, n_way) for n_way in N_WAYS]

    def score_by_counting():
        ranks = count_better_and_tied(scores, queries, gallery)
        return compute_mid_rank(ranks), [score_identification(ranks, n_way) for n_way in N_WAYS]

    (rank, reference), (mid_rank, accuracy) = score_by_sorting(), score_by_counting()
    np.testing.assert_array_equal(mid_rank, rank)  # continuous scores: no ties among targets
    np.testing.assert_allclose(accuracy, reference, rtol=0, atol=1e-11)
    compare_times(
        f"ranks and exact n-way, {N_QUERIES} x {N_GALLERY}",
        score_by_sorting,
        score_by_counting,
        clock=time.process_time,
    )
