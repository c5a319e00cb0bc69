"""Windows of movie and BOLD: rows on a device, batches of them, and their embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from brainalign.methods.clips.arrays import Segments
from brainalign.methods.neuroalign.network import NeuroAlignNetwork
from brainalign.methods.neuroalign.options import NeuroAlignOptions

EMBEDDED_AT_ONCE = 256
"""Windows of one forward pass without gradient; bounds memory, changes no result."""


class WindowSource:
    """Rows of segments on a device, from which windows are cut.

    Parameters
    ----------
    segments : Segments
        Standardised rows; NaN where nothing was recorded or shown.
    options : NeuroAlignOptions
        Lengths of windows.
    device : torch.device
        Where the rows lie.
    """

    def __init__(
        self, segments: Segments, options: NeuroAlignOptions, device: torch.device
    ) -> None:
        self.n_steps, self.n_bold = options.window_trs, options.window_trs + options.n_lags - 1
        recorded = segments.is_recorded
        self.recorded = None if recorded.all() else torch.from_numpy(recorded).to(device)
        self.bold = _to_tensor(segments.bold, device)
        self.video = _to_tensor(segments.video, device)
        self.text = None if segments.text is None else _to_tensor(segments.text, device)

    def cut(self, start: torch.Tensor) -> WindowBatch:
        """Cut windows that start at some rows.

        Parameters
        ----------
        start : tensor of shape (n_clips,), int64
        """
        offset = torch.arange(self.n_bold, device=start.device)
        rows = start[:, None] + offset
        shown = rows[:, : self.n_steps]
        return WindowBatch(
            start=start,
            bold=self.bold[rows],
            video=self.video[shown],
            text=None if self.text is None else self.text[shown],
            recorded=None if self.recorded is None else self.recorded[rows],
        )


@dataclass(frozen=True)
class WindowBatch:
    """Windows of one step.

    Attributes
    ----------
    start : tensor of shape (n_clips,), int64
        First rows.
    bold : tensor of shape (n_clips, n_steps + n_lags - 1, n_voxels)
    video : tensor of shape (n_clips, n_steps, n_features)
    text : tensor of shape (n_clips, n_steps, n_text) or None
    recorded : tensor of shape (n_clips, n_steps + n_lags - 1), bool, or None
        None where all BOLD is there.
    segment : tensor of shape (n_clips,), int64, or None
        Number of the segment; None outside of training.
    has_codes : bool
        Whether the second stage has begun.
    seed : int
        Of what a step draws; the same on all processes.
    """

    start: torch.Tensor
    bold: torch.Tensor
    video: torch.Tensor
    text: torch.Tensor | None
    recorded: torch.Tensor | None
    segment: torch.Tensor | None = None
    has_codes: bool = False
    seed: int = 0


def _to_tensor(values: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.nan_to_num(np.ascontiguousarray(values))).to(device)


def embed_windows(
    network: NeuroAlignNetwork, source: WindowSource, starts: np.ndarray, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Embed windows without gradient.

    Parameters
    ----------
    network : NeuroAlignNetwork
        In eval mode.
    source : WindowSource
        Rows.
    starts : array of shape (n_clips,), int64
        First rows.
    device : torch.device
        Of network and rows.

    Returns
    -------
    window : tensor of shape (2, n_clips, dimension)
        Unit vectors, BOLD first.
    moment : tensor of shape (2, n_clips, n_steps, dimension)
    code : tensor of shape (2, n_clips, n_steps), int64, or None
        None without a codebook.
    """
    windows, moments, codes = [], [], []
    for first in range(0, len(starts), EMBEDDED_AT_ONCE):
        part = torch.from_numpy(starts[first : first + EMBEDDED_AT_ONCE]).to(device)
        batch = source.cut(part)
        tokens = network(batch.bold, batch.video, batch.text, batch.recorded)
        valid = (
            None if batch.recorded is None else network.list_levels()[-1].find_valid(batch.recorded)
        )
        window, moment = network.embed(tokens, valid)
        windows.append(window.float())
        moments.append(moment.float())
        if network.codebook is not None:
            squared = network.codebook.measure(tokens[-1][:, :2].transpose(0, 1).float())
            codes.append(squared.argmin(-1))
    return (
        torch.cat(windows, dim=1),
        torch.cat(moments, dim=1),
        torch.cat(codes, dim=1) if codes else None,
    )
