"""Spike-triggered averages of 100 cells against a loop over cells and the matrix product alone.

Run with ``pytest tests/benchmarks/benchmark_spike_triggered.py -s``.
"""

import time

import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.responses.spike_triggered import compute_spike_triggered_average

N_FRAMES, N_PIXELS, N_UNITS, N_LAGS = 18_000, 1024, 100, 15  # ten minutes at 30 Hz


@pytest.fixture(scope="module")
def recording():
    generator = np.random.default_rng(0)
    contrast = generator.choice([-1.0, 1.0], (N_FRAMES, N_PIXELS)).astype(np.float32)
    return contrast, generator.poisson(0.2, (N_FRAMES, N_UNITS)).astype(np.float32)


def average_cell_by_cell(contrast, count):
    """Average the stimuli before the spikes of one cell after the other, each frame once."""
    average = np.empty((N_UNITS, N_LAGS, N_PIXELS))
    for unit in range(N_UNITS):
        for lag in range(N_LAGS):
            own = count[lag:, unit]
            frames = np.flatnonzero(own)
            average[unit, lag] = own[frames] @ contrast[frames] / max(own.sum(), 1)
    return average


@pytest.mark.benchmark
def test_average_of_all_cells_against_loop_and_matrix_product(recording):
    contrast, count = recording
    width = np.random.default_rng(1).standard_normal((N_FRAMES, N_UNITS * N_LAGS))
    width = width.astype(np.float32)

    def multiply():
        return contrast.T @ width

    def average():
        return compute_spike_triggered_average(contrast, count, N_LAGS)

    multiply()
    np.testing.assert_allclose(average(), average_cell_by_cell(contrast, count), atol=1e-5)
    compare_times(
        f"spike-triggered averages, {N_UNITS} cells, against a loop over cells",
        lambda: average_cell_by_cell(contrast, count),
        average,
        n_repeats=3,
        clock=time.process_time,
    )
    # Below 1: the share of the rate of the bare product that is reached, target 0.65.
    compare_times(
        "spike-triggered averages, share of the matrix product's rate",
        multiply,
        average,
        clock=time.process_time,
    )
