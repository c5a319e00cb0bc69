"""The loss of Vi-ST against golden values and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.methods.vi_st.loss import compute_loss, cut_windows, find_windows
from brainalign.methods.vi_st.soft_dtw import compute_soft_dtw, compute_soft_dtw_divergence

GAMMA = 0.1


def make_waves() -> tuple[torch.Tensor, torch.Tensor]:
    step = torch.arange(18).double()
    first = torch.sin(0.3 * step).view(1, 6, 3).requires_grad_()
    return first, torch.cos(0.2 * step).view(1, 6, 3)


def test_soft_dtw_of_two_steps_has_its_golden_value():
    first = torch.tensor([[[0.0], [1.0]]], dtype=torch.float64)
    second = torch.tensor([[[0.0], [2.0]]], dtype=torch.float64)
    assert float(compute_soft_dtw(first, second, GAMMA)) == pytest.approx(0.9999954601, abs=1e-10)
    assert float(compute_soft_dtw(first, first, GAMMA)) == pytest.approx(-0.0000090796, abs=1e-10)
    assert float(compute_soft_dtw_divergence(first, second, GAMMA)) == pytest.approx(1, abs=1e-9)


def test_soft_dtw_of_waves_has_its_golden_values():
    first, second = make_waves()
    values = [compute_soft_dtw(*pair, GAMMA) for pair in ((first, second), (first, first))]
    assert [float(v) for v in values] == pytest.approx([1.9014743713, -0.0427492956], abs=1e-9)
    divergence = compute_soft_dtw_divergence(first, second, GAMMA)
    assert float(divergence) == pytest.approx(1.9614862568, abs=1e-9)


def test_gradient_of_the_divergence_has_its_golden_values():
    first, second = make_waves()
    compute_soft_dtw_divergence(first, second, GAMMA).sum().backward()
    head = first.grad.flatten()[:3].tolist()
    assert head == pytest.approx([-2.00001578, -1.36909698, -0.71283046], abs=1e-7)
    assert float(first.grad.sum()) == pytest.approx(-5.16126521, abs=1e-7)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gradient_agrees_with_finite_differences(scale: float):
    generator = torch.Generator().manual_seed(0)
    first = scale * torch.randn(1, 5, 2, generator=generator, dtype=torch.float64)
    second = scale * torch.randn(1, 4, 2, generator=generator, dtype=torch.float64)
    first.requires_grad_()
    (own,) = torch.autograd.grad(compute_soft_dtw(first, second, GAMMA).sum(), first)
    numeric, step = torch.zeros_like(first), 1e-6 * scale
    for index in np.ndindex(*first.shape):
        moved = [first.detach().clone() for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        costs = [float(compute_soft_dtw(m, second, GAMMA).sum()) for m in moved]
        numeric[index] = (costs[0] - costs[1]) / (2 * step)
    assert float((own - numeric).abs().max() / numeric.abs().max()) < 1e-5


def test_loss_has_its_golden_value():
    step = torch.arange(240).double()
    target = 5 * torch.relu(torch.sin(0.37 * step)).view(2, 40, 3)
    prediction = 4 * torch.cos(0.23 * step).view(2, 3, 40)
    total = float(compute_loss(prediction, target))
    assert total == pytest.approx(1.0323504396, abs=1e-9)
    root = float(compute_loss(prediction, target, kind="rmse"))
    assert root == pytest.approx(0.3788558029, abs=1e-9)


def test_a_zero_prediction_has_the_loss_of_the_formula():
    generator = torch.Generator().manual_seed(0)
    target = 8 * torch.relu(torch.randn(2, 128, 9, generator=generator, dtype=torch.float64))
    square = float(target.square().mean())
    expected = 0.1 * square**0.5 + 5e-6 * 18 * 9 * square
    found = float(compute_loss(torch.zeros(2, 9, 128, dtype=torch.float64), target))
    assert found == pytest.approx(expected, rel=5e-3)


def test_a_perfect_prediction_has_a_finite_gradient():
    target = torch.relu(torch.randn(1, 48, 3, dtype=torch.float64))
    prediction = target.transpose(1, 2).clone().requires_grad_()
    loss = compute_loss(prediction, target, dtw_windows=[6])
    loss.backward()
    assert float(loss) == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(prediction.grad).all()


def test_published_windows_leave_the_last_frames_out():
    starts = find_windows(128, 6, None)
    assert (len(starts), int(starts[-1]) + 6) == (41, 126)
    assert len(find_windows(128, 12, None)) == 20


def test_windows_lie_inside_one_stretch():
    stretch = torch.full((1, 40), -1)
    stretch[0, 3:12], stretch[0, 12:21], stretch[0, 30:34] = 0, 1, 2
    starts = find_windows(40, 6, stretch)
    assert starts.tolist() == [[0, 3], [0, 6], [0, 12], [0, 15]]
    assert cut_windows(torch.zeros(1, 40, 2), starts, 6).shape == (4, 6, 2)


def test_what_was_not_recorded_changes_no_loss():
    generator = torch.Generator().manual_seed(0)
    target = torch.relu(torch.randn(2, 40, 3, generator=generator))
    prediction = torch.randn(2, 3, 40, generator=generator)
    stretch = torch.full((2, 40), -1)
    stretch[:, 10:19] = 0
    changed = prediction.clone()
    changed[:, :, 25:] += 100
    first, second = (compute_loss(p, target, stretch, [6]) for p in (prediction, changed))
    assert float(first) == float(second)


def test_a_clip_too_short_for_windows_by_rule_is_refused():
    with pytest.raises(InputError, match=r"clip is too short.*40 frames or more, found 39"):
        compute_loss(torch.zeros(1, 2, 39), torch.zeros(1, 39, 2))
