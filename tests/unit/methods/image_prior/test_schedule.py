"""The noise schedule against the public formula, written here a second time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.methods.image_prior.schedule import (
    choose_levels,
    compute_alpha_bar,
    compute_betas,
)


def test_the_schedule_is_that_of_the_public_formula_to_3e_8() -> None:
    steps = torch.linspace(0, 150, 151, dtype=torch.float64) / 150
    start, end = torch.tensor(-3.0).double().sigmoid(), torch.tensor(3.0).double().sigmoid()
    curve = (-(steps * 6 - 3).sigmoid() + end) / (end - start)
    betas = (1 - curve[1:] / curve[:-1]).clamp(0, 0.999)
    expected = torch.cumprod(1 - betas, dim=0).numpy()
    assert np.abs(compute_alpha_bar(150)[1:] - expected).max() < 3e-8


def test_the_schedule_has_the_published_values() -> None:
    alpha_bar = compute_alpha_bar(150)
    assert alpha_bar[0] == 1
    published = {1: 0.998, 76: 0.489, 101: 0.236, 121: 0.099, 135: 0.0395, 136: 0.0362}
    for level, value in published.items():
        assert alpha_bar[level] == pytest.approx(value, abs=5e-4)
    assert alpha_bar[150] == pytest.approx(2e-6, rel=0.25)
    assert math.sqrt(alpha_bar[135]) == pytest.approx(0.199, abs=1e-3)


def test_betas_give_the_schedule_back() -> None:
    alpha_bar = compute_alpha_bar(40)
    assert np.allclose(np.cumprod(1 - compute_betas(alpha_bar)), alpha_bar[1:])


def test_all_levels_are_visited_without_a_number_of_steps() -> None:
    assert choose_levels(7, None).tolist() == list(range(8))


def test_few_steps_start_at_zero_and_end_at_the_level() -> None:
    levels = choose_levels(135, 25)
    assert (levels[0], levels[-1], len(levels)) == (0, 135, 26)
    assert (np.diff(levels) > 0).all()


def test_more_steps_than_levels_are_refused() -> None:
    with pytest.raises(InputError, match="more steps than noise levels"):
        choose_levels(10, 11)
