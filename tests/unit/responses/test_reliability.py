"""Reliability and noise ceilings: planted variances, plain loops, closed forms, ragged units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainalign.errors import CorruptDataError, InputError
from brainalign.responses import halves
from brainalign.responses.reliability import (
    classify_units,
    estimate_noise_ceiling,
    half_split_means,
    mean_over_repeats,
    spearman_brown,
    split_half_reliability,
)


def simulate(n_stimuli, n_repeats, n_units, signal=1.0, noise=1.0, seed=0):
    """Responses with planted signal and noise standard deviations, presentations shuffled."""
    generator = np.random.default_rng(seed)
    stimulus = generator.permutation(np.repeat(np.arange(n_stimuli), n_repeats))
    expected = signal * generator.standard_normal((n_stimuli, n_units))
    response = expected[stimulus] + noise * generator.standard_normal((len(stimulus), n_units))
    return response, stimulus


def correlate_halves_by_loop(response, stimulus, n_splits, seed):
    """Plain loops over the same halves that the module draws."""
    labels = stimulus.astype(str)
    reliability = np.full(response.shape[1], np.nan)
    for units, drawn in halves.halve_recordings(response, labels, n_splits, seed):
        for unit in units:
            values = response[drawn.presentations, unit].astype(float)
            corrected = []
            for in_first in drawn.in_first:
                means = [
                    [
                        values[(drawn.code == code) & (in_first == half)].mean()
                        for code in range(len(drawn.stimuli))
                    ]
                    for half in (True, False)
                ]
                correlation = np.corrcoef(*means)[0, 1]
                corrected.append(2 * correlation / (1 + correlation))
            reliability[unit] = np.mean(corrected)
    return reliability


def test_spearman_brown_equals_its_formula_and_keeps_negative_values():
    reliability = spearman_brown([0.0, 0.5, 1.0, -0.5])
    np.testing.assert_allclose(reliability, [0.0, 2 / 3, 1.0, -2.0])


def test_spearman_brown_is_undefined_at_minus_one():
    assert np.isnan(spearman_brown([-1.0, -1.5, np.nan])).all()


def test_vectorised_halves_equal_plain_loops():
    response, stimulus = simulate(14, 5, 6)
    vectorised = split_half_reliability(response, stimulus, n_splits=7, seed=3)
    looped = correlate_halves_by_loop(response, stimulus, n_splits=7, seed=3)
    np.testing.assert_allclose(vectorised, looped, rtol=0, atol=1e-10)


def test_vectorised_halves_equal_plain_loops_for_ragged_units():
    response, stimulus = simulate(14, 6, 6)
    response[np.random.default_rng(1).random(response.shape) < 0.15] = np.nan
    vectorised = split_half_reliability(response, stimulus, n_splits=5, seed=3)
    looped = correlate_halves_by_loop(response, stimulus, n_splits=5, seed=3)
    assert np.isfinite(vectorised).all()
    np.testing.assert_allclose(vectorised, looped, rtol=0, atol=1e-10)


def test_blocks_of_splits_change_nothing(monkeypatch):
    response, stimulus = simulate(14, 4, 3)
    whole = split_half_reliability(response, stimulus, n_splits=11)
    monkeypatch.setattr(halves, "_BLOCK_BYTES", 8 * 14 * 3 * 2)
    np.testing.assert_allclose(split_half_reliability(response, stimulus, n_splits=11), whole)


@pytest.mark.parametrize("n_repeats", [2, 4, 10])
def test_planted_reliability_is_recovered(n_repeats):
    response, stimulus = simulate(300, n_repeats, 60, signal=1.0, noise=2.0)
    expected = 1 / (1 + 4 / n_repeats)
    reliability = split_half_reliability(response, stimulus, n_splits=20)
    assert reliability.mean() == pytest.approx(expected, abs=0.02)


def test_reliability_does_not_depend_on_scale_offset_or_order_of_units():
    response, stimulus = simulate(30, 4, 5)
    plain = split_half_reliability(response, stimulus, n_splits=10)
    rescaled = split_half_reliability(response[:, ::-1] * 1e-3 + 1e4, stimulus, n_splits=10)
    np.testing.assert_allclose(rescaled[::-1], plain, atol=1e-8)


def test_a_unit_gets_the_reliability_it_gets_alone():
    response, stimulus = simulate(30, 4, 5)
    response[::3, 2] = np.nan
    together = split_half_reliability(response, stimulus, n_splits=10, seed=1)
    for unit in (0, 2):
        alone = split_half_reliability(response[:, [unit]], stimulus, n_splits=10, seed=1)
        np.testing.assert_allclose(alone[0], together[unit], atol=1e-12)


def test_another_seed_draws_other_halves():
    response, stimulus = simulate(30, 4, 5)
    first, again, other = (split_half_reliability(response, stimulus, 5, s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.isclose(first, other).any()


@settings(max_examples=30, deadline=None)
@given(
    n_repeats=st.lists(st.integers(1, 7), min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_halves_divide_the_repeats_of_every_stimulus_evenly(n_repeats, seed):
    stimulus = np.repeat(np.arange(len(n_repeats)), n_repeats).astype(str)
    response = np.ones((len(stimulus), 1))
    for _, drawn in halves.halve_recordings(response, stimulus, 9, seed):
        for code, name in enumerate(drawn.stimuli):
            in_first = drawn.in_first[:, drawn.code == code].sum(axis=1)
            n = n_repeats[int(name)]
            assert n >= 2
            assert set(in_first) <= {n // 2, n - n // 2}


def test_every_presentation_is_equally_often_in_the_first_half():
    stimulus = np.repeat(np.arange(3), 3).astype(str)
    ((_, drawn),) = halves.halve_recordings(np.ones((9, 1)), stimulus, 4000, 0)
    np.testing.assert_allclose(drawn.in_first.mean(axis=0), 0.5, atol=0.04)


def test_a_unit_whose_halves_rarely_spike_gets_no_rounding_noise():
    response = np.full((40, 1), 0.1)
    stimulus = np.repeat(np.arange(20), 2)
    response[0] = 0.3
    reliability = split_half_reliability(response, stimulus, n_splits=20)
    assert np.isnan(reliability).all()


@pytest.mark.parametrize("n_repeats", [2, 5])
def test_balanced_components_equal_the_closed_form(n_repeats):
    response, stimulus = simulate(20, n_repeats, 4)
    ceiling = estimate_noise_ceiling(response, stimulus)
    groups = np.stack([response[stimulus == name] for name in range(20)])
    noise = groups.var(axis=1, ddof=1).mean(axis=0)
    signal = groups.mean(axis=1).var(axis=0, ddof=1) - noise / n_repeats
    np.testing.assert_allclose(ceiling.noise_variance, noise, atol=1e-12)
    np.testing.assert_allclose(ceiling.signal_variance, np.maximum(signal, 0), atol=1e-12)
    np.testing.assert_allclose(ceiling.n_mean_repeats, n_repeats)
    expected = ceiling.signal_variance / (ceiling.signal_variance + noise / n_repeats)
    np.testing.assert_allclose(ceiling.repeat_mean, expected, atol=1e-12)


def test_planted_components_are_recovered_from_ragged_repeats():
    n_repeats = np.random.default_rng(0).integers(1, 6, 400)
    response, stimulus = simulate(400, n_repeats, 50, signal=1.5, noise=2.0)
    ceiling = estimate_noise_ceiling(response, stimulus)
    assert ceiling.signal_variance.mean() == pytest.approx(2.25, rel=0.05)
    assert ceiling.noise_variance.mean() == pytest.approx(4.0, rel=0.05)
    assert ceiling.single_trial.mean() == pytest.approx(2.25 / 6.25, abs=0.02)
    np.testing.assert_allclose(ceiling.n_mean_repeats, 1 / np.mean(1 / n_repeats))


def test_the_ceiling_is_what_the_true_signal_explains_of_the_mean_response():
    generator = np.random.default_rng(0)
    signal = generator.standard_normal((500, 40))
    stimulus = np.repeat(np.arange(500), 3)
    response = signal[stimulus] + 1.5 * generator.standard_normal((1500, 40))
    mean, _ = mean_over_repeats(response, stimulus, np.arange(500))
    explained = [np.corrcoef(signal[:, unit], mean[:, unit])[0, 1] ** 2 for unit in range(40)]
    ceiling = estimate_noise_ceiling(response, stimulus).repeat_mean
    assert np.mean(explained) == pytest.approx(ceiling.mean(), abs=0.02)


def test_dropping_recordings_equals_marking_them_nan():
    response, stimulus = simulate(20, 5, 3)
    missing = np.random.default_rng(1).random(len(stimulus)) < 0.2
    masked = response.copy()
    masked[missing] = np.nan
    with_nan = estimate_noise_ceiling(masked, stimulus)
    without = estimate_noise_ceiling(response[~missing], stimulus[~missing])
    np.testing.assert_allclose(with_nan.signal_variance, without.signal_variance, atol=1e-12)
    np.testing.assert_allclose(with_nan.noise_variance, without.noise_variance, atol=1e-12)
    np.testing.assert_allclose(with_nan.repeat_mean, without.repeat_mean, atol=1e-12)


def test_pure_noise_has_a_ceiling_near_zero_and_never_below():
    response, stimulus = simulate(100, 4, 50, signal=0.0)
    ceiling = estimate_noise_ceiling(response, stimulus)
    assert (ceiling.repeat_mean >= 0).all()
    assert (ceiling.signal_variance == 0).any()
    assert ceiling.repeat_mean.mean() < 0.1


def test_noiseless_responses_have_a_ceiling_of_one():
    response, stimulus = simulate(20, 3, 4, noise=0.0)
    np.testing.assert_allclose(estimate_noise_ceiling(response, stimulus).repeat_mean, 1.0)


def test_more_repeats_in_the_mean_raise_the_ceiling():
    response, stimulus = simulate(50, 4, 10)
    one, many = (estimate_noise_ceiling(response, stimulus, n).repeat_mean for n in (1, 100))
    assert np.array_equal(one, estimate_noise_ceiling(response, stimulus).single_trial)
    assert (many > one).all()


def test_units_without_an_estimate_are_labelled_and_nan():
    response, stimulus = simulate(12, 3, 5)
    response[:, 0] = 0.0
    response[:, 1] = 7.5
    response[:, 2] = np.nan
    response[12:, 3] = np.nan
    expected = ["silent", "constant", "too_few_repeats", "too_few_repeats", "ok"]
    assert classify_units(response, stimulus).tolist() == expected
    ceiling = estimate_noise_ceiling(response, stimulus)
    reliability = split_half_reliability(response, stimulus, n_splits=3)
    assert ceiling.status.tolist() == expected
    for values in (ceiling.repeat_mean, ceiling.single_trial, ceiling.noise_variance, reliability):
        assert np.isfinite(values).tolist() == [False, False, False, False, True]


def test_a_silent_unit_may_have_been_recorded_in_part():
    response, stimulus = simulate(12, 3, 1)
    response[:] = 0.0
    response[::4] = np.nan
    assert classify_units(response, stimulus).tolist() == ["silent"]


@pytest.mark.parametrize(("required", "label"), [(4, "ok"), (5, "too_few_repeats")])
def test_the_number_of_repeated_stimuli_decides(required, label):
    response, _ = simulate(10, 1, 1)
    stimulus = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 5])
    assert classify_units(response, stimulus, required).tolist() == [label]


def test_no_warning_is_raised_for_units_without_recordings(recwarn):
    response, stimulus = simulate(12, 3, 2)
    response[:, 0] = np.nan
    estimate_noise_ceiling(response, stimulus)
    split_half_reliability(response, stimulus, n_splits=2)
    mean_over_repeats(response, stimulus, np.arange(12))
    assert not recwarn.list


def test_means_follow_the_order_of_the_stimuli_asked_for():
    response = np.array([[1.0, 2.0], [3.0, np.nan], [10.0, 20.0], [5.0, 6.0]], np.float32)
    mean, n_repeats = mean_over_repeats(response, ["a", "a", "b", "c"], ["c", "a", "never"])
    np.testing.assert_array_equal(mean, [[5.0, 6.0], [2.0, 2.0], [np.nan, np.nan]])
    assert n_repeats.tolist() == [[1, 1], [2, 1], [0, 0]]
    assert mean.dtype == np.float32


def test_half_means_average_to_the_mean_of_even_repeats():
    response, stimulus = simulate(9, 4, 3)
    stimuli = np.arange(9)[::-1]
    half = half_split_means(response, stimulus, stimuli, n_splits=5)
    mean, _ = mean_over_repeats(response, stimulus, stimuli)
    np.testing.assert_allclose(half.mean(axis=1), np.broadcast_to(mean, (5, 9, 3)), atol=1e-12)
    assert not np.allclose(half[:, 0], half[:, 1])
    assert not np.allclose(half[0], half[1])


def test_half_means_equal_means_of_the_drawn_presentations():
    response, stimulus = simulate(6, 3, 2)
    half = half_split_means(response, stimulus, ["4", "1"], n_splits=4, seed=8)
    ((_, drawn),) = halves.halve_recordings(response, stimulus.astype(str), 4, 8)
    for split, place, name in ((0, 0, "4"), (3, 1, "1")):
        own = drawn.stimuli[drawn.code] == name
        for index, in_half in enumerate((drawn.in_first[split], ~drawn.in_first[split])):
            expected = response[drawn.presentations[own & in_half]].mean(axis=0)
            np.testing.assert_allclose(half[split, index, place], expected, atol=1e-12)


def test_half_means_are_nan_with_fewer_than_two_repeats():
    response, _ = simulate(5, 1, 2)
    response[1, 1] = np.nan
    half = half_split_means(response, [0, 0, 1, 2, 2], [0, 1, 2], n_splits=3)
    assert np.isfinite(half).all(axis=(0, 1)).tolist() == [
        [True, False],
        [False, False],
        [True, True],
    ]


def test_permuting_presentations_changes_no_ceiling():
    response, stimulus = simulate(15, 4, 3)
    order = np.random.default_rng(1).permutation(len(stimulus))
    plain = estimate_noise_ceiling(response, stimulus).repeat_mean
    permuted = estimate_noise_ceiling(response[order], stimulus[order]).repeat_mean
    np.testing.assert_allclose(plain, permuted, atol=1e-12)


def test_an_infinite_response_is_corrupt_and_named():
    response, stimulus = simulate(12, 2, 3)
    response[5, 2] = -np.inf
    with pytest.raises(CorruptDataError, match="presentation 5, unit 2"):
        estimate_noise_ceiling(response, stimulus)


def test_stimuli_of_another_length_are_refused():
    response, stimulus = simulate(12, 2, 3)
    with pytest.raises(InputError, match="do not fit the stimuli"):
        split_half_reliability(response, stimulus[:-1])


def test_a_stimulus_listed_twice_is_refused():
    response, stimulus = simulate(12, 2, 3)
    with pytest.raises(InputError, match="listed once"):
        mean_over_repeats(response, stimulus, [0, 1, 1])


def test_no_splits_are_refused():
    response, stimulus = simulate(12, 2, 3)
    with pytest.raises(InputError, match="n_splits"):
        split_half_reliability(response, stimulus, n_splits=0)
