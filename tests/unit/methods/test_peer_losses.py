"""Parity of the contrastive loss with public code, which is read at run time and never vendored.

Set BRAINALIGN_PEERS to a folder with ``open_clip/loss.py`` (mlfoundations/open_clip,
src/open_clip/loss.py) and ``cebra/criterions.py`` (AdaptiveMotorControlLab/CEBRA,
cebra/models/criterions.py).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path

import pytest
import torch

from brainalign.methods.vna.losses import compute_info_nce

SCALE = 1 / 0.07
N_PAIRS, DIMENSION = 64, 32


def load_peer(relative: str) -> types.ModuleType:
    """Load one public file by itself."""
    folder = os.environ.get("BRAINALIGN_PEERS")
    path = Path(folder or "") / relative
    if folder is None or not path.is_file():
        pytest.skip(f"public code to compare with is absent: set BRAINALIGN_PEERS ({relative})")
    name = "peer_" + path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def draw_unit_vectors(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    pairs = torch.randn(2, N_PAIRS, DIMENSION, generator=generator, dtype=torch.float64)
    unit = torch.nn.functional.normalize(pairs, dim=-1).to(dtype)
    return unit[0], unit[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_loss_of_distinct_stimuli_equals_that_of_open_clip(dtype):
    peer = load_peer("open_clip/loss.py").ClipLoss()
    stimuli, responses = draw_unit_vectors(dtype)
    ours = compute_info_nce(stimuli, responses, SCALE, torch.arange(N_PAIRS))
    assert abs(float(ours) - float(peer(stimuli, responses, SCALE))) < 1e-6


def test_one_direction_equals_the_info_nce_of_cebra():
    peer = load_peer("cebra/criterions.py").FixedCosineInfoNCE(temperature=1 / SCALE)
    stimuli, responses = draw_unit_vectors(torch.float64)
    # CEBRA's loss has one direction; ours is the mean of it and of its mirror image.
    one_way = [
        peer(reference, positive, positive)[0]
        for reference, positive in ((stimuli, responses), (responses, stimuli))
    ]
    ours = compute_info_nce(stimuli, responses, SCALE, torch.arange(N_PAIRS))
    assert abs(float(ours) - float(sum(one_way)) / 2) < 1e-9
