"""Reliability over repeats of movies against planted signal and noise."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.responses.movie_reliability import estimate_movie_reliability


def _plant(n_trials: int, n_bins: int, noise_sd: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Two movies with a signal of unit variance and independent noise; one unit."""
    generator = np.random.default_rng(seed)
    signal = generator.standard_normal((2, n_bins))
    signal = (signal - signal.mean(axis=1, keepdims=True)) / signal.std(axis=1, keepdims=True)
    movie = np.repeat(["a", "b"], n_trials)
    response = np.repeat(signal, n_trials, axis=0)
    response = response + noise_sd * generator.standard_normal(response.shape)
    return response[..., np.newaxis], movie


def test_planted_reliability_and_ceiling_are_found() -> None:
    response, movie = _plant(10, 4000, noise_sd=2.0)
    found = estimate_movie_reliability(response, movie)
    share = 1 / (1 + 4 / 10)
    assert found.reliability[0] == pytest.approx(share, abs=0.02)
    assert found.noise_ceiling[0] == pytest.approx(np.sqrt(share), abs=0.02)
    assert found.explainable_variance[0] == pytest.approx(share, abs=0.02)


def test_planted_oracle_correlation_is_found() -> None:
    response, movie = _plant(10, 4000, noise_sd=2.0)
    found = estimate_movie_reliability(response, movie)
    expected = 1 / np.sqrt((1 + 4) * (1 + 4 / 9))
    assert found.oracle_correlation[0] == pytest.approx(expected, abs=0.02)


def test_perfect_repeats_reach_one() -> None:
    found = estimate_movie_reliability(*_plant(4, 50, noise_sd=0.0))
    for values in vars(found).values():
        assert values[0] == pytest.approx(1.0)


def test_pure_noise_has_reliability_near_zero() -> None:
    generator = np.random.default_rng(1)
    response = generator.standard_normal((20, 3000, 1))
    found = estimate_movie_reliability(response, np.full(20, "a"))
    assert abs(found.reliability[0]) < 0.1
    assert found.explainable_variance[0] < 0.1


def test_gaps_do_not_change_the_result() -> None:
    response, movie = _plant(6, 200, noise_sd=1.0)
    padded = np.full((12, 500, 1), np.nan)
    padded[:, 100:300] = response
    for name, values in vars(estimate_movie_reliability(padded, movie)).items():
        expected = getattr(estimate_movie_reliability(response, movie), name)
        np.testing.assert_allclose(values, expected)


def test_unit_that_is_missing_in_some_trials_uses_the_others() -> None:
    response, movie = _plant(10, 4000, noise_sd=2.0)
    response[[0, 3, 10, 12]] = np.nan
    share = 1 / (1 + 4 / 8)
    found = estimate_movie_reliability(response, movie)
    assert found.explainable_variance[0] == pytest.approx(share, abs=0.03)
    assert found.reliability[0] == pytest.approx(share, abs=0.04)


def test_silent_unit_and_single_trials_are_not_a_number() -> None:
    silent = estimate_movie_reliability(np.zeros((4, 20, 1)), np.full(4, "a"))
    single = estimate_movie_reliability(np.ones((2, 20, 1)), np.array(["a", "b"]))
    assert np.isnan(silent.reliability[0])
    assert np.isnan(single.reliability[0])
