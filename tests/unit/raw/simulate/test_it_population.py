"""Planted tuning and noise can be read back from the spikes."""

import numpy as np
import pytest

from brainalign.raw.simulate.it_population import (
    compute_drive,
    compute_evoked_rate,
    draw_population,
)
from brainalign.raw.simulate.it_session import (
    SessionPlan,
    compute_window_share,
    draw_session_noise,
    draw_spike_trains,
    make_profile,
)
from brainalign.raw.simulate.latents import LATENT_GROUPS, slice_group
from brainalign.raw.simulate.options import ITNoiseOptions, SimulatedITOptions

SILENT_NOISE = ITNoiseOptions(
    private_gain_variance=0.0,
    n_shared_dimensions=0,
    shared_strength=0.0,
    session_gain_spread=0.0,
    drift_spread=0.0,
)
WINDOW_S = (0.07, 0.17)


def make_options(noise: ITNoiseOptions, n_units: int = 30) -> SimulatedITOptions:
    return SimulatedITOptions(subjects={"monkey-a": n_units}, noise=noise, invalid_share=0.0)


def make_plan(stimulus: np.ndarray) -> SessionPlan:
    start = 1.0 + 0.2 * np.arange(len(stimulus))
    return SessionPlan(
        stimulus=stimulus,
        repeat=np.zeros(len(stimulus), dtype=int),
        valid=np.ones(len(stimulus), dtype=bool),
        start_time=start,
        photodiode_onset=start + 0.02,
    )


def count_spikes(trains: list[np.ndarray], plan: SessionPlan) -> np.ndarray:
    onset = plan.photodiode_onset
    edges = [onset + edge for edge in WINDOW_S]
    return np.stack(
        [np.searchsorted(times, edges[1]) - np.searchsorted(times, edges[0]) for times in trains],
        axis=1,
    )


def simulate(options: SimulatedITOptions, latent: np.ndarray, plan: SessionPlan):
    population = draw_population(options, "monkey-a")
    evoked = compute_evoked_rate(population, latent)
    noise = draw_session_noise(options, population, "monkey-a", "01", plan.valid)
    trains = draw_spike_trains(
        options, population, evoked, plan, noise.gain, np.random.default_rng(5)
    )
    share = compute_window_share(make_profile(options.stimulus_on_s), population.latency, WINDOW_S)
    expected = 0.1 * (population.spontaneous_rate + evoked * share)
    return population, count_spikes(trains, plan), expected, noise


def test_without_planted_noise_counts_have_the_expected_mean_and_are_poisson():
    latent = np.random.default_rng(0).standard_normal((2, 13))
    plan = make_plan(np.tile([0, 1], 2000))
    _, count, expected, _ = simulate(make_options(SILENT_NOISE), latent, plan)
    for stimulus in (0, 1):
        shown = count[plan.stimulus == stimulus]
        # The decaying end of the previous response adds less than one percent.
        error = (shown.mean(axis=0) - expected[stimulus]) / np.sqrt(expected[stimulus] / 2000)
        assert np.abs(error).max() < 4.5
        fano = shown.var(axis=0) / shown.mean(axis=0)
        assert fano.mean() == pytest.approx(1.0, abs=0.03)


def test_private_gain_adds_its_planted_share_of_variance():
    noise = SILENT_NOISE.model_copy(update={"private_gain_variance": 0.3})
    plan = make_plan(np.zeros(4000, dtype=int))
    population, count, _, _ = simulate(make_options(noise), np.zeros((1, 13)), plan)
    mean = count.mean(axis=0)
    planted = mean + population.private_gain_variance * mean**2
    assert np.median(count.var(axis=0) / planted) == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(count.var(axis=0), planted)[0, 1] > 0.97


def test_noise_differs_between_units():
    population = draw_population(make_options(ITNoiseOptions()), "monkey-a")
    assert np.ptp(np.log(population.private_gain_variance)) > 1


def test_shared_noise_correlates_units_as_their_loadings_say():
    noise = SILENT_NOISE.model_copy(
        update={"n_shared_dimensions": 1, "shared_strength": 0.5, "shared_persistence": 0.0}
    )
    plan = make_plan(np.zeros(4000, dtype=int))
    population, count, _, _ = simulate(make_options(noise), np.zeros((1, 13)), plan)
    loading = population.shared_loading
    correlation = np.corrcoef(count.T)
    upper = np.triu_indices(len(loading), 1)
    assert np.corrcoef(correlation[upper], (loading @ loading.T)[upper])[0, 1] > 0.8


def test_shared_noise_is_independent_of_the_stimulus():
    options = make_options(ITNoiseOptions())
    population = draw_population(options, "monkey-a")
    stimulus = np.random.default_rng(1).integers(0, 2, 4000)
    noise = draw_session_noise(options, population, "monkey-a", "01", stimulus >= 0)
    difference = [noise.shared_state[stimulus == index].mean(axis=0) for index in (0, 1)]
    assert np.abs(difference[0] - difference[1]).max() < 0.35  # correlated over about 9 trials


def test_shared_noise_persists_over_trials_as_planted():
    options = make_options(ITNoiseOptions(shared_persistence=0.8))
    population = draw_population(options, "monkey-a")
    state = draw_session_noise(
        options, population, "monkey-a", "01", np.ones(5000, dtype=bool)
    ).shared_state[:, 0]
    assert np.corrcoef(state[1:], state[:-1])[0, 1] == pytest.approx(0.8, abs=0.05)


def test_regression_on_the_latents_finds_each_units_planted_group():
    latent = np.random.default_rng(2).standard_normal((1500, 13))
    plan = make_plan(np.arange(1500))
    population, count, _, _ = simulate(make_options(ITNoiseOptions(), 60), latent, plan)
    weight = np.linalg.lstsq(latent, count - count.mean(axis=0), rcond=None)[0]
    found = np.stack(
        [(weight[slice_group(group)] ** 2).sum(axis=0) for group in LATENT_GROUPS], axis=1
    )
    planted = population.group_weight**2
    clear = planted.max(axis=1) > 0.6
    assert clear.sum() > 20
    assert (found.argmax(axis=1) == planted.argmax(axis=1))[clear].mean() > 0.9


def test_group_weights_and_projections_have_unit_norm():
    population = draw_population(make_options(SILENT_NOISE), "monkey-a")
    assert np.allclose((population.group_weight**2).sum(axis=1), 1)
    for group in LATENT_GROUPS:
        assert np.allclose((population.projection[:, slice_group(group)] ** 2).sum(axis=1), 1)


def test_a_unit_without_weight_on_a_group_ignores_it():
    population = draw_population(make_options(SILENT_NOISE), "monkey-a")
    population.group_weight[0] = [0, 1, 0, 0]
    latent = np.random.default_rng(0).standard_normal((5, 13))
    other = latent.copy()
    other[:, slice_group("category")] = 7.0
    assert np.allclose(
        compute_drive(population, latent)[:, 0], compute_drive(population, other)[:, 0]
    )


def test_mean_evoked_rates_are_the_planted_ones():
    population = draw_population(make_options(SILENT_NOISE), "monkey-a")
    evoked = compute_evoked_rate(population, np.random.default_rng(0).standard_normal((50, 13)))
    assert np.allclose(evoked.mean(axis=0), population.mean_evoked_rate)
    assert (evoked > 0).all()


def test_no_response_begins_before_its_latency():
    options = make_options(SILENT_NOISE).model_copy(update={"spontaneous_share": 0.0})
    plan = make_plan(np.zeros(1, dtype=int))
    population = draw_population(options, "monkey-a")
    evoked = 50 * compute_evoked_rate(population, np.zeros((1, 13)))
    trains = draw_spike_trains(
        options, population, evoked, plan, np.ones((1, 30)), np.random.default_rng(0)
    )
    for latency, times in zip(population.latency, trains, strict=True):
        assert len(times) > 10
        assert times.min() >= plan.photodiode_onset[0] + latency - 1e-6


def test_a_population_does_not_depend_on_the_other_animals():
    alone = draw_population(SimulatedITOptions(subjects={"monkey-a": 9}), "monkey-a")
    among = draw_population(SimulatedITOptions(subjects={"x": 3, "monkey-a": 9}), "monkey-a")
    assert np.array_equal(alone.projection, among.projection)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subjects": {}},
        {"subjects": {"../monkey": 5}},
        {"subjects": {"monkey_a": 5}},
        {"subjects": {"monkey-a": 0}},
        {"kind": "real_it"},
        {"latency_s": 0.3},
        {"noise": {"shared_persistence": 1.0}},
        {"n_repeats": 3},
    ],
)
def test_impossible_recordings_are_refused(wrong):
    with pytest.raises(ValueError):
        SimulatedITOptions.model_validate(wrong)
