"""One simulated recording session: the order of trials, their gains and the spikes.

Trials follow each other without a break. In trial t with photodiode onset o_t unit u fires as an
inhomogeneous Poisson process with rate

    G_ut [ spontaneous_u + evoked_u(s_t) f(time - o_t - latency_u) ]

where f is the temporal profile (mean 1 while the stimulus is on) and G_ut the trial's gain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .it_population import ITPopulation
from .options import SimulatedITOptions
from .streams import derive_generator

LEAD_IN_S = 1.0  # before the first trial and after the last
DISPLAY_DELAY_S = 0.012  # from the command to the picture
FRAME_DURATION_S = 1 / 60  # the command is given at any time within a display frame
DECAY_S = 0.02  # of a response after the stimulus
RISE_S = 0.006
INVALID_GAIN = 0.4  # the animal looked away
SPIKE_TIME_RESOLUTION_S = 1e-6  # spike times are rounded to it
_PROFILE_STEP_S = 0.0005


@dataclass(frozen=True)
class SessionPlan:
    """What is shown when.

    Parameters
    ----------
    stimulus : array of shape (n_trials,)
        Row of the stimulus among the single-object stimuli.
    repeat : array of shape (n_trials,)
        Counts presentations of a stimulus within the session from 0. A broken-off trial has the
        number of the trial that makes up for it.
    valid : array of shape (n_trials,)
        False for broken-off trials.
    start_time : array of shape (n_trials,)
        When the computer asked for the stimulus, s.
    photodiode_onset : array of shape (n_trials,)
        When the stimulus was on the screen, s.
    """

    stimulus: np.ndarray
    repeat: np.ndarray
    valid: np.ndarray
    start_time: np.ndarray
    photodiode_onset: np.ndarray


def divide_stimuli(
    options: SimulatedITOptions, subject: str, split: np.ndarray
) -> list[np.ndarray]:
    """Choose what each session of one animal shows.

    Parameters
    ----------
    options : SimulatedITOptions
        Sessions, repeats and shared stimuli.
    subject : str
        The animal.
    split : array of str of shape (n_stimuli,)
        Split of each single-object stimulus.

    Returns
    -------
    presentations : list of array of shape (n_presentations,)
        Per session the rows of the stimuli, each as often as it is to be shown, not shuffled.
        Test stimuli and the shared training stimuli come in every session of every animal; the
        others are dealt to the sessions in an order of the animal's own.
    """
    test = np.flatnonzero(split == "test")
    train = np.flatnonzero(split == "train")
    common = derive_generator(options.seed, "shared-stimuli").permutation(train)
    common = np.sort(common[: options.n_shared_train_stimuli])
    rest = np.setdiff1d(np.flatnonzero(split != "test"), common)
    dealt = derive_generator(options.seed, "deal", subject).permutation(rest)
    return [
        np.concatenate(
            [
                np.repeat(test, options.test_repeats),
                np.repeat(common, options.train_repeats),
                np.repeat(np.sort(dealt[session :: options.n_sessions]), options.train_repeats),
            ]
        )
        for session in range(options.n_sessions)
    ]


def plan_session(
    options: SimulatedITOptions, subject: str, session: str, presentations: np.ndarray
) -> SessionPlan:
    """Order the trials of a session, break some off, and time them.

    Parameters
    ----------
    options : SimulatedITOptions
        Durations and share of invalid trials.
    subject, session : str
        Name the stream of randomness.
    presentations : array of shape (n_presentations,)
        What to show, see ``divide_stimuli``.

    Returns
    -------
    plan : SessionPlan
        With one valid trial per presentation, and the broken-off ones besides.
    """
    generator = derive_generator(options.seed, "plan", subject, session)
    order = generator.permutation(presentations)
    repeat = _count_occurrences(order)
    broken = np.flatnonzero(generator.random(len(order)) < options.invalid_share)
    # What was broken off is shown again at the end of the session.
    stimulus = np.concatenate([order, order[broken]])
    valid = np.ones(len(stimulus), dtype=bool)
    valid[broken] = False
    period = options.stimulus_on_s + options.stimulus_off_s
    start_time = LEAD_IN_S + period * np.arange(len(stimulus))
    wait = generator.uniform(0, FRAME_DURATION_S, len(stimulus))
    return SessionPlan(
        stimulus=stimulus,
        repeat=np.concatenate([repeat, repeat[broken]]),
        valid=valid,
        start_time=np.round(start_time, 6),
        photodiode_onset=np.round(start_time + DISPLAY_DELAY_S + wait, 6),
    )


def _count_occurrences(order: np.ndarray) -> np.ndarray:
    sort = np.argsort(order, kind="stable")
    first = np.searchsorted(order[sort], order[sort])
    count = np.empty(len(order), dtype=int)
    count[sort] = np.arange(len(order)) - first
    return count


@dataclass(frozen=True)
class SessionNoise:
    """Everything that scales the rates besides the stimulus.

    Parameters
    ----------
    session_gain : array of shape (n_units,)
        Gain of the whole session.
    shared_state : array of shape (n_trials, n_shared_dimensions)
        Fluctuations that units share; unit variance, correlated over trials.
    gain : array of shape (n_trials, n_units)
        Product of session gain, drift, shared and private gain and broken-off trials.
    """

    session_gain: np.ndarray
    shared_state: np.ndarray
    gain: np.ndarray


def draw_session_noise(
    options: SimulatedITOptions,
    population: ITPopulation,
    subject: str,
    session: str,
    valid: np.ndarray,
) -> SessionNoise:
    """Draw the gains of all trials of a session.

    Parameters
    ----------
    options : SimulatedITOptions
        Strengths.
    population : ITPopulation
        Loadings and variances.
    subject, session : str
        Name the stream of randomness.
    valid : array of shape (n_trials,)
        In broken-off trials the gain is multiplied by ``INVALID_GAIN``.

    Returns
    -------
    noise : SessionNoise
        Independent of the stimuli. Shared gains are log-normal and private gains
        gamma-distributed, both with mean 1.
    """
    generator = derive_generator(options.seed, "noise", subject, session)
    noise, n_trials, n_units = options.noise, len(valid), len(population.unit)
    session_gain = np.exp(noise.session_gain_spread * generator.standard_normal(n_units))
    drift = noise.drift_spread * generator.standard_normal(n_units)
    shared_state = _draw_persistent(
        generator, n_trials, noise.n_shared_dimensions, noise.shared_persistence
    )
    loading = population.shared_loading
    log_shared = shared_state @ loading.T - 0.5 * (loading**2).sum(axis=1)
    gain = session_gain * np.exp(log_shared + np.linspace(-0.5, 0.5, n_trials)[:, None] * drift)
    variance = population.private_gain_variance
    if noise.private_gain_variance > 0:
        gain = gain * generator.gamma(1 / variance, variance, size=(n_trials, n_units))
    gain = np.where(valid[:, None], gain, INVALID_GAIN * gain)
    return SessionNoise(session_gain, shared_state, gain)


def _draw_persistent(
    generator: np.random.Generator, n_trials: int, n_dimensions: int, persistence: float
) -> np.ndarray:
    innovation = generator.standard_normal((n_trials, n_dimensions))
    state = np.empty_like(innovation)
    state[0] = innovation[0]
    for trial in range(1, n_trials):
        state[trial] = (
            persistence * state[trial - 1] + np.sqrt(1 - persistence**2) * innovation[trial]
        )
    return state


@dataclass(frozen=True)
class ResponseProfile:
    """Time course of a response after its latency.

    Parameters
    ----------
    time : array of shape (n_steps + 1,)
        Edges, s after onset plus latency.
    cumulative : array of shape (n_steps + 1,)
        Integral of f up to each edge, s.
    """

    time: np.ndarray
    cumulative: np.ndarray


def make_profile(stimulus_on_s: float) -> ResponseProfile:
    """Make the time course f: a rise, an adapting plateau while the stimulus is on, a decay.

    Parameters
    ----------
    stimulus_on_s : float
        Duration of the stimulus, s.

    Returns
    -------
    profile : ResponseProfile
        The mean of f over [0, stimulus_on_s] after the latency is 1.
    """
    time = np.arange(0, stimulus_on_s + 6 * DECAY_S, _PROFILE_STEP_S)
    middle = time[:-1] + _PROFILE_STEP_S / 2
    rise = 1 - np.exp(-middle / RISE_S)
    adaptation = 0.8 + 0.4 * np.exp(-middle / (0.4 * stimulus_on_s))
    decay = np.exp(-np.clip(middle - stimulus_on_s, 0, None) / DECAY_S)
    cumulative = np.concatenate([[0.0], np.cumsum(rise * adaptation * decay) * _PROFILE_STEP_S])
    scale = stimulus_on_s / np.interp(stimulus_on_s, time, cumulative)
    return ResponseProfile(time, cumulative * scale)


def compute_window_share(
    profile: ResponseProfile, latency: np.ndarray, window_s: tuple[float, float]
) -> np.ndarray:
    """Mean of each unit's time course over a window after onset, shape (n_units,)."""
    integral = [np.interp(edge - latency, profile.time, profile.cumulative) for edge in window_s]
    return (integral[1] - integral[0]) / (window_s[1] - window_s[0])


def draw_spike_trains(
    options: SimulatedITOptions,
    population: ITPopulation,
    evoked: np.ndarray,
    plan: SessionPlan,
    gain: np.ndarray,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Draw the spikes of all units of a session.

    Parameters
    ----------
    options : SimulatedITOptions
        Durations.
    population : ITPopulation
        Spontaneous rates and latencies.
    evoked : array of shape (n_stimuli, n_units)
        Added rate, Hz.
    plan : SessionPlan
        What was shown when.
    gain : array of shape (n_trials, n_units)
        Gain of each trial.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    spike_times : list of array of shape (n_spikes,)
        Sorted, s from the session's start, one array per unit.

    Notes
    -----
    Sums of independent Poisson processes are Poisson processes: spontaneous spikes are uniform
    within a trial, evoked ones follow the time course. There is no refractory period.
    """
    period = options.stimulus_on_s + options.stimulus_off_s
    profile = make_profile(options.stimulus_on_s)
    total = profile.cumulative[-1]
    onset = plan.photodiode_onset
    trains = []
    for index in range(len(population.unit)):
        unit_gain = gain[:, index]
        n_evoked = generator.poisson(unit_gain * evoked[plan.stimulus, index] * total)
        course = np.interp(
            generator.uniform(0, total, n_evoked.sum()), profile.cumulative, profile.time
        )
        evoked_times = np.repeat(onset, n_evoked) + population.latency[index] + course
        rate = population.spontaneous_rate[index]
        n_spontaneous = generator.poisson(unit_gain * rate * period)
        within = generator.uniform(0, period, n_spontaneous.sum())
        spontaneous_times = np.repeat(plan.start_time, n_spontaneous) + within
        margin_s = 2 * LEAD_IN_S
        outside = generator.uniform(0, margin_s, generator.poisson(rate * margin_s))
        end = plan.start_time[-1] + period
        outside = np.where(outside < LEAD_IN_S, outside, end + outside - LEAD_IN_S)
        times = np.concatenate([evoked_times, spontaneous_times, outside])
        trains.append(np.sort(np.round(times, 6)))
    return trains
