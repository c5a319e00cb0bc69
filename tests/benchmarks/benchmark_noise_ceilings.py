"""Split-half reliability and noise ceilings, against loops over splits and units.

Run with ``pytest tests/benchmarks/benchmark_noise_ceilings.py -s``.
"""

import time

import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.responses import halves
from brainalign.responses.reliability import estimate_noise_ceiling, split_half_reliability

N_STIMULI, N_REPEATS, N_UNITS, N_SPLITS = 100, 10, 200, 100


@pytest.fixture(scope="module")
def recording():
    generator = np.random.default_rng(0)
    stimulus = generator.permutation(np.repeat(np.arange(N_STIMULI), N_REPEATS))
    signal = generator.standard_normal((N_STIMULI, N_UNITS))
    noise = 2 * generator.standard_normal((len(stimulus), N_UNITS))
    return (signal[stimulus] + noise).astype(np.float32), stimulus


def correlate_by_loop(response, drawn):
    """Loop over splits and units; each half mean is one weighted count, no loop over stimuli."""
    total = np.zeros(response.shape[1])
    for in_first in drawn.in_first:
        n_first = np.bincount(drawn.code[in_first])
        n_second = np.bincount(drawn.code[~in_first])
        for unit in range(response.shape[1]):
            values = response[drawn.presentations, unit]
            first = np.bincount(drawn.code[in_first], values[in_first]) / n_first
            second = np.bincount(drawn.code[~in_first], values[~in_first]) / n_second
            correlation = np.corrcoef(first, second)[0, 1]
            total[unit] += 2 * correlation / (1 + correlation)
    return total / len(drawn.in_first)


@pytest.mark.benchmark
def test_split_halves_against_a_loop(recording):
    response, stimulus = recording
    labels = stimulus.astype(str)
    columns = np.asfortranarray(response.astype(np.float64))

    def loop():
        ((_, drawn),) = halves.halve_recordings(response, labels, N_SPLITS, 0)
        return correlate_by_loop(columns, drawn)

    def vectorise():
        return split_half_reliability(response, stimulus, N_SPLITS, 0)

    np.testing.assert_allclose(vectorise(), loop(), rtol=0, atol=1e-10)
    compare_times(
        f"split halves, {N_SPLITS} splits x {N_UNITS} units x {len(stimulus)} presentations",
        loop,
        vectorise,
        clock=time.process_time,
    )


@pytest.mark.benchmark
def test_variance_components_against_a_loop(recording):
    response, stimulus = recording
    columns = np.asfortranarray(response.astype(np.float64))

    def loop():
        members = [stimulus == name for name in np.unique(stimulus)]
        ceiling = np.empty(N_UNITS)
        for unit in range(N_UNITS):
            groups = [columns[member, unit] for member in members]
            noise = np.mean([group.var(ddof=1) for group in groups])
            signal = np.var([group.mean() for group in groups], ddof=1) - noise / N_REPEATS
            ceiling[unit] = max(signal, 0) / (max(signal, 0) + noise / N_REPEATS)
        return ceiling

    def vectorise():
        return estimate_noise_ceiling(response, stimulus).repeat_mean

    np.testing.assert_allclose(vectorise(), loop(), rtol=0, atol=1e-10)
    compare_times(
        f"variance components, {N_UNITS} units x {len(stimulus)} presentations",
        loop,
        vectorise,
        clock=time.process_time,
    )
