"""Metrics of predicted rates: conventions, chance, ceiling and likelihood."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.evaluation.population import identify_segments
from brainalign.evaluation.rate_metrics import (
    compute_bits_per_spike,
    correlate_rates,
    correlate_shifted,
    estimate_ceiling,
)


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_correlation_keeps_its_sign():
    rate = draw(50, 2)
    assert correlate_rates(-rate, rate) == pytest.approx([-1, -1])


def test_a_constant_prediction_is_undefined_and_not_zero():
    assert np.isnan(correlate_rates(np.full((50, 1), 0.1), draw(50, 1))).all()


def test_correlation_of_half_precision_is_computed_in_full():
    rate = draw(400, 1)
    half = (1000 + rate).astype(np.float16)
    assert correlate_rates(half, rate)[0] == pytest.approx(
        np.corrcoef(half[:, 0].astype(float), rate[:, 0])[0, 1]
    )


def test_chance_is_the_mean_over_shifts():
    first, second = draw(800, 1), draw(800, 1, seed=1)
    shifted = [
        np.corrcoef(np.roll(first[:, 0], -shift), second[:, 0])[0, 1] for shift in range(183, 618)
    ]
    assert correlate_shifted(first, second)[0] == pytest.approx(np.mean(shifted), abs=1e-12)


def test_ceiling_is_the_correlation_of_the_true_rate_with_the_mean():
    generator = np.random.default_rng(0)
    rate = np.exp(draw(2000, 1))
    count = generator.poisson(0.3 * rate, (30, 2000, 1))
    expected = np.corrcoef(rate[:, 0], count.mean(0)[:, 0])[0, 1]
    assert estimate_ceiling(count)[0] == pytest.approx(expected, abs=0.02)


def test_a_cell_without_repeats_has_no_ceiling():
    assert np.isnan(estimate_ceiling(np.ones((1, 10, 2)))).all()


def test_the_mean_rate_has_zero_bits_per_spike_and_the_true_rate_more():
    rate = np.exp(draw(500, 1))
    mean = np.full_like(rate, rate.mean())
    assert compute_bits_per_spike(mean, rate, mean, 30.0)[0] == pytest.approx(0, abs=1e-12)
    assert compute_bits_per_spike(rate, rate, mean, 30.0)[0] > 0.3


def test_more_cells_tell_more_moments_apart():
    rate = draw(600, 16)
    noisy = rate + 2 * draw(600, 16, seed=1)
    table = identify_segments(noisy, rate, np.zeros(600, int))
    assert table["n_units"].tolist() == [1, 2, 4, 8, 16]
    assert table["top_1"].is_monotonic_increasing
    assert table["top_1"].iloc[-1] > 0.95
