"""Every module of Vi-ST takes part in the training."""

from __future__ import annotations

import torch

from brainalign.methods.vi_st.loss import compute_loss
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.options import ViSTOptions


def test_the_gradient_reaches_every_module():
    grid = 9
    options = ViSTOptions(grid=grid, width=8, video_layers=2, dropout=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ViSTNetwork(5, 3, options)
        token, rf = torch.randn(2, 48, grid * grid, 5), torch.rand(1, 3, grid, grid)
        rate = 8 * torch.relu(torch.randn(2, 48, 3))
        # The published gate starts at zero, which hides what lies behind it.
        torch.nn.init.normal_(network.conditioning.modulation.weight)
    compute_loss(network(token, rf), rate, None, options.dtw_windows).backward()
    still = [name for name, value in network.named_parameters() if not value.grad.abs().max() > 0]
    assert still == []
