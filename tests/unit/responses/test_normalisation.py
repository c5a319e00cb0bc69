from __future__ import annotations

import numpy as np
import pytest

from brainalign.responses.normalisation import (
    apply_session_statistics,
    compute_session_statistics,
)

SESSIONS = np.array(["a", "b"])


@pytest.fixture
def recording() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of 5 units in 40 presentations of two sessions, and which of them are training."""
    generator = np.random.default_rng(0)
    response = generator.poisson(5, (40, 5)).astype(np.float32)
    session = np.array(["a", "b"] * 20)
    response[session == "b", 2] = np.nan
    response[session == "a", 4] = 3.0
    return response, session, generator.random(40) < 0.7


def test_statistics_are_those_of_numpy(recording) -> None:
    response, session, training = recording
    mean, sd = compute_session_statistics(response, session, SESSIONS, training)
    for row, name in enumerate(SESSIONS):
        chosen = response[(session == name) & training].astype(np.float64)
        np.testing.assert_allclose(mean[row], chosen.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(sd[row], chosen.std(axis=0, ddof=1), rtol=1e-6)


def test_other_presentations_never_enter(recording) -> None:
    response, session, training = recording
    noise = response.copy()
    noise[~training] = np.random.default_rng(9).normal(1e6, 1e6, (int((~training).sum()), 5))
    for found, expected in zip(
        compute_session_statistics(noise, session, SESSIONS, training),
        compute_session_statistics(response, session, SESSIONS, training),
        strict=True,
    ):
        assert found.tobytes() == expected.tobytes()


def test_training_presentations_have_mean_zero_and_sd_one(recording) -> None:
    response, session, training = recording
    statistics = compute_session_statistics(response, session, SESSIONS, training)
    zscored = apply_session_statistics(response, session, SESSIONS, *statistics)
    chosen = zscored[(session == "b") & training][:, [0, 1, 3]]
    np.testing.assert_allclose(chosen.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(chosen.std(axis=0, ddof=1), 1, rtol=1e-5)


def test_a_unit_that_was_not_recorded_stays_missing(recording) -> None:
    response, session, training = recording
    statistics = compute_session_statistics(response, session, SESSIONS, training)
    zscored = apply_session_statistics(response, session, SESSIONS, *statistics)
    np.testing.assert_array_equal(np.isnan(zscored), np.isnan(response))


def test_a_constant_unit_is_zero(recording) -> None:
    response, session, training = recording
    statistics = compute_session_statistics(response, session, SESSIONS, training)
    zscored = apply_session_statistics(response, session, SESSIONS, *statistics)
    np.testing.assert_array_equal(zscored[session == "a", 4], 0)
    assert np.any(zscored[session == "b", 4] != 0)


@pytest.mark.parametrize("n_training", [0, 1])
def test_fewer_than_two_presentations_give_no_statistics(n_training: int) -> None:
    training = np.arange(4) < n_training
    mean, sd = compute_session_statistics(
        np.ones((4, 2)), np.array(["a"] * 4), np.array(["a"]), training
    )
    assert np.isnan(mean).all()
    assert np.isnan(sd).all()


def test_sessions_are_matched_by_name_and_not_by_order(recording) -> None:
    response, session, training = recording
    forward = compute_session_statistics(response, session, SESSIONS, training)
    backward = compute_session_statistics(response, session, SESSIONS[::-1], training)
    np.testing.assert_array_equal(
        apply_session_statistics(response, session, SESSIONS, *forward),
        apply_session_statistics(response, session, SESSIONS[::-1], *backward),
    )
