"""The frame clock: missing and double pulses are repaired by rule, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.frame_clock import FrameClock, make_frame_clock, repair_frame_clock

_RATE_HZ, _N_FRAMES, _START_S = 30.0, 300, 5.0
_TRUE = _START_S + np.arange(_N_FRAMES) / _RATE_HZ


def _repair(pulse_s: np.ndarray, **options: object) -> FrameClock:
    return repair_frame_clock(pulse_s, _START_S, _N_FRAMES, _RATE_HZ, **options)  # type: ignore[arg-type]


def test_whole_clock_stays_as_it_is() -> None:
    clock = _repair(_TRUE)
    np.testing.assert_allclose(clock.start_s, _TRUE)
    assert (clock.n_missing, clock.n_double) == (0, 0)


@pytest.mark.parametrize("lost", [[0], [299], [10], [10, 11, 12], [0, 150, 299]])
def test_missing_pulses_are_put_where_they_were(lost: list[int]) -> None:
    clock = _repair(np.delete(_TRUE, lost))
    np.testing.assert_allclose(clock.start_s, _TRUE, atol=1e-6)
    assert clock.n_missing == len(lost)


def test_double_pulses_are_removed() -> None:
    clock = _repair(np.sort(np.append(_TRUE, _TRUE[[7, 100]] + 0.004)))
    np.testing.assert_allclose(clock.start_s, _TRUE)
    assert clock.n_double == 2


def test_jitter_and_drift_of_the_display_are_kept() -> None:
    jitter = np.random.default_rng(0).normal(0, 0.0005, _N_FRAMES)
    shown = _START_S + 1.001 * np.arange(_N_FRAMES) / _RATE_HZ + jitter
    np.testing.assert_allclose(_repair(shown).start_s, shown)


def test_one_pulse_for_several_frames_gives_all_frames_a_time() -> None:
    clock = _repair(_TRUE[::10], frames_per_pulse=10)
    np.testing.assert_allclose(clock.start_s, _TRUE)


def test_more_missing_pulses_than_allowed_are_refused_with_their_number() -> None:
    with pytest.raises(CorruptDataError, match="20 frame triggers are missing and 0 double"):
        _repair(np.delete(_TRUE, range(20, 60, 2)))


def test_frames_of_a_longer_movie_are_refused() -> None:
    with pytest.raises(InputError, match=r"frame times do not match the movie.*300 pulses.*310"):
        _repair(_START_S + np.arange(310) / _RATE_HZ)


def test_another_frame_rate_is_refused() -> None:
    with pytest.raises(InputError, match=r"another frame rate.*33\.333 ms.*16\.667 ms"):
        _repair(_START_S + np.arange(300) / 60.0)


def test_gap_of_half_a_frame_is_refused() -> None:
    shifted = _TRUE + np.where(np.arange(_N_FRAMES) > 100, 0.5 / _RATE_HZ, 0)
    with pytest.raises(CorruptDataError, match="no whole number of frames"):
        _repair(shifted)


@pytest.mark.parametrize(
    ("pulses", "message"),
    [
        (np.append(_TRUE, np.nan), "not finite"),
        (_TRUE[::-1], "not in the order of time"),
        (_TRUE[:1], "no frame clock"),
    ],
)
def test_pulses_that_are_no_clock_are_refused(pulses: np.ndarray, message: str) -> None:
    with pytest.raises(CorruptDataError, match=message):
        _repair(pulses)


def test_without_pulses_frames_follow_the_start() -> None:
    np.testing.assert_allclose(make_frame_clock(_START_S, 300, _RATE_HZ).start_s, _TRUE)
