"""Tiny checkpoints with random weights, and images for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from unit.features.tiny_checkpoints import BUILDERS, save_checkpoint


@pytest.fixture(scope="session")
def models() -> dict[str, PreTrainedModel]:
    """The reference models, in evaluation mode."""
    found = {}
    for name, build in BUILDERS.items():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build().eval()
            for parameter in model.parameters():
                # Larger than the usual start, so that layers differ clearly.
                if parameter.ndim > 1:
                    parameter.data += 0.1 * torch.randn_like(parameter)
            found[name] = model
    return found


@pytest.fixture(scope="session")
def checkpoints(
    models: dict[str, PreTrainedModel], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Their folders; tests must not change them."""
    return {
        name: save_checkpoint(model, tmp_path_factory.mktemp(name))
        for name, model in models.items()
    }


@pytest.fixture
def clip_folder(tmp_path: Path, models: dict[str, PreTrainedModel]) -> Path:
    """A checkpoint that a test may damage."""
    return save_checkpoint(models["clip"], tmp_path / "clip")


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Seven different images, not of the size of the models."""
    return np.random.default_rng(0).integers(0, 256, (7, 40, 36, 3), dtype=np.uint8)
