"""Spike counts in frames and in bins of a given width."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.raw.movies import MovieTrial
from brainalign.responses.movie_counts import count_frame_bins, count_width_bins

_RATE_HZ = 10.0


def _make_trial(n_frames: int = 10, stretch: float = 1.0, gap: slice | None = None) -> MovieTrial:
    edges = 2.0 + stretch * np.arange(n_frames + 1) / _RATE_HZ
    start, stop, window = edges[:-1].copy(), edges[1:].copy(), np.zeros(n_frames, dtype=np.int32)
    if gap is not None:
        start[gap], stop[gap], window[gap] = np.nan, np.nan, -1
        window[gap.stop :] = 1
    return MovieTrial("movie", start, stop, window)


def test_spike_at_a_frame_s_start_counts_for_that_frame() -> None:
    count = count_frame_bins([np.array([2.05, 2.15, 2.16])], _make_trial())
    assert count[:3, 0].tolist() == [1, 2, 0]


def test_frames_that_were_not_recorded_are_missing() -> None:
    count = count_frame_bins([np.array([2.25, 2.35])], _make_trial(gap=slice(2, 4)))
    assert np.flatnonzero(np.isnan(count[:, 0])).tolist() == [2, 3]


def test_bins_of_a_frame_s_width_are_the_frames() -> None:
    times = [np.sort(np.random.default_rng(0).uniform(1.5, 3.5, 200))]
    trial = _make_trial()
    count, window = count_width_bins(times, trial, _RATE_HZ, 0.1)
    np.testing.assert_array_equal(count, count_frame_bins(times, trial))
    assert (window == 0).all()


def test_bins_follow_the_movie_where_the_display_is_slow() -> None:
    # Five per cent slow: the last of 20 bins would lie half a frame off on an even clock.
    trial = _make_trial(stretch=1.05)
    last_half_frame = [np.array([2.0 + 1.05 * 0.96])]
    count, _ = count_width_bins(last_half_frame, trial, _RATE_HZ, 0.05)
    assert np.flatnonzero(count[:, 0]).tolist() == [19]


def test_bins_that_reach_into_a_gap_are_missing() -> None:
    count, window = count_width_bins([np.array([])], _make_trial(gap=slice(3, 5)), _RATE_HZ, 0.2)
    assert np.isnan(count[:, 0]).tolist() == [False, True, True, False, False]
    assert window.tolist() == [0, -1, -1, 1, 1]


def test_movie_shorter_than_a_bin_is_refused() -> None:
    with pytest.raises(InputError, match="shorter than one bin"):
        count_width_bins([np.array([])], _make_trial(n_frames=1), _RATE_HZ, 0.2)
