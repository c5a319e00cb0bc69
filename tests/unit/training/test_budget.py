from __future__ import annotations

import numpy as np
import pytest

from brainalign.training.batches import draw_batches
from brainalign.training.options import TrainingOptions
from brainalign.training.randomness import derive_seed
from brainalign.training.schedule import compute_learning_rate


def test_small_training_sets_get_more_epochs():
    options = TrainingOptions()
    assert [options.count_epochs(n) for n in (200, 1999, 2000)] == [200, 200, 60]
    assert TrainingOptions(epochs=7).count_epochs(200) == 7


@pytest.mark.parametrize(("n_stimuli", "expected"), [(2000, 256), (512, 256), (500, 250), (3, 1)])
def test_a_batch_holds_at_most_half_of_the_stimuli(n_stimuli: int, expected: int):
    assert TrainingOptions().limit_batch_size(n_stimuli) == expected


def test_the_cosine_falls_from_the_peak_towards_zero():
    options = TrainingOptions(learning_rate=2.0)
    rates = [compute_learning_rate(options, epoch, 10) for epoch in range(10)]
    assert rates[0] == 2.0
    assert rates[5] == pytest.approx(1.0)
    assert np.all(np.diff(rates) < 0)
    assert rates[-1] > 0


def test_warm_up_rises_in_equal_steps_to_the_peak():
    options = TrainingOptions(learning_rate=1.0, warmup_fraction=0.3, schedule="constant")
    rates = [compute_learning_rate(options, epoch, 10) for epoch in range(10)]
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75] + [1.0] * 7)


def test_no_sample_comes_twice_and_a_small_rest_is_skipped():
    batches = list(draw_batches(22, 6, np.random.default_rng(0)))
    assert [len(rows) for rows in batches] == [6, 6, 6, 4]
    assert len(np.unique(np.concatenate(batches))) == 22
    assert [len(rows) for rows in draw_batches(20, 6, np.random.default_rng(0))] == [6, 6, 6]


def test_streams_and_positions_have_seeds_of_their_own():
    seeds = {
        derive_seed(seed, stream, index)
        for seed in range(5)
        for stream in ("batches", "dropout", "initialisation")
        for index in range(20)
    }
    assert len(seeds) == 5 * 3 * 20
    assert derive_seed(1, "batches", 2) == derive_seed(1, "batches", 2)
