"""The shared codebook: formulas, known defects of the public code, symmetry."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn import functional

from brainalign.errors import InputError
from brainalign.methods.neuroalign.codebook import (
    SharedCodebook,
    compute_commitment,
    measure_code_errors,
)
from brainalign.methods.neuroalign.losses import compute_code_matching
from brainalign.methods.neuroalign.options import NeuroAlignOptions

N_CLIPS, N_STEPS, WIDTH, N_CODES = 16, 10, 32, 40


def make_codebook(n_modalities: int = 2, **options: object) -> SharedCodebook:
    given = {"dimension": WIDTH, "n_codes": N_CODES, **options}
    return SharedCodebook(n_modalities, NeuroAlignOptions.model_validate(given)).double()


def make_tokens(n_modalities: int = 2, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    mapping = torch.randn(8, WIDTH, generator=torch.Generator().manual_seed(9)).double()
    shared = draw(1, N_CLIPS, N_STEPS, 8) @ mapping
    return functional.layer_norm(shared + draw(n_modalities, N_CLIPS, N_STEPS, WIDTH), (WIDTH,))


def step(codebook: SharedCodebook, token: torch.Tensor, seed: int = 0):
    return codebook(token, generator=torch.Generator().manual_seed(seed))


def list_state(codebook: SharedCodebook) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in codebook.state_dict().items()}


def start(codebook: SharedCodebook) -> SharedCodebook:
    for number in range(3):
        step(codebook, make_tokens(len(codebook.idle), number))
    return codebook


def update_by_formula(codebook: SharedCodebook, token: torch.Tensor) -> list[torch.Tensor]:
    """The update of the public code, modality after modality, from its formulas."""
    count, total, decay = codebook.count.clone(), codebook.total.clone(), codebook.decay
    snapshot, flat = codebook.code.clone(), token.flatten(1, 2)
    n_codes, n_others = len(count), len(token) - 1
    for own in range(len(token)):
        one_hot = functional.one_hot(torch.cdist(flat[own], snapshot).argmin(1), n_codes).double()
        target = 0.5 * flat[own]
        target = target + sum(flat[m] for m in range(len(token)) if m != own) * 0.5 / n_others
        count = decay * count + (1 - decay) * one_hot.sum(0)
        n = count.sum()
        count = (count + 1e-5) / (n + n_codes * 1e-5) * n
        total = decay * total + (1 - decay) * one_hot.T @ target
        code = total / count[:, None]
    return [code, count, total]


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_update_in_turn_follows_the_public_formulas(n_modalities: int):
    codebook = start(make_codebook(n_modalities, codebook="mmema_seq"))
    token = make_tokens(n_modalities, 7)
    expected = update_by_formula(codebook, token)
    step(codebook, token)
    for found, wanted in zip(
        (codebook.code, codebook.count, codebook.total), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)


def test_update_at_once_follows_equation_7_from_one_snapshot():
    codebook = start(make_codebook(codebook="mmema_sync"))
    token, before = make_tokens(seed=7), list_state(codebook)
    step(codebook, token)
    flat, decay = token.flatten(1, 2), codebook.decay
    count, total = decay * before["count"], decay * before["total"]
    middle = 0.5 * (flat[0] + flat[1])
    for own in flat:
        chosen = torch.cdist(own, before["code"]).argmin(1)
        one_hot = functional.one_hot(chosen, N_CODES).double()
        count = count + (1 - decay) * one_hot.sum(0)
        total = total + (1 - decay) * one_hot.T @ middle
    torch.testing.assert_close(codebook.count, count)
    torch.testing.assert_close(codebook.total, total)


@pytest.mark.parametrize(
    ("kind", "is_symmetric"), [("dynasync", True), ("mmema_sync", True), ("mmema_seq", False)]
)
def test_order_of_modalities_matters_only_to_the_public_update(kind: str, is_symmetric: bool):
    first = start(make_codebook(codebook=kind))
    second = copy.deepcopy(first)
    for name in ("idle", "squared_error", "modality_weight"):
        setattr(second, name, getattr(first, name).flip(0).clone())
    token = make_tokens(seed=7)
    losses = [
        float(compute_commitment(step(first, token), 0.25, WIDTH)),
        float(compute_commitment(step(second, token.flip(0)), 0.25, WIDTH)),
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-9)
    assert torch.allclose(first.code, second.code, rtol=0, atol=1e-6) == is_symmetric


def test_equal_bounds_without_reliability_are_fixed_halves():
    fixed = start(make_codebook(codebook="mmema_sync"))
    weighed = make_codebook(codebook="dynasync", cross_weights=[0.5, 0.5], use_reliability=False)
    weighed.load_state_dict(fixed.state_dict())
    token = make_tokens(seed=7)
    step(fixed, token)
    step(weighed, token)
    assert torch.equal(fixed.code, weighed.code)


def test_equal_reliability_leaves_the_weight_of_the_agreement():
    codebook = start(make_codebook(codebook="dynasync"))
    without = copy.deepcopy(codebook)
    without.options = codebook.options.model_copy(update={"use_reliability": False})
    token = make_tokens(1, 7).expand(2, -1, -1, -1)
    codebook.squared_error.fill_(1e12)
    without.squared_error.fill_(1e12)
    weights = [step(one, token).cross_weight for one in (codebook, without)]
    torch.testing.assert_close(*weights, rtol=1e-6, atol=1e-9)


def test_cross_weights_stay_within_their_bounds():
    codebook = start(make_codebook(3, codebook="dynasync"))
    weight = 2 * step(codebook, make_tokens(3, 7)).cross_weight
    assert float(weight.min()) >= 0
    assert float(weight.max()) <= 0.5 + 1e-12


def test_a_code_that_was_reset_stays_where_it_was_put():
    codebook = start(make_codebook())
    codebook.code[0] = codebook.total[0] = 100.0
    codebook.count[0] = 1.0
    codebook.idle[0, 0] = 301
    token = make_tokens(seed=7)
    step(codebook, token)
    step(codebook, make_tokens(seed=8))
    assert float(codebook.code[0].norm()) < 2 * float(token.norm(dim=-1).mean())


@pytest.mark.parametrize(("rule", "is_replaced"), [("any", True), ("all", False), ("never", False)])
def test_a_code_is_dead_by_the_chosen_rule(rule: str, is_replaced: bool):
    codebook = start(make_codebook(dead_when=rule))
    codebook.code[0] = 100.0
    codebook.total[0] = 100.0 * codebook.count[0]
    codebook.idle[0, 0] = 301
    codebook.idle[1, 0] = 0
    step(codebook, make_tokens(seed=7))
    assert (float(codebook.code[0].norm()) < 100) == is_replaced


def test_evaluation_changes_no_buffer_even_with_dead_codes():
    codebook = start(make_codebook()).eval()
    codebook.idle.fill_(500)
    before = list_state(codebook)
    step(codebook, make_tokens(seed=7))
    assert all(torch.equal(before[name], value) for name, value in codebook.state_dict().items())


@pytest.mark.parametrize("kind", ["dynasync", "mmema_sync", "mmema_seq", "own"])
def test_a_code_without_use_keeps_its_place(kind: str):
    codebook = start(make_codebook(codebook=kind))
    codebook.code[0], codebook.total[0] = 50.0, 50.0 * codebook.count[0]
    before = codebook.code[0].clone()
    step(codebook, make_tokens(seed=7))
    assert float((codebook.code[0] / before - 1).abs().max()) < 1e-4


def test_first_codes_are_tokens_with_counts_that_fit():
    codebook = make_codebook()
    token = make_tokens()
    codebook._start(token, None, torch.Generator().manual_seed(0))
    assert float(codebook.count.sum()) == pytest.approx(2 * N_CLIPS * N_STEPS)
    assert float(torch.cdist(codebook.code, token.flatten(0, 2)).min(1).values.max()) < 1e-5


def test_a_codebook_larger_than_the_first_batch_starts_with_distinct_codes():
    codebook = make_codebook(n_codes=500)
    step(codebook, make_tokens())
    assert torch.isfinite(codebook.code).all()
    assert len(torch.unique(codebook.code, dim=0)) == 500


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_two_modalities_work_in_any_precision(dtype: torch.dtype):
    codebook = make_codebook().to(torch.float64 if dtype == torch.float64 else torch.float32)
    token = make_tokens().to(dtype).requires_grad_()
    loss = compute_commitment(step(codebook, token), 0.25, WIDTH)
    loss = loss + compute_code_matching(step(codebook, token).squared_distance)
    loss.backward()
    assert torch.isfinite(token.grad).all()


def test_censored_moments_change_neither_codebook_nor_commitment():
    codebook = start(make_codebook())
    other = copy.deepcopy(codebook)
    token = make_tokens(seed=7)
    valid = torch.ones(N_CLIPS, N_STEPS, dtype=torch.bool)
    valid[:, 3] = False
    changed = token.clone()
    changed[:, :, 3] = float("nan")
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    first = codebook(token, valid, generators[0])
    other(changed, valid, generators[1])
    torch.testing.assert_close(codebook.code, other.code)
    moved = token.clone()
    moved[:, :, 3] += 5
    second = copy.deepcopy(codebook).eval()(moved, valid)
    first = copy.deepcopy(codebook).eval()(token, valid)
    losses = [float(compute_commitment(one, 0.25, WIDTH, valid)) for one in (first, second)]
    assert losses[0] == losses[1]


def test_errors_read_from_distances_are_those_of_the_vectors():
    codebook = start(make_codebook(3)).eval()
    token = make_tokens(3, 7)
    quantised = step(codebook, token)
    own, cross = measure_code_errors(quantised)
    code = codebook.look_up(quantised.code)
    torch.testing.assert_close(own, (token - code).square().sum(-1))
    torch.testing.assert_close(cross[0, 1], (token[0] - code[2]).square().sum(-1))


def test_an_update_between_forward_and_backward_harms_no_gradient():
    codebook = start(make_codebook())
    token = make_tokens(seed=7).requires_grad_()
    loss = compute_code_matching(step(codebook, token).squared_distance)
    step(codebook, token.detach())
    loss.backward()
    assert torch.isfinite(token.grad).all()


def test_a_token_on_its_code_has_a_finite_gradient():
    codebook = start(make_codebook()).float().eval()
    token = codebook.code[:20].view(1, 2, 10, WIDTH).repeat(2, 1, 1, 1).requires_grad_()
    compute_code_matching(step(codebook, token).squared_distance).backward()
    assert torch.isfinite(token.grad).all()


def test_code_matching_of_equal_windows_is_the_logarithm_of_their_number():
    squared = torch.rand(2, 1, 10, N_CODES, dtype=torch.float64).expand(2, 16, 10, N_CODES)
    assert float(compute_code_matching(squared)) == pytest.approx(math.log(16), abs=1e-9)


def test_code_matching_of_far_codes_stays_finite():
    # Distances of thousands: their exponentials are 0 in single precision.
    squared = (1e7 * torch.rand(2, 4, 10, N_CODES)).requires_grad_()
    loss = compute_code_matching(squared)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(squared.grad).all()


def test_one_modality_has_no_shared_codebook():
    with pytest.raises(InputError, match="needs two modalities"):
        make_codebook(1)
