from __future__ import annotations

import pytest
import torch
from torch.nn.functional import normalize

from brainalign.methods.clip_mused.losses import (
    compute_label_loss,
    compute_orthogonality,
    compute_rdm,
    compute_rsa_loss,
    process_target,
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_dissimilarity_is_one_less_the_cosine():
    rows = draw(5, 7)
    unit = normalize(rows, dim=1)
    torch.testing.assert_close(compute_rdm(rows), 1 - unit @ unit.T, atol=1e-5, rtol=0)


def test_similarity_loss_is_the_mean_over_all_pairs():
    token, target = draw(4, 6), normalize(draw(4, 3, seed=1), dim=1)
    expected = (compute_rdm(target) - compute_rdm(token)).square().sum() / 16
    torch.testing.assert_close(compute_rsa_loss(token, target), expected, atol=1e-5, rtol=0)


def test_tokens_that_equal_their_targets_have_no_loss():
    target = normalize(draw(6, 5), dim=1)
    assert float(compute_rsa_loss(target, target)) < 1e-9


def test_scaling_tokens_leaves_the_similarity_loss():
    token, target = draw(6, 5), normalize(draw(6, 4, seed=1), dim=1)
    assert abs(float(compute_rsa_loss(token, target) - compute_rsa_loss(9 * token, target))) < 1e-5


@pytest.mark.parametrize("kind", ["all_pairs", "absolute", "squared"])
def test_order_of_a_batch_changes_no_loss(kind):
    high, low, target = draw(6, 5), draw(6, 5, seed=1), normalize(draw(6, 4, seed=2), dim=1)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        compute_orthogonality(high[order], low[order], kind), compute_orthogonality(high, low, kind)
    )
    torch.testing.assert_close(
        compute_rsa_loss(high[order], target[order]), compute_rsa_loss(high, target)
    )


def test_orthogonal_levels_have_no_penalty():
    high = torch.cat([draw(4, 3), torch.zeros(4, 3)], 1)
    low = torch.cat([torch.zeros(4, 3), draw(4, 3, seed=1)], 1)
    for kind in ("all_pairs", "absolute", "squared"):
        assert float(compute_orthogonality(high, low, kind)) == 0


def test_penalty_over_all_pairs_is_the_published_one():
    high, low = draw(3, 4), draw(3, 4, seed=1)
    expected = sum(float(h @ v) ** 2 for h in high for v in low) / 9
    assert float(compute_orthogonality(high, low)) == pytest.approx(expected)


def test_tokens_of_length_zero_have_a_finite_gradient():
    token = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    compute_rsa_loss(token, normalize(draw(3, 4), dim=1)).backward()
    assert torch.isfinite(token.grad).all()


def test_similarity_loss_has_the_gradient_of_finite_differences():
    target = normalize(draw(4, 3, seed=1), dim=1)
    token = draw(4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda rows: compute_rsa_loss(rows, target), [token])


def test_a_batch_of_one_class_or_one_sample_has_a_finite_loss():
    learnable = torch.tensor([True, False])
    for label in (torch.ones(4, 2), torch.zeros(1, 2)):
        assert torch.isfinite(compute_label_loss(torch.zeros(len(label), 2), label, learnable))


def test_classes_that_cannot_be_learned_have_no_weight():
    logit = torch.tensor([[0.3, 5.0]])
    learnable = torch.tensor([True, False])
    first = compute_label_loss(logit, torch.tensor([[1.0, 0.0]]), learnable)
    second = compute_label_loss(logit, torch.tensor([[1.0, 1.0]]), learnable)
    assert first == second


def test_targets_are_clamped_before_they_get_length_one():
    target = process_target(torch.tensor([[9.0, 1.5, 0.0]]), None, 1.5)
    torch.testing.assert_close(target, torch.tensor([[2**-0.5, 2**-0.5, 0.0]]))
