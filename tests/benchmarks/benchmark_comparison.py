"""Sign flips and bootstrap of a family of paired differences, against plain loops.

Run with ``pytest tests/benchmarks/benchmark_comparison.py -s``.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.evaluation.comparison.paired import bootstrap_means, flip_signs

N_UNITS, N_PAIRS, N_FLIPS, N_DRAWS = 108, 36, 999, 500


@pytest.fixture(scope="module")
def total() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N_UNITS, N_PAIRS))


@pytest.mark.benchmark
def test_sign_flips_against_a_loop(total):
    def loop():
        generator = np.random.default_rng(0)
        scale = np.sqrt((total**2).sum(axis=0))
        observed = np.abs(total.sum(axis=0)) / scale
        alone, together = np.ones(N_PAIRS), np.ones(N_PAIRS)
        for _ in range(N_FLIPS):
            signs = 1.0 - 2.0 * generator.integers(2, size=N_UNITS, dtype=np.int8)
            drawn = [abs(np.sum(signs * total[:, pair])) / scale[pair] for pair in range(N_PAIRS)]
            highest = max(drawn)
            for pair in range(N_PAIRS):
                alone[pair] += drawn[pair] >= observed[pair] - 1e-9
                together[pair] += highest >= observed[pair] - 1e-9
        return np.stack([alone, together]) / (N_FLIPS + 1)

    def block():
        result = flip_signs(total, N_FLIPS, seed=0)
        return np.stack([result.p_value, result.p_corrected])

    np.testing.assert_allclose(block(), loop(), atol=1e-6)
    label = f"{N_FLIPS} sign flips of {N_PAIRS} pairs x {N_UNITS} units"
    compare_times(label, loop, block, clock=time.process_time)


@pytest.mark.benchmark
def test_bootstrap_against_a_loop(total):
    sums, count = total[None], np.ones((1, N_UNITS, N_PAIRS))

    def loop():
        generator = np.random.default_rng(0)
        share = np.full(N_UNITS, 1 / N_UNITS)
        weight = generator.multinomial(N_UNITS, share, size=N_DRAWS)
        means = [
            [np.average(total[:, pair], weights=row) for pair in range(N_PAIRS)] for row in weight
        ]
        return np.quantile(means, [0.025, 0.975], axis=0)

    def block():
        return bootstrap_means(sums, count, N_DRAWS, seed=0)

    np.testing.assert_allclose(block(), loop(), atol=1e-6)
    label = f"{N_DRAWS} draws of {N_PAIRS} pairs x {N_UNITS} units"
    compare_times(label, loop, block, clock=time.process_time)
