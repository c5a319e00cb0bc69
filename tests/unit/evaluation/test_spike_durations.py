"""SD-KL against golden values, and its degenerate cases by reason."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.evaluation.spike_durations import compare_durations, measure_durations


def make_bursts(period: float, modulation: float) -> np.ndarray:
    time = np.arange(900)
    phase = 2 * np.pi * time / period + modulation * np.sin(2 * np.pi * time / 300)
    return 10 * np.maximum(0, np.sin(phase))


@pytest.fixture
def durations() -> tuple[np.ndarray, np.ndarray]:
    return measure_durations(make_bursts(45, 3)), measure_durations(make_bursts(60, 2))


def test_bursts_have_their_golden_durations(durations):
    assert [(len(d), round(d.sum())) for d in durations] == [(20, 469), (15, 464)]
    assert measure_durations([0, 0, 2, 3, 0, 0, 0.5, 0, 0, 5, 5, 0, 0, 0.2, 0.8, 0.2, 0]) == (
        pytest.approx([3, 2, 3, 4])
    )
    assert measure_durations([0, 3, 1.2, 4, 0, 0, 0, 0.4, 0]) == pytest.approx([4, 4, 2])


@pytest.mark.parametrize(
    ("alpha", "forward", "backward"), [(0.3, 8.964935, 7.877663), (0.5, 1.288817, 1.426323)]
)
def test_divergence_has_its_golden_values_in_both_directions(durations, alpha, forward, backward):
    first, second = durations
    for direction, expected in (("code", (forward, backward)), ("paper", (backward, forward))):
        found = [
            compare_durations(second, first, alpha, direction)[0],
            compare_durations(first, second, alpha, direction)[0],
        ]
        assert found == pytest.approx(expected, abs=1e-6)


def test_equal_rates_have_no_divergence(durations):
    assert compare_durations(durations[0], durations[0], 0.3) == (0.0, "")


def test_a_constant_rate_is_degenerate_for_lack_of_events(durations):
    constant = measure_durations(np.full(900, 3.0))
    assert compare_durations(constant, durations[0], 0.5) == (1000.0, "few events")
    assert compare_durations([2, 2, 2], durations[0], 0.5) == (1000.0, "zero variance")
    assert compare_durations([1, 2, 3], [50, 60, 70], 0.3) == (1000.0, "underflow")


def test_the_rate_is_not_changed():
    rate = np.array([0.0, -2.0, 3.0, 0.0])
    measure_durations(rate)
    assert rate.tolist() == [0.0, -2.0, 3.0, 0.0]
