"""The public class of CLIP-MUSED, read at run time for comparison only and never vendored."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path

import pytest
from torch import nn


def load_public_model(depth: int, n_classes: int, n_subjects: int) -> nn.Module:
    """Build the public model from ``clip_mused/`` in the folder BRAINALIGN_PEERS, or skip."""
    pytest.importorskip("einops", reason="the public class of CLIP-MUSED needs einops")
    # Its decorator only records attention for drawings.
    stub = types.ModuleType("visualizer")
    stub.get_local = lambda name: lambda function: function
    sys.modules.setdefault("visualizer", stub)
    load_public_file("AttentionBlock")
    model, _ = load_public_file("models").BrainFormer_MS(
        depth, num_classes=n_classes, use_cls_token=True, num_subs=n_subjects
    )
    return model


def load_public_file(name: str) -> types.ModuleType:
    """Load one public file under the name by which its neighbours import it."""
    folder = os.environ.get("BRAINALIGN_PEERS")
    path = Path(folder or "") / "clip_mused" / f"{name}.py"
    if folder is None or not path.is_file():
        pytest.skip(f"public code to compare with is absent: set BRAINALIGN_PEERS ({name}.py)")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
