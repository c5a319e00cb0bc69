"""Codebook and prediction loss of NeuroAlign against Uni-Code's public code, as each ships.

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
from brainalign.methods.neuroalign.losses import CrossPrediction, compute_code_matching
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from unit.methods.public_uni_code import load_public_module

N_CLIPS, N_STEPS, WIDTH, N_CODES = 80, 10, 256, 400


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
