from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainalign.errors import InputError
from brainalign.responses.counts import (
    count_spikes,
    count_trial_bins,
    number_repeats,
    subtract_baseline,
)

# Binary fractions of a second: sums are exact, so edges can be tested to the spike.
_TIMES = st.integers(0, 640).map(lambda tick: tick / 64)
_MS_PER_TICK = 1000 / 64


@settings(max_examples=150, deadline=None)
@given(
    units=st.lists(st.lists(_TIMES, max_size=30), max_size=4),
    onsets=st.lists(_TIMES, max_size=8),
    start=st.integers(-32, 32),
    length=st.integers(1, 64),
)
def test_counts_equal_a_loop_over_spikes(
    units: list[list[float]], onsets: list[float], start: int, length: int
) -> None:
    window = [start * _MS_PER_TICK, (start + length) * _MS_PER_TICK]
    count = count_spikes([np.sort(unit) for unit in units], np.array(onsets), window)
    expected = [
        [
            sum(onset + window[0] / 1000 <= time < onset + window[1] / 1000 for time in unit)
            for unit in units
        ]
        for onset in onsets
    ]
    np.testing.assert_array_equal(count, np.reshape(expected, (len(onsets), len(units))))


def test_the_first_edge_counts_and_the_last_does_not() -> None:
    times = np.array([1.0, 1.25, 1.5])
    assert count_spikes([times], np.array([1.0]), [0.0, 500.0]).tolist() == [[2]]
    assert count_spikes([times], np.array([1.0]), [250.0, 501.0]).tolist() == [[2]]


def test_spikes_at_one_moment_all_count() -> None:
    assert count_spikes([np.array([1.0, 1.0, 1.0])], np.array([1.0]), [0.0, 1.0]).tolist() == [[3]]


def test_onsets_need_no_order() -> None:
    times, onset = np.sort(np.random.default_rng(0).random(200) * 10), np.arange(9.0)
    order = np.random.default_rng(1).permutation(9)
    straight = count_spikes([times], onset, [70.0, 170.0])
    np.testing.assert_array_equal(
        count_spikes([times], onset[order], [70.0, 170.0]), straight[order]
    )


@pytest.mark.parametrize("window", [[170.0, 70.0], [70.0, 70.0]])
def test_a_window_must_start_before_it_ends(window: list[float]) -> None:
    with pytest.raises(InputError, match="does not start before it ends"):
        count_spikes([np.array([1.0])], np.array([0.0]), window)


def test_the_baseline_is_scaled_to_the_response_window() -> None:
    evoked = subtract_baseline(np.array([[5.0]]), np.array([[4.0]]), [50.0, 150.0], [-200.0, 0.0])
    assert evoked.tolist() == [[3.0]]


def test_a_constant_rate_has_no_evoked_response() -> None:
    times, onset = np.arange(0, 20, 0.01) + 0.005, np.arange(2.0, 18.0)
    count = count_spikes([times], onset, [0.0, 100.0])
    baseline = count_spikes([times], onset, [-200.0, 0.0])
    np.testing.assert_array_equal(
        subtract_baseline(count, baseline, [0.0, 100.0], [-200.0, 0.0]), 0
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "001", "1", "ä"]), min_size=1, max_size=30))
def test_repeats_count_the_earlier_presentations(stimuli: list[str]) -> None:
    expected = [stimuli[:row].count(stimulus) for row, stimulus in enumerate(stimuli)]
    assert number_repeats(np.array(stimuli)).tolist() == expected


def test_bins_of_trials_hold_their_start_and_not_their_end() -> None:
    # 0.3 is 3 x 0.1 on paper only: edges are computed alike for all spikes.
    times = np.array([0.0, 0.1, 0.1 + 2 * 0.1, 0.4, 5.0])
    count = count_trial_bins([times], np.array([0.1]), 0.1, 3)
    assert count[0, 0].tolist() == [1, 0, 1]


def test_bins_in_one_pass_equal_those_that_are_searched_one_by_one() -> None:
    generator = np.random.default_rng(0)
    trains = [np.sort(generator.uniform(0, 20, size)) for size in (0, 1, 400)]
    onset = generator.uniform(-1, 20, 30)
    searched = [
        [count_spikes(trains, onset + 0.05 * place, (0.0, 50.0)) for place in range(8)],
    ]
    expected = np.array(searched[0]).transpose(2, 1, 0)
    np.testing.assert_array_equal(count_trial_bins(trains, onset, 0.05, 8), expected)
