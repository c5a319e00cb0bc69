"""Codebook and prediction loss of NeuroAlign against Uni-Code's public code, as each ships.

Set BRAINALIGN_PEERS to a folder with ``cmg/model/`` (see tests/unit/methods/public_uni_code.py).
Ratios of best CPU times on one thread; the parity of the results is in test_peer_uni_code.py.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import torch

from brainalign.methods.neuroalign.codebook import SharedCodebook, compute_commitment
from brainalign.methods.neuroalign.losses import CrossPrediction, compute_code_matching
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from unit.methods.public_uni_code import load_public_module

N_CLIPS, N_STEPS, WIDTH, N_CODES, N_ROUNDS = 80, 10, 256, 400, 6


def make_tokens(dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    token = torch.randn(3, N_CLIPS, N_STEPS, WIDTH, generator=generator)
    return token.to(dtype).requires_grad_()


def compare(name: str, peer: Callable[[], object], own: Callable[[], object]) -> None:
    """Run both in turn and print the ratio of their medians and the spread."""
    torch.set_num_threads(1)
    times: dict[str, list[float]] = {"peer": [], "own": []}
    for _ in range(N_ROUNDS):
        for label, step in (("peer", peer), ("own", own)):
            started = time.process_time()
            step()
            times[label].append(1000 * (time.process_time() - started))
    medians = {label: statistics.median(values) for label, values in times.items()}
    spread = {label: f"{min(values):.1f}-{max(values):.1f}" for label, values in times.items()}
    print(f"\n{name}: {medians['peer'] / medians['own']:.1f} times; CPU ms {medians} {spread}")


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

    compare("codebook with losses", step_peer, step_own)


def test_prediction_against_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    public = load_public_module("CPC", monkeypatch)
    peer = public.Cross_CPC_AVT(WIDTH, WIDTH, WIDTH, 2).double()
    own = CrossPrediction(3, NeuroAlignOptions(dimension=WIDTH, prediction="released"))
    wide, narrow = make_tokens(torch.float64), make_tokens(torch.float32)
    compare(
        "released prediction", lambda: peer(*wide)[-1].backward(), lambda: own(narrow).backward()
    )
