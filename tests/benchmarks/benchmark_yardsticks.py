"""CKA of many layers and areas and its permutation test, against plain loops.

Run with ``pytest tests/benchmarks/benchmark_yardsticks.py -s``.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.evaluation.yardsticks.permutation import compare_by_permutation
from brainalign.evaluation.yardsticks.similarity_analysis import (
    compute_centred_gram,
    compute_linear_cka,
)

N_STIMULI, N_LAYERS, N_AREAS, N_FEATURES, N_UNITS = 100, 13, 12, 768, 200
N_PERMUTATIONS = 50


@pytest.fixture(scope="module")
def patterns() -> tuple[list[np.ndarray], list[np.ndarray]]:
    generator = np.random.default_rng(0)
    layers = [generator.normal(size=(N_STIMULI, N_FEATURES)) for _ in range(N_LAYERS)]
    areas = [generator.normal(size=(N_STIMULI, N_UNITS)) for _ in range(N_AREAS)]
    return layers, areas


def compute_cka_of_pair(first: np.ndarray, second: np.ndarray) -> float:
    """Equation 4 of Kornblith et al. (2019) as it stands there."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    norms = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    return float(np.linalg.norm(second.T @ first) ** 2 / norms)


@pytest.mark.benchmark
def test_cka_against_a_loop_over_pairs(patterns):
    layers, areas = patterns

    def loop():
        return np.array([[compute_cka_of_pair(x, y) for y in areas] for x in layers])

    def batch():
        first, second = (
            np.stack([compute_centred_gram(x) for x in part]) for part in (layers, areas)
        )
        return compute_linear_cka(first, second)

    np.testing.assert_allclose(batch(), loop(), atol=1e-6)
    label = f"linear CKA, {N_LAYERS} layers x {N_AREAS} areas x {N_STIMULI} stimuli"
    compare_times(label, loop, batch, clock=time.process_time)


@pytest.mark.benchmark
def test_permutation_against_a_loop(patterns):
    first, second = (np.stack([compute_centred_gram(x) for x in part]) for part in patterns)

    def loop():
        generator = np.random.default_rng(0)
        total = np.zeros((N_LAYERS, N_AREAS))
        for _ in range(N_PERMUTATIONS):
            order = generator.permutation(N_STIMULI)
            for row, gram in enumerate(first):
                for column, other in enumerate(second):
                    total[row, column] += np.sum(gram * other[np.ix_(order, order)])
        return total / N_PERMUTATIONS

    def block():
        return compare_by_permutation(first, second, N_PERMUTATIONS, seed=0).chance

    np.testing.assert_allclose(block(), loop(), atol=1e-6)
    label = f"{N_PERMUTATIONS} permutations of {N_LAYERS} layers x {N_AREAS} areas"
    compare_times(label, loop, block, clock=time.process_time)
