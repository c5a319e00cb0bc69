"""A training step of Vi-ST against the public class at equal output.

Run with ``BRAINALIGN_PEERS=… pytest tests/benchmarks/benchmark_vi_st.py -s``. CPU time, since
others may share the cores. Target: 1.3 times for the whole step at the paper preset.
"""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

import pytest
import torch

from benchmarks.timing import compare_times
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions

N_FRAMES = 32


def load_peer_class() -> type[torch.nn.Module]:
    path = Path(os.environ.get("BRAINALIGN_PEERS", "")) / "vi_st/eccv.py"
    if not path.is_file():
        pytest.skip("public code to compare with is absent: set BRAINALIGN_PEERS (vi_st/eccv.py)")
    pytest.importorskip("einops")
    spec = importlib.util.spec_from_file_location("peer_vi_st", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ViST


def test_forward_and_backward_of_the_paper_network():
    torch.set_num_threads(1)
    peer = load_peer_class()(6, 256, 1024, 90)
    own = ViSTNetwork(1024, 90, ViSTOptions(preset="paper"))
    token, rf = torch.randn(1, N_FRAMES, 256, 1024), torch.rand(1, 90, 16, 16)

    def step(network: torch.nn.Module) -> None:
        network.zero_grad()
        network(token, rf).square().mean().backward()

    step(peer)
    step(own)
    compare_times(
        f"forward and backward, 1 clip of {N_FRAMES} frames",
        lambda: step(peer),
        lambda: step(own),
        n_repeats=3,
        clock=time.process_time,
    )
