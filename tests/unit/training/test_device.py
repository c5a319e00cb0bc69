from __future__ import annotations

import pytest
import torch

from brainalign.errors import InputError, ResourceError
from brainalign.training.device import resolve_device


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_absent_cuda_is_an_error_and_never_the_cpu(monkeypatch: pytest.MonkeyPatch, device: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: device != "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ResourceError, match="not available"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", ""])
def test_an_unknown_device_lists_the_known_ones(device: str):
    with pytest.raises(InputError, match="auto, cpu, cuda"):
        resolve_device(device)
