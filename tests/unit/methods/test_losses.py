from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from brainalign.methods.vna.losses import LogitScale, compute_info_nce

SCALE = 1 / 0.07


def make_pairs(n_pairs: int = 64, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(0)
    f, g = (
        normalize(torch.randn(n_pairs, 32, generator=generator, dtype=torch.float64), dim=1)
        for _ in range(2)
    )
    return f.to(dtype).requires_grad_(), g.to(dtype).requires_grad_()


def test_with_distinct_stimuli_it_is_the_loss_of_clip():
    f, g = make_pairs()
    target = torch.arange(len(f))
    logits = SCALE * f @ g.T
    expected = 0.5 * (cross_entropy(logits, target) + cross_entropy(logits.T, target))
    loss = compute_info_nce(f, g, SCALE, target)
    assert float((loss - expected).detach().abs()) < 1e-12
    for mine, theirs in zip(
        torch.autograd.grad(loss, (f, g)), torch.autograd.grad(expected, (f, g)), strict=True
    ):
        assert float((mine - theirs).abs().max()) < 1e-12


def test_fp32_agrees_with_fp64():
    single = compute_info_nce(*make_pairs(dtype=torch.float32), SCALE, torch.arange(64))
    double = compute_info_nce(*make_pairs(), SCALE, torch.arange(64))
    assert single.item() == pytest.approx(double.item(), abs=1e-6)


def test_several_positives_agree_with_the_written_out_formula():
    f, g = make_pairs(6)
    stimulus = torch.tensor([0, 1, 0, 2, 1, 0])
    exponential = torch.exp(SCALE * f @ g.T)
    share = 0.0
    for i in range(6):
        positive = [j for j in range(6) if stimulus[j] == stimulus[i]]
        share -= torch.log(sum(exponential[i, j] for j in positive) / exponential[i].sum())
        share -= torch.log(sum(exponential[j, i] for j in positive) / exponential[:, i].sum())
    loss = compute_info_nce(f, g, SCALE, stimulus)
    assert loss.item() == pytest.approx(share.item() / 12, abs=1e-12)


def test_permuting_the_repeats_of_a_stimulus_changes_nothing():
    f, g = make_pairs(12)
    stimulus = torch.tensor([0, 1, 2] * 4)
    order = torch.tensor([9, 4, 5, 0, 10, 2, 6, 1, 8, 3, 7, 11])
    assert torch.equal(stimulus[order], stimulus)
    before = compute_info_nce(f, g, SCALE, stimulus)
    after = compute_info_nce(f, g[order], SCALE, stimulus)
    assert after.item() == pytest.approx(before.item(), abs=1e-12)


def test_a_batch_of_one_stimulus_has_no_loss_and_no_gradient():
    f, g = make_pairs(8)
    loss = compute_info_nce(f, g, SCALE, torch.zeros(8, dtype=torch.int64))
    assert loss.item() == 0
    for gradient in torch.autograd.grad(loss, (f, g)):
        assert float(gradient.abs().max()) == 0


def test_the_loss_is_fp32_under_autocast():
    f, g = make_pairs(dtype=torch.float32)
    expected = compute_info_nce(f, g, SCALE, torch.arange(64))
    with torch.autocast("cpu", torch.bfloat16):
        loss = compute_info_nce(f, g, SCALE, torch.arange(64))
    assert loss.dtype == torch.float32
    assert loss.item() == expected.item()


def test_the_scale_starts_where_it_should_and_is_clamped_by_value():
    scale = LogitScale(SCALE)
    assert scale().item() == pytest.approx(SCALE, rel=1e-6)
    with torch.no_grad():
        scale.log_scale.fill_(math.log(1e4))
    assert scale().item() == 100
    assert scale.log_scale.item() == pytest.approx(math.log(1e4))
