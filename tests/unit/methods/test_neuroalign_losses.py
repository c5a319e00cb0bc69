"""The losses of NeuroAlign against values that follow from their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from brainalign.methods.neuroalign.losses import (
    CrossPrediction,
    compute_code_matching,
    compute_global_contrast,
    find_overlap,
)
from brainalign.methods.neuroalign.options import NeuroAlignOptions

N_CLIPS, N_STEPS, WIDTH = 16, 10, 8


def make_prediction(n_modalities: int = 2, **options: object) -> CrossPrediction:
    given = {"dimension": WIDTH, "heads": 2, "prediction_negatives": "clips", **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = CrossPrediction(n_modalities, NeuroAlignOptions.model_validate(given))
    return module.double()


def make_tokens(n_modalities: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (n_modalities, N_CLIPS, N_STEPS, WIDTH)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def make_unit_vectors() -> tuple[torch.Tensor, torch.Tensor]:
    first, second = make_tokens()[:, :, 0]
    return functional.normalize(first, dim=1), functional.normalize(second, dim=1)


def predict_by_loops(module: CrossPrediction, token: torch.Tensor) -> float:
    """The recommended loss from its formula, one logit at a time."""
    unit = functional.normalize(token, dim=-1)
    context = [memory(one)[0] for memory, one in zip(module.memories, token, strict=True)]
    total, scale = 0.0, float(module.scale())
    for source in range(len(token)):
        for sink in range(len(token)):
            weight = 0.1 if source == sink else 1.0
            for step in range(1, module.n_steps + 1):
                losses = []
                for time in range(1, N_STEPS - step):
                    predictor = module.predictors[source * module.n_steps + step - 1]
                    predicted = functional.normalize(predictor(context[source][:, time]), dim=-1)
                    logits = scale * predicted @ unit[sink, :, time + step].T
                    rows, columns = logits.log_softmax(1), logits.log_softmax(0)
                    losses.append(-0.5 * float((rows.diagonal() + columns.diagonal()).mean()))
                total += weight * sum(losses) / len(losses) / module.n_steps
    return total


@pytest.mark.parametrize("n_modalities", [2, 3])
def test_prediction_of_all_moments_is_that_of_its_formula(n_modalities: int):
    module, token = make_prediction(n_modalities), make_tokens(n_modalities)
    assert float(module(token)) == pytest.approx(predict_by_loops(module, token), abs=1e-10)


@pytest.mark.parametrize(("n_modalities", "weights"), [(2, 2.2), (3, 6.3)])
def test_prediction_without_scale_is_the_logarithm_of_the_clips(n_modalities: int, weights: float):
    module = make_prediction(n_modalities)
    torch.nn.init.constant_(module.scale.log_scale, -math.inf)
    found = float(module(make_tokens(n_modalities)))
    assert found == pytest.approx(weights * math.log(N_CLIPS), abs=1e-9)


def test_other_moments_join_the_candidates_of_a_prediction():
    module = make_prediction(prediction_negatives="moments")
    torch.nn.init.constant_(module.scale.log_scale, -math.inf)
    expected = 2.2 * 0.5 * (math.log(N_CLIPS) + math.log(N_CLIPS + N_STEPS - 1))
    assert float(module(make_tokens())) == pytest.approx(expected, abs=1e-9)


def test_a_prediction_knows_nothing_of_what_comes():
    module, token = make_prediction(), make_tokens()
    changed = token.clone()
    changed[:, :, 6:] += 1
    contexts = [module.memories[0](one[0])[0][:, :6] for one in (token, changed)]
    assert torch.equal(*contexts)


def test_censored_moments_change_no_prediction_loss():
    module, token = make_prediction(), make_tokens()
    valid = torch.ones(2, N_CLIPS, N_STEPS, dtype=torch.bool)
    valid[0, 3, 9] = False
    changed = token.clone()
    changed[0, 3, 9] += 5
    first, second = (float(module(one, valid=valid)) for one in (token, changed))
    assert first == pytest.approx(second, abs=1e-12)
    assert math.isfinite(first)


def test_released_prediction_takes_the_softmax_over_predictions():
    module, token = make_prediction(prediction="released"), make_tokens()
    context = [memory(one)[0] for memory, one in zip(module.memories, token, strict=True)]
    expected = 0.0
    for source in range(2):
        predicted = module.predictors[source](context[source][:, 4])
        for sink in range(2):
            weight = 0.1 if source == sink else 1.0
            logits = token[sink, :, 5] @ predicted.T
            expected -= weight * float(logits.log_softmax(1).diagonal().mean())
    found = float(module(token, torch.tensor(4)))
    assert found == pytest.approx(expected, abs=1e-10)


def test_contrast_with_all_negatives_masked_is_zero():
    first, second = make_unit_vectors()
    mask = ~torch.eye(N_CLIPS, dtype=torch.bool)
    assert float(compute_global_contrast(first, second, 14.0, mask)) == 0.0


def test_a_window_that_overlaps_leaves_the_row_of_its_neighbour_alone():
    first, second = make_unit_vectors()
    segment = torch.arange(N_CLIPS)
    segment[-1] = 0
    start = torch.zeros(N_CLIPS, dtype=torch.int64)
    start[-1] = 5
    overlap = find_overlap(segment, start, N_STEPS)

    def compute_row(rows: slice) -> torch.Tensor:
        logits = 14 * first[rows] @ second[rows].T
        return logits.masked_fill(overlap[rows, rows], -math.inf).log_softmax(1)[0, 0]

    assert float(compute_row(slice(None))) == pytest.approx(float(compute_row(slice(-1))))
    assert overlap.sum() == 2


def test_windows_of_other_segments_or_further_apart_are_negatives():
    overlap = find_overlap(torch.tensor([0, 0, 1]), torch.tensor([0, 10, 1]), 10)
    assert not overlap.any()


@pytest.mark.parametrize("is_censored", [False, True])
def test_code_matching_has_the_gradient_of_its_formula(is_censored: bool):
    generator = torch.Generator().manual_seed(3)
    squared = torch.rand(2, 4, 5, 7, generator=generator, dtype=torch.float64)
    squared[0, 0, 0, 0] = 0.0
    valid = None
    if is_censored:
        valid = torch.rand(2, 4, 5, generator=generator) > 0.4
        valid[:, 1] = False
    weight = torch.ones(2, 4, 5, 1) if valid is None else valid[..., None].double()
    own, plain = squared.clone().requires_grad_(), squared.clone().requires_grad_()
    compute_code_matching(own, valid).backward()
    share = (-plain.clamp(min=1e-12).sqrt()).softmax(-1)
    share = (share * weight).sum(2) / weight.sum(2).clamp(min=1)
    logarithm = (share + 1e-10).log()
    score = share[0] @ logarithm[1].T + share[1] @ logarithm[0].T
    target = torch.arange(4)
    cross_entropy = functional.cross_entropy
    loss = 0.5 * (cross_entropy(score, target) + cross_entropy(score.T, target))
    loss.backward()
    torch.testing.assert_close(own.grad, plain.grad)
