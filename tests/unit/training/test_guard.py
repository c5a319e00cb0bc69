from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from brainalign.errors import CorruptDataError
from brainalign.training.guard import GradientGuard


def make_step(clip: float | None = None, limit: int = 3):
    parameter = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimiser = torch.optim.SGD([parameter], lr=1.0)
    return parameter, optimiser, GradientGuard(limit, clip)


def take_step(guard: GradientGuard, loss: torch.Tensor, parameters, optimiser) -> bool:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    return guard.take_step(loss, parameters, optimiser)


def test_an_infinite_gradient_of_a_finite_loss_is_skipped():
    parameter, optimiser, guard = make_step()
    loss = (parameter - parameter.detach()).abs().sqrt().sum()
    assert math.isfinite(loss.item())
    assert not take_step(guard, loss, [parameter], optimiser)
    assert parameter.tolist() == [3.0, 4.0]


def test_a_good_step_resets_the_count():
    parameter, optimiser, guard = make_step(limit=2)
    for _ in range(5):
        assert not take_step(guard, parameter.sum() * math.nan, [parameter], optimiser)
        assert take_step(guard, parameter.sum(), [parameter], optimiser)


def test_too_many_bad_steps_in_a_row_are_an_error():
    parameter, optimiser, guard = make_step(limit=2)
    take_step(guard, parameter.sum() * math.nan, [parameter], optimiser)
    with pytest.raises(CorruptDataError, match="2 steps in a row"):
        take_step(guard, parameter.sum() * math.nan, [parameter], optimiser)


def test_a_long_gradient_is_clipped_to_the_given_norm():
    parameter, optimiser, guard = make_step(clip=1.0)
    take_step(guard, (parameter**2).sum(), [parameter], optimiser)
    step = torch.tensor([3.0, 4.0]) - parameter.detach()
    assert float(step.norm()) == pytest.approx(1.0, abs=1e-4)


def test_a_short_gradient_is_not_clipped():
    parameter, optimiser, guard = make_step(clip=100.0)
    take_step(guard, (parameter**2).sum(), [parameter], optimiser)
    assert parameter.tolist() == [-3.0, -4.0]
