"""The network of Vi-ST."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.vi_st.modules import (
    KERNEL,
    FieldConditioning,
    MultiscaleBlock,
    VideoExtractor,
)
from brainalign.methods.vi_st.options import ViSTOptions


class ViSTNetwork(nn.Module):
    """Rates of all cells at every frame from patch tokens and receptive fields.

    Parameters
    ----------
    n_dimensions : int
        Width of the tokens.
    n_units : int
        Cells.
    options : ViSTOptions
        Sizes and switches.

    Raises
    ------
    InputError
        The grid is not larger than what the multiscale blocks take off it.
    """

    def __init__(self, n_dimensions: int, n_units: int, options: ViSTOptions) -> None:
        super().__init__()
        self.options = options
        self.grid = options.grid
        windows = options.list_windows()
        left = self.grid - (KERNEL - 1) * len(windows)
        if options.spikes_alignment and left < 1:
            raise InputError(
                "the grid of patches is too small for the multiscale blocks",
                where="vi_st",
                expected=f"more than {(KERNEL - 1) * len(windows)} patches along each side",
                found=self.grid,
                remedy="Raise grid; tokens are resampled to it.",
            )
        self.extractor = VideoExtractor(
            n_dimensions,
            options.width,
            options.video_layers,
            n_units,
            options.dropout,
            causal=options.causal,
        )
        self.conditioning = (
            None
            if options.rf_mode == "none"
            else FieldConditioning(n_units, per_cell=options.rf_mode == "per_cell")
        )
        if options.spikes_alignment:
            self.blocks = nn.ModuleList(
                MultiscaleBlock(n_units, window, options.dropout, causal=options.causal)
                for window in windows
            )
            self.head = nn.Linear(n_units * left * left, n_units)
        else:
            self.blocks = nn.ModuleList()
            self.head = nn.Linear(n_units, n_units)

    def forward(self, token: torch.Tensor, rf: torch.Tensor) -> torch.Tensor:
        """Predict rates.

        Parameters
        ----------
        token : tensor of shape (n_clips, n_frames, grid * grid, n_dimensions)
            Patches row by row.
        rf : tensor of shape (n_clips or 1, n_units, grid, grid)
            Receptive fields on the grid of patches, peak 1.

        Returns
        -------
        rate : tensor of shape (n_clips, n_units, n_frames)
            In Hz; negative values are possible unless the output is ``softplus``.
        """
        return self.read_out(self.extractor(token, self.grid), rf)

    def forward_shared(
        self, token: torch.Tensor, position: torch.Tensor, rf: torch.Tensor
    ) -> torch.Tensor:
        """Predict rates of overlapping clips; each frame is mapped once.

        Parameters
        ----------
        token : tensor of shape (n_distinct, grid * grid, n_dimensions)
            Tokens of the distinct frames of a batch.
        position : tensor of shape (n_clips, n_frames), int64
            Where each frame of each clip lies in `token`.
        rf : tensor of shape (n_clips or 1, n_units, grid, grid)
            Receptive fields.

        Returns
        -------
        rate : tensor of shape (n_clips, n_units, n_frames)
            As from `forward` of the gathered tokens.
        """
        entered = self.extractor.entry(token)
        return self.read_out(self.extractor.extract(entered[position], self.grid), rf)

    def read_out(self, maps: torch.Tensor, rf: torch.Tensor) -> torch.Tensor:
        """Condition, align in time and read the rates out.

        Parameters
        ----------
        maps : tensor of shape (n_clips, n_units, n_frames, grid, grid)
            One channel per cell.
        rf : tensor of shape (n_clips or 1, n_units, grid, grid)
            Receptive fields.

        Returns
        -------
        rate : tensor of shape (n_clips, n_units, n_frames)
            In Hz.
        """
        if self.conditioning is not None:
            maps = self.conditioning(maps, rf)
        for block in self.blocks:
            maps = block(maps)
        if not self.options.spikes_alignment:
            maps = maps.mean((3, 4), keepdim=True)
        rate = self.head(maps.permute(0, 2, 1, 3, 4).flatten(2)).transpose(1, 2)
        return nn.functional.softplus(rate) if self.options.output == "softplus" else rate


def count_field(options: ViSTOptions) -> int:
    """Count the frames that a prediction depends on, its own frame included.

    Parameters
    ----------
    options : ViSTOptions
        Sizes and switches.

    Returns
    -------
    n_frames : int
        183 for the preset ``paper``. Not causal: as many, half of them later.
    """
    windows: Sequence[Sequence[int]] = options.list_windows() if options.spikes_alignment else ()
    dilated = (KERNEL - 1) * (2**options.video_layers - 1)
    return 1 + dilated + sum(max(window) - 1 for window in windows)
