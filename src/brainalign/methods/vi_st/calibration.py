"""Start the read-out of Vi-ST at the rates that it is to predict."""

from __future__ import annotations

import numpy as np
import torch

from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.task import ViSTTask

N_CLIPS = 8
"""Clips on which the output of the untrained network is measured."""


def start_at_rates(network: ViSTNetwork, task: ViSTTask, clip_frames: int) -> None:
    """Scale and shift the read-out to the mean and the SD of each cell's rate.

    Parameters
    ----------
    network : ViSTNetwork
        Untrained and with a linear output; its head is changed in place.
    task : ViSTTask
        Its training clips; not yet on a device.
    clip_frames : int
        Frames of a clip.

    Notes
    -----
    An untrained network of the library's layers varies by 0.05 Hz, recorded rates by ten or
    twenty: hundreds of steps would only make weights grow.
    """
    rate = task.training.rate[task.training.frames].astype(np.float64)
    n_starts = len(task.starts)
    chosen = task.starts[np.linspace(0, n_starts - 1, min(N_CLIPS, n_starts)).astype(int)]
    rows = chosen[:, None] + np.arange(clip_frames)
    clip = torch.from_numpy(task.token[rows].astype(np.float32))
    network.train()
    with torch.no_grad():
        output = network(clip, torch.from_numpy(task.rf)[None]).double()
        deviation, mean = output.std((0, 2), correction=0), output.mean((0, 2))
        wanted = torch.from_numpy(rate.std(0))
        gain = torch.where(deviation > 0, wanted / deviation.clamp_min(1e-12), 1.0)
        head = network.head
        # The bias is part of the measured mean: it is scaled like the rest, then shifted.
        shift = torch.from_numpy(rate.mean(0)) - gain * (mean - head.bias.double())
        head.weight.mul_(gain[:, None].to(head.weight.dtype))
        head.bias.copy_(shift)
