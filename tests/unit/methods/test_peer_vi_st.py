"""Parity with the public Vi-ST network, which is read at run time and never vendored.

Set BRAINALIGN_PEERS to a folder with ``vi_st/eccv.py`` (wurining/Vi-ST,
src/models/components/eccv.py); it needs einops.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
import torch

from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions

N_UNITS, N_DIMENSIONS = 7, 20


def load_peer_class() -> type[torch.nn.Module]:
    folder = os.environ.get("BRAINALIGN_PEERS")
    path = Path(folder or "") / "vi_st/eccv.py"
    if folder is None or not path.is_file():
        pytest.skip("public code to compare with is absent: set BRAINALIGN_PEERS (vi_st/eccv.py)")
    pytest.importorskip("einops")
    spec = importlib.util.spec_from_file_location("peer_vi_st", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ViST


def copy_by_name(peer: torch.nn.Module, options: ViSTOptions) -> dict[str, torch.Tensor]:
    """Names of the public state as those of ours, where they differ."""
    branch = ".0.conv." if options.causal else ".0."
    names = {
        "extractor.entry.": "stage1.conv_1x1.",
        "extractor.exit.": "stage1.conv_out.",
        "conditioning.modulation.": "adaln.adaLN_modulation.1.",
        "conditioning.mapping.": "adaln.net.1.",
        "head.": "msb_5.",
    }
    for layer in range(options.video_layers):
        own, public = f"extractor.layers.{layer}.", f"stage1.layers.{layer}."
        names |= {
            f"{own}convolution.convolution.": f"{public}conv_dilated.",
            f"{own}norm.": f"{public}norm.",
            f"{own}mapping.": f"{public}conv_1x1.",
        }
    for block, windows in enumerate(options.list_windows()):
        own, public = f"blocks.{block}.", f"msb_{block + 1}."
        names |= {f"{own}mapping.": f"{public}mapping.", f"{own}skip.": f"{public}conv1x1."}
        for number in range(len(windows)):
            names[f"{own}branches.{number}.convolution."] = f"{public}embed.{number}{branch}"
    state = peer.state_dict()
    copied = {
        own + key.removeprefix(public): value
        for own, public in names.items()
        for key, value in state.items()
        if key.startswith(public)
    }
    assert len(copied) == len(state)
    return copied


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_rates_equal_those_of_the_public_class(causal, dtype, tolerance):
    peer_class = load_peer_class()
    options = ViSTOptions(grid=16, width=12, video_layers=3, causal=causal)
    own = ViSTNetwork(N_DIMENSIONS, N_UNITS, options)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        peer = peer_class(3, 12, N_DIMENSIONS, N_UNITS, causal=causal)
        # Zero at the start, the condition and batch statistics would go untested.
        for parameter in peer.adaln.parameters():
            parameter.normal_(0, 0.3)
        for layer in peer.stage1.layers:
            layer.norm.running_mean.normal_()
            layer.norm.running_var.uniform_(0.5, 2)
        token = torch.randn(2, 40, 256, N_DIMENSIONS, dtype=dtype)
        rf = torch.rand(2, N_UNITS, 16, 16, dtype=dtype)
    shapes = {name: value.shape for name, value in own.state_dict().items()}
    copied = copy_by_name(peer, options)
    own.load_state_dict({name: copied[name].reshape(shape) for name, shape in shapes.items()})
    own, peer = own.to(dtype).eval(), peer.to(dtype).eval()
    with torch.inference_mode():
        difference = (own(token, rf) - peer(token, rf)).abs().max()
    assert float(difference) < tolerance
