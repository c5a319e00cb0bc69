"""The public classes of Uni-Code, read at run time for comparison only and never vendored.

Set BRAINALIGN_PEERS to a folder with ``cmg/model/`` (haihuangcode/CMG, code/src/model). No licence
is stated there: nothing of it is copied.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path

import pytest
import torch


def load_public_module(name: str, patch: pytest.MonkeyPatch) -> types.ModuleType:
    """Import ``model.<name>`` as it ships, on the CPU, or skip."""
    folder = Path(os.environ.get("BRAINALIGN_PEERS", "")) / "cmg"
    if "BRAINALIGN_PEERS" not in os.environ or not (folder / "model" / f"{name}.py").is_file():
        pytest.skip(
            f"public code to compare with is absent: set BRAINALIGN_PEERS (cmg/model/{name})"
        )
    stub = types.ModuleType("info_nce")
    stub.InfoNCE = object
    patch.setitem(sys.modules, "info_nce", stub)
    patch.syspath_prepend(str(folder))
    patch.setattr(torch.Tensor, "cuda", lambda self, *_, **__: self)
    patch.setattr(torch.nn.Module, "cuda", lambda self, *_, **__: self)
    return importlib.import_module(f"model.{name}")
