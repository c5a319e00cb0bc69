"""Codebook, prediction loss and whole step of NeuroAlign against Uni-Code's public code.

Set BRAINALIGN_PEERS to a folder with ``cmg/model/`` (see tests/unit/methods/public_uni_code.py).
CPU times, since others may share the cores; the parity of the results is in test_peer_uni_code.py.
"""

from __future__ import annotations

import itertools
import time

import pytest
import torch

from benchmarks.timing import compare_times
from brainalign.methods.neuroalign.codebook import SharedCodebook, compute_commitment
from brainalign.methods.neuroalign.losses import (
    CrossPrediction,
    average_tokens,
    compute_code_matching,
    compute_global_contrast,
)
from brainalign.methods.neuroalign.network import LevelShape, NeuroAlignNetwork
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from unit.methods.public_uni_code import load_public_module

N_CLIPS, N_STEPS, WIDTH, N_CODES = 80, 10, 256, 400
N_VOXELS, N_FEATURES, N_TEXT, N_LAGS = 300, 2048, 256, 6


def make_tokens(dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    token = torch.randn(3, N_CLIPS, N_STEPS, WIDTH, generator=generator)
    return token.to(dtype).requires_grad_()


def test_codebook_against_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    public = load_public_module("main_model_2", monkeypatch)
    peer = public.Cross_VQEmbeddingEMA_AVT(N_CODES, WIDTH).double().train()
    options = NeuroAlignOptions(dimension=WIDTH, n_codes=N_CODES)
    own = SharedCodebook(3, options).train()
    wide, narrow = make_tokens(torch.float64), make_tokens(torch.float32)

    def step_peer() -> None:
        found = peer(*wide, 0)
        (found[3] + found[4] + found[5] + found[9]).backward()

    def step_own() -> None:
        quantised = own(narrow)
        loss = compute_commitment(quantised, 0.25, WIDTH)
        (loss + 0.5 * compute_code_matching(quantised.squared_distance)).backward()

    compare_times("codebook with losses", step_peer, step_own, n_repeats=6, clock=time.process_time)


def test_prediction_against_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    public = load_public_module("CPC", monkeypatch)
    peer = public.Cross_CPC_AVT(WIDTH, WIDTH, WIDTH, 2).double()
    own = CrossPrediction(3, NeuroAlignOptions(dimension=WIDTH, prediction="released"))
    wide, narrow = make_tokens(torch.float64), make_tokens(torch.float32)
    # The public code draws the moment: both get the same ones in turn.
    moments, same = (itertools.cycle(range(1, N_STEPS - 1)) for _ in range(2))
    monkeypatch.setattr(torch, "randint", lambda *_, **__: torch.tensor([next(moments) - 1]))

    def step_own() -> None:
        own(narrow, torch.tensor(next(same))).backward()

    compare_times(
        "released prediction",
        lambda: peer(*wide)[-1].backward(),
        step_own,
        n_repeats=8,
        clock=time.process_time,
    )


class PublicLosses(torch.nn.Module):
    """Our encoders with the losses of the public code, in its precision."""

    def __init__(self, encoders: NeuroAlignNetwork, codebook: object, prediction: object) -> None:
        super().__init__()
        self.encoders, self.codebook, self.prediction = encoders, codebook, prediction
        self.double().train()

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Loss of a batch."""
        token = self.encoders(*(one.double() for one in inputs))[0].transpose(0, 1).contiguous()
        found = self.codebook(*token, 0)
        loss = found[3] + found[4] + found[5] + found[9] + self.prediction(*token)[-1]
        return loss + contrast(token, self.encoders.scale())


def contrast(token: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    window = [average_tokens(one) for one in token]
    pairs = itertools.combinations(window, 2)
    return torch.stack([compute_global_contrast(*pair, scale) for pair in pairs]).mean()


def test_whole_step_on_cached_features(monkeypatch: pytest.MonkeyPatch) -> None:
    models = load_public_module("main_model_2", monkeypatch)
    predictions = load_public_module("CPC", monkeypatch)
    options = NeuroAlignOptions(
        dimension=WIDTH, n_codes=N_CODES, prediction="released", sequence_layers=2, feedforward=1024
    )
    plain = options.model_copy(update={"prediction": "none", "codebook": "none"})
    voxels = torch.arange(N_VOXELS)
    shape = LevelShape(voxels, torch.zeros_like(voxels), 1, slice(0, N_FEATURES))
    own = NeuroAlignNetwork([shape], N_TEXT, options, 2.0).train()
    peer = PublicLosses(
        NeuroAlignNetwork([shape], N_TEXT, plain, 2.0),
        models.Cross_VQEmbeddingEMA_AVT(N_CODES, WIDTH),
        predictions.Cross_CPC_AVT(WIDTH, WIDTH, WIDTH, 2),
    )
    optimisers = [
        torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=3e-4)
        for model in (peer, own)
    ]
    bold = torch.randn(N_CLIPS, N_STEPS + N_LAGS - 1, N_VOXELS)
    video, text = torch.randn(N_CLIPS, N_STEPS, N_FEATURES), torch.randn(N_CLIPS, N_STEPS, N_TEXT)
    moments, same = (itertools.cycle(range(1, N_STEPS - 1)) for _ in range(2))

    def step_peer() -> None:
        optimisers[0].zero_grad()
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randint", lambda *_, **__: torch.tensor([next(moments) - 1]))
            peer(bold, video, text).backward()
        optimisers[0].step()

    def step_own() -> None:
        optimisers[1].zero_grad()
        token = own(bold, video, text)[0].transpose(0, 1)
        loss = contrast(token, own.scale()) + 0.5 * own.predictions[0](
            token, torch.tensor(next(same))
        )
        quantised = own.codebook(token)
        loss = loss + compute_commitment(quantised, 0.25, WIDTH)
        loss = loss + 0.5 * compute_code_matching(quantised.squared_distance)
        loss.backward()
        optimisers[1].step()

    for step in (step_peer, step_own):
        step()
    compare_times("whole step", step_peer, step_own, n_repeats=5, clock=time.process_time)
