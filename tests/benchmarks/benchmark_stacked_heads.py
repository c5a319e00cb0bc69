"""32 small heads trained at once against one by one, with equal weights.

Run with ``pytest tests/benchmarks/benchmark_stacked_heads.py -s``, with ``OMP_NUM_THREADS=1`` as
the jobs of the workflow run. The sizes are those of the default experiment's nonlinear maps, and
of a smaller set, where the calls of torch weigh more against arithmetic.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.methods.direct.nonlinear import (
    DecodingRegression,
    EncodingRegression,
    RegressionTask,
)
from brainalign.methods.direct.options import NonlinearDecodingOptions, NonlinearEncodingOptions
from brainalign.methods.direct.regression import RegressionPairs
from brainalign.methods.normalisation import fit_standardisation
from brainalign.training.loop import train_module
from brainalign.training.stacked import train_modules

N_HEADS, N_EPOCHS, N_REPEATS = 32, 20, 5
N_FEATURES, N_UNITS, N_VALIDATION = 128, 84, 96


def make_tasks(direction: str, n_stimuli: int, batch_size: int) -> list[RegressionTask]:
    generator = np.random.default_rng(0)
    feature = generator.standard_normal((n_stimuli, N_FEATURES), dtype=np.float32)
    mixing = generator.standard_normal((N_FEATURES, N_UNITS), dtype=np.float32)
    response = (feature @ mixing) / np.float32(np.sqrt(N_FEATURES))
    response += generator.standard_normal(response.shape, dtype=np.float32)
    pairs = RegressionPairs(feature, response)
    options_class, regression_class = NonlinearEncodingOptions, EncodingRegression
    if direction == "decoding":
        pairs = RegressionPairs(response, feature)
        options_class, regression_class = NonlinearDecodingOptions, DecodingRegression
    options = options_class(epochs=N_EPOCHS, batch_size=batch_size)
    judged = pairs.take(np.arange(N_VALIDATION))
    statistics = fit_standardisation(pairs.targets, where="targets")
    return [
        regression_class(options, statistics).make_task(pairs, judged, seed)
        for seed in range(N_HEADS)
    ]


def train_one_by_one(tasks: list[RegressionTask]) -> list[RegressionTask]:
    for seed, task in enumerate(tasks):
        train_module(task, task.options, seed=seed)
    return tasks


def train_at_once(tasks: list[RegressionTask]) -> list[RegressionTask]:
    train_modules(tasks, tasks[0].options, seeds=range(N_HEADS))
    return tasks


@pytest.mark.benchmark
@pytest.mark.parametrize("direction", ["encoding", "decoding"])
@pytest.mark.parametrize(("n_stimuli", "batch_size"), [(768, 256), (192, 32), (96, 16)])
def test_heads_trained_at_once_against_one_by_one(direction, n_stimuli, batch_size):
    size = direction, n_stimuli, batch_size
    alone, stacked = train_one_by_one(make_tasks(*size)), train_at_once(make_tasks(*size))
    for task, other in zip(stacked, alone, strict=True):
        expected = other.module.state_dict()
        for name, value in task.module.state_dict().items():
            np.testing.assert_allclose(value, expected[name], atol=1e-4, err_msg=name)
    compare_times(
        f"{N_HEADS} heads, {direction}, {n_stimuli} stimuli in batches of {batch_size}",
        lambda: train_one_by_one(make_tasks(*size)),
        lambda: train_at_once(make_tasks(*size)),
        n_repeats=N_REPEATS,
        clock=time.process_time,
    )
