"""Spike-triggered averages, their test, and Gaussian receptive fields."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.responses.receptive_fields import (
    ReceptiveFields,
    convert_outlines,
    fit_gaussians,
)
from brainalign.responses.spike_triggered import (
    compute_spike_triggered_average,
    estimate_receptive_fields,
)

_N_LAGS = 6


def _plant(seed: int = 0, n_frames: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """White noise on 8 x 8 checks; an ON cell, an OFF cell at two frames lag, and noise."""
    generator = np.random.default_rng(seed)
    contrast = generator.choice([-1.0, 1.0], (n_frames, 64)).astype(np.float32)
    on, off = np.roll(contrast[:, 27], 2), -np.roll(contrast[:, 44], 2)
    rate = np.stack([np.exp(on), np.exp(off), np.ones(n_frames)], axis=1)
    return contrast, generator.poisson(0.3 * rate).astype(np.float32)


def test_average_is_that_of_a_loop_over_spikes() -> None:
    contrast, count = _plant(n_frames=200)
    average = compute_spike_triggered_average(contrast, count, _N_LAGS)
    for unit in range(3):
        for lag in range(_N_LAGS):
            total = sum(
                count[frame, unit] * contrast[frame - lag] for frame in range(lag, len(count))
            )
            expected = total / count[lag:, unit].sum()
            np.testing.assert_allclose(average[unit, lag], expected, rtol=1e-4, atol=1e-6)


def test_planted_place_lag_and_polarity_are_found() -> None:
    found = estimate_receptive_fields([_plant()], _N_LAGS)
    assert found.spatial[:2].argmax(axis=1).tolist() == [27, 44]
    assert np.abs(found.time_course[:2]).argmax(axis=1).tolist() == [2, 2]
    assert found.polarity[:2].tolist() == [1.0, -1.0]


def test_held_out_test_tells_driven_cells_from_noise() -> None:
    p_value = estimate_receptive_fields([_plant()], _N_LAGS).p_value
    assert (p_value[:2] < 0.005).all()
    assert p_value[2] > 0.02


def test_p_values_of_undriven_cells_are_uniform() -> None:
    generator = np.random.default_rng(0)
    contrast = generator.choice([-1.0, 1.0], (1500, 36)).astype(np.float32)
    count = generator.poisson(0.3, (1500, 200)).astype(np.float32)
    p_value = estimate_receptive_fields([(contrast, count)], 4).p_value
    assert 0.4 < np.median(p_value) < 0.6
    assert (p_value < 0.05).mean() < 0.1


def test_silent_unit_is_not_significant() -> None:
    contrast, count = _plant()
    count[:, 2] = 0
    assert estimate_receptive_fields([(contrast, count)], _N_LAGS).p_value[2] == 1.0


def test_movie_with_fewer_frames_than_the_window_is_refused() -> None:
    with pytest.raises(InputError, match=r"too few frames.*at least 24 frames.*found 20 frames"):
        estimate_receptive_fields([_plant(n_frames=20)], _N_LAGS)


def _planted_fields() -> ReceptiveFields:
    return ReceptiveFields(
        *(
            np.array(values)
            for values in ([0.3, 0.6], [0.4, 0.7], [0.1, 0.12], [0.06, 0.08], [0.5, -1.0])
        )
    )


def test_planted_gaussians_are_fitted() -> None:
    planted = _planted_fields()
    maps = planted.draw_maps(30, 30)
    noisy = maps + 0.02 * np.random.default_rng(0).standard_normal(maps.shape) + 0.1
    fitted = fit_gaussians(noisy.reshape(2, -1), 30, 30)
    for name, values in vars(planted).items():
        np.testing.assert_allclose(
            getattr(fitted, name), values, atol=0.06 if name == "angle" else 0.006
        )


def test_flat_map_has_no_fit() -> None:
    assert np.isnan(fit_gaussians(np.zeros((1, 100)), 10, 10).center_x[0])


def test_outline_gives_back_its_ellipse() -> None:
    angle = np.linspace(0, 2 * np.pi, 1000)
    along, across = 0.15 * np.cos(angle), 0.09 * np.sin(angle)
    tilt = 0.4
    x = 0.5 + np.cos(tilt) * along - np.sin(tilt) * across
    y = 0.3 + np.sin(tilt) * along + np.cos(tilt) * across
    field = convert_outlines(np.stack([x, y], axis=1)[np.newaxis], contour_sd=1.5)
    np.testing.assert_allclose(
        [
            field.center_x[0],
            field.center_y[0],
            field.axis_major[0],
            field.axis_minor[0],
            field.angle[0],
        ],
        [0.5, 0.3, 0.1, 0.06, 0.4],
        atol=1e-3,
    )


def test_maps_have_peak_one_and_are_zero_without_a_field() -> None:
    maps = _planted_fields().keep(np.array([True, False])).draw_maps(16, 16)
    assert maps[0].max() == 1.0
    assert (maps[1] == 0).all()
