"""Parity with the public code of Uni-Code in fp64, which is read at run time and never vendored."""

from __future__ import annotations

import pytest
import torch

from brainalign.methods.neuroalign.codebook import SharedCodebook, measure_code_errors
from brainalign.methods.neuroalign.losses import CrossPrediction, compute_code_matching
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from unit.methods.public_uni_code import load_public_module

N_CLIPS, N_STEPS, WIDTH, N_CODES, BETA = 16, 10, 256, 400, 0.25


def make_tokens(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mapping = torch.randn(64, WIDTH, generator=torch.Generator().manual_seed(9)).double()
    shared = torch.randn(1, N_CLIPS, N_STEPS, 64, generator=generator).double() @ mapping
    noise = torch.randn(3, N_CLIPS, N_STEPS, WIDTH, generator=generator).double()
    return torch.nn.functional.layer_norm(shared + 2.4 * noise, (WIDTH,))


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch):
    """The public quantiser after three steps, and ours in the same state."""
    public = load_public_module("main_model_2", monkeypatch)
    peer = public.Cross_VQEmbeddingEMA_AVT(N_CODES, WIDTH).double().train()
    for seed in range(3):
        peer(*make_tokens(seed), 0)
    options = NeuroAlignOptions(
        dimension=WIDTH, n_codes=N_CODES, codebook="mmema_seq", dead_when="never"
    )
    own = SharedCodebook(3, options).double().train()
    own.code.copy_(peer.embedding)
    own.count.copy_(peer.ema_count)
    own.total.copy_(peer.ema_weight)
    own.is_started.fill_(True)
    return own, peer


def test_commitments_equal_the_public_ones(pair):
    own, peer = pair
    token = make_tokens(7)
    losses = [float(one) for one in peer(*token, 0)[3:6]]
    error, cross = measure_code_errors(own.eval()(token))
    means = (2 * BETA * error + 0.5 * BETA * cross.sum(1)).mean((1, 2)) / WIDTH
    assert means.tolist() == pytest.approx(losses, abs=1e-12)


def test_code_matching_equals_the_public_one(pair):
    own, peer = pair
    token = make_tokens(7)
    expected = float(peer(*token, 0)[9])
    squared = own.eval()(token).squared_distance
    found = 0.5 * float(compute_code_matching(squared, both_directions=False))
    assert found == pytest.approx(expected, abs=1e-5)


def test_codebook_and_counts_after_a_step_equal_the_public_ones(pair):
    own, peer = pair
    token = make_tokens(7)
    peer(*token, 0)
    own(token)
    assert float((own.code - peer.embedding).abs().max()) < 1e-6
    assert float((own.count - peer.ema_count).abs().max()) < 1e-6


def test_codes_equal_the_public_ones(pair):
    own, peer = pair
    token = make_tokens(7)
    quantised = own.eval()(token)
    found = own.look_up(quantised.code)
    for number, name in enumerate(("Audio", "Video", "Text")):
        expected = getattr(peer, f"{name}_vq_embedding")(token[number])
        torch.testing.assert_close(found[number], expected, rtol=0, atol=1e-12)


def test_released_prediction_equals_the_public_one(monkeypatch: pytest.MonkeyPatch):
    public = load_public_module("CPC", monkeypatch)
    peer = public.Cross_CPC_AVT(WIDTH, WIDTH, WIDTH, 2).double()
    own = CrossPrediction(3, NeuroAlignOptions(dimension=WIDTH, prediction="released")).double()
    for number, name in enumerate(("audio", "video", "text")):
        own.memories[number].load_state_dict(getattr(peer, f"{name}_ar_lstm").state_dict())
        own.predictors[number].load_state_dict(getattr(peer, f"{name}_predictors")[0].state_dict())
    token = make_tokens(7)
    torch.manual_seed(3)
    expected = float(peer(*token)[-1])
    torch.manual_seed(3)
    moment = torch.randint(N_STEPS - 2, size=(1,))[0] + 1
    assert float(own(token, moment)) == pytest.approx(expected, abs=1e-9)
