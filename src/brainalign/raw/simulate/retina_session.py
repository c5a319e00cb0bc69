"""One session of the simulated retina: trials, frame clock and spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .retina_cells import STEPS_PER_FRAME, RetinaCells
from .retina_options import SimulatedRetinaOptions

LEAD_IN_S = 1.0  # before the first trial
CLOCK_ERROR = 2e-5  # the display runs slower than the recording's clock by this share
DOUBLE_PULSE_S = 0.003  # from a pulse to its double
MAX_START_LEAD_S = 0.008  # from the command in the trials table to the first frame
SPIKE_TIME_RESOLUTION_S = 1e-5


@dataclass(frozen=True)
class RetinaSession:
    """What was shown when, and the spikes.

    Parameters
    ----------
    cells : RetinaCells
        Who fired.
    spike_times : list of array of shape (n_spikes,)
        Per cell, s, ascending.
    trials : pandas.DataFrame
        ``movie``, ``start_time``, ``stop_time`` in s.
    frame_s : list of array of shape (n_frames,)
        Per trial the true time of every frame, s.
    pulse_s : array of shape (n_pulses,)
        Frame triggers as recorded: some missing, some double, s.
    n_missing, n_double : int
        How many pulses are missing and double.
    """

    cells: RetinaCells
    spike_times: list[np.ndarray]
    trials: pd.DataFrame
    frame_s: list[np.ndarray]
    pulse_s: np.ndarray
    n_missing: int
    n_double: int


def present_movies(
    options: SimulatedRetinaOptions,
    cells: RetinaCells,
    rates: Mapping[str, np.ndarray],
    order: list[str],
    frame_rate_hz: float,
    generator: np.random.Generator,
) -> RetinaSession:
    """Show movies one after the other and record the cells.

    Parameters
    ----------
    options : SimulatedRetinaOptions
        Pauses, variability and faults of the frame clock.
    cells : RetinaCells
        The cells.
    rates : mapping of str to array of shape (n_steps, n_cells)
        Rate of every cell in every quarter frame of each movie, Hz.
    order : list of str
        Movies in the order of trials.
    frame_rate_hz : float
        Frames per second.
    generator : numpy.random.Generator
        Source of randomness.
    """
    start = LEAD_IN_S
    rows, frame_s, pulses = [], [], []
    spikes: list[list[np.ndarray]] = [[] for _ in cells.name]
    n_missing = n_double = 0
    for movie in order:
        rate = rates[movie]
        edges = _draw_frame_edges(options, len(rate) // STEPS_PER_FRAME, frame_rate_hz, generator)
        edges += start
        frame_s.append(edges[:-1])
        first = max(0.0, edges[0] - generator.uniform(0, MAX_START_LEAD_S))
        rows.append({"movie": movie, "start_time": first, "stop_time": edges[-1]})
        recorded, missing, double = _record_pulses(options, edges[:-1], generator)
        pulses.append(recorded)
        n_missing, n_double = n_missing + missing, n_double + double
        for cell, times in enumerate(_draw_spikes(options, rate, edges, generator)):
            spikes[cell].append(times)
        start = edges[-1] + options.pause_s
    return RetinaSession(
        cells=cells,
        spike_times=[_impose_refractory(np.concatenate(own), options) for own in spikes],
        trials=pd.DataFrame(rows).round({"start_time": 6, "stop_time": 6}),
        frame_s=frame_s,
        pulse_s=np.concatenate(pulses),
        n_missing=n_missing,
        n_double=n_double,
    )


def _draw_frame_edges(
    options: SimulatedRetinaOptions,
    n_frames: int,
    frame_rate_hz: float,
    generator: np.random.Generator,
) -> np.ndarray:
    edges = np.arange(n_frames + 1) / frame_rate_hz * (1 + CLOCK_ERROR)
    jitter = options.trigger_jitter_ms / 1000 * generator.standard_normal(n_frames + 1)
    # Three standard deviations at most: frames must not swap places.
    limit = 3 * options.trigger_jitter_ms / 1000
    return edges + np.clip(jitter, -limit, limit)


def _record_pulses(
    options: SimulatedRetinaOptions, frame_s: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, int, int]:
    missing = generator.random(len(frame_s)) < options.missing_trigger_share
    double = ~missing & (generator.random(len(frame_s)) < options.double_trigger_share)
    pulses = np.concatenate([frame_s[~missing], frame_s[double] + DOUBLE_PULSE_S])
    return np.sort(pulses), int(missing.sum()), int(double.sum())


def _draw_spikes(
    options: SimulatedRetinaOptions,
    rate: np.ndarray,
    edges: np.ndarray,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Draw Poisson spikes in movie time and carry them to the clock by the frames' times."""
    n_steps, n_cells = rate.shape
    gain = np.exp(options.gain_spread * generator.standard_normal(n_cells))
    gain /= np.exp(options.gain_spread**2 / 2)
    step_edges = np.interp(np.arange(n_steps + 1) / STEPS_PER_FRAME, np.arange(len(edges)), edges)
    duration_s = np.diff(step_edges)
    count = generator.poisson(rate * gain * duration_s[:, np.newaxis])
    trains = []
    for cell in range(n_cells):
        step = np.repeat(np.arange(n_steps), count[:, cell])
        times = step_edges[step] + generator.random(len(step)) * duration_s[step]
        trains.append(np.sort(times))
    return trains


def _impose_refractory(times: np.ndarray, options: SimulatedRetinaOptions) -> np.ndarray:
    """Drop spikes that follow another too soon, and round to the resolution."""
    silence_s = options.refractory_ms / 1000
    times = np.round(times / SPIKE_TIME_RESOLUTION_S) * SPIKE_TIME_RESOLUTION_S
    while len(close := np.flatnonzero(np.diff(times) < silence_s)):
        # Of a run of close spikes the first stays; its followers are judged again.
        followers = close + 1
        times = np.delete(times, followers[np.diff(followers, prepend=-2) > 1])
    return times
