"""Layers of Vi-ST: causal convolutions over time, receptive-field conditioning, multiscale blocks.

After Wu, Zhou, Yin and Liu (ECCV 2024), written from a specification of the published network.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from brainalign.methods.vi_st.depthwise import convolve_depthwise

KERNEL = 3
"""Side of all spatial kernels, in patches."""


class TimeConvolution(nn.Module):
    """3-D convolution whose output at a frame sees that frame and earlier ones only.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.
    window : int
        Frames of the kernel, odd where it is not causal.
    dilation : int
        Frames between two taps.
    groups : int
        Groups of channels; as many as channels for a depthwise convolution.
    keep_size : bool
        Pad one patch on each side, or shrink the map by two patches.
    causal : bool
        Pad in front of the first frame only, or on both ends.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        window: int,
        *,
        dilation: int = 1,
        groups: int = 1,
        keep_size: bool,
        causal: bool,
    ) -> None:
        super().__init__()
        history = dilation * (window - 1)
        before, after = (history, 0) if causal else (history // 2, history // 2)
        side = KERNEL // 2 if keep_size else 0
        self.padding = (side,) * 4 + (before, after)
        self.convolution = nn.Conv3d(
            n_inputs,
            n_outputs,
            (window, KERNEL, KERNEL),
            dilation=(dilation, 1, 1),
            groups=groups,
        )
        self.is_depthwise = groups > 1 and dilation == 1

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Convolve.

        Parameters
        ----------
        hidden : tensor of shape (n_clips, n_inputs, n_frames, y, x)
            Maps over time.

        Returns
        -------
        convolved : tensor of shape (n_clips, n_outputs, n_frames, y', x')
            As many frames as the input.
        """
        if any(self.padding):
            hidden = functional.pad(hidden, self.padding)
        if self.is_depthwise and self.convolution.bias is not None:
            return convolve_depthwise(hidden, self.convolution.weight, self.convolution.bias)
        return self.convolution(hidden)


class DilatedLayer(nn.Module):
    """Residual layer: dilated depthwise convolution, batch norm, ReLU and a map of channels.

    Parameters
    ----------
    width : int
        Channels.
    dilation : int
        Frames between the three taps.
    dropout : float
        Probability of dropout on the branch.
    causal : bool
        Whether later frames are hidden.
    """

    def __init__(self, width: int, dilation: int, dropout: float, *, causal: bool) -> None:
        super().__init__()
        self.convolution = TimeConvolution(
            width, width, KERNEL, dilation=dilation, groups=width, keep_size=True, causal=causal
        )
        self.norm = nn.BatchNorm3d(width)
        self.mapping = nn.Conv3d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Add the branch to its input; same shape."""
        branch = functional.relu(self.norm(self.convolution(hidden)))
        return hidden + self.dropout(self.mapping(branch))


class VideoExtractor(nn.Module):
    """C3TCN: token width to hidden width, dilated layers, then one channel per cell.

    Parameters
    ----------
    n_dimensions : int
        Width of the tokens.
    width : int
        Hidden channels.
    n_layers : int
        Dilated layers; layer i has dilation 2**i. 0 leaves them out.
    n_units : int
        Cells.
    dropout : float
        Probability of dropout in the layers.
    causal : bool
        Whether later frames are hidden.
    """

    def __init__(
        self,
        n_dimensions: int,
        width: int,
        n_layers: int,
        n_units: int,
        dropout: float,
        *,
        causal: bool,
    ) -> None:
        super().__init__()
        # A linear map of tokens where they lie: no copy of the widest tensor into channels first.
        self.entry = nn.Linear(n_dimensions, width)
        self.layers = nn.ModuleList(
            DilatedLayer(width, 2**layer, dropout, causal=causal) for layer in range(n_layers)
        )
        self.exit = nn.Conv3d(width, n_units, 1)

    def forward(self, token: torch.Tensor, grid: int) -> torch.Tensor:
        """Turn tokens into one map per cell and frame.

        Parameters
        ----------
        token : tensor of shape (n_clips, n_frames, grid * grid, n_dimensions)
            Patches row by row.
        grid : int
            Patches along each side.

        Returns
        -------
        maps : tensor of shape (n_clips, n_units, n_frames, grid, grid)
            One channel per cell.
        """
        return self.extract(self.entry(token), grid)

    def extract(self, entered: torch.Tensor, grid: int) -> torch.Tensor:
        """Go on from tokens that are already mapped to the hidden width.

        Parameters
        ----------
        entered : tensor of shape (n_clips, n_frames, grid * grid, width)
            Output of `entry`.
        grid : int
            Patches along each side.

        Returns
        -------
        maps : tensor of shape (n_clips, n_units, n_frames, grid, grid)
            One channel per cell.
        """
        hidden = entered.unflatten(2, (grid, grid)).permute(0, 4, 1, 2, 3).contiguous()
        for layer in self.layers:
            hidden = layer(hidden)
        return self.exit(hidden)


class FieldConditioning(nn.Module):
    """Shift, scale and gate of each cell's map by the receptive fields.

    The published module is called an adaptive layer norm, but has no norm. It copies the sum of
    all receptive fields to every channel and frame; the modulation is the same for all frames, so
    here it is computed once per clip.

    Parameters
    ----------
    n_units : int
        Cells.
    per_cell : bool
        False: the sum of all fields, as published, which carries no identity of cells; True:
        channel k of the condition is the field of cell k. Same parameters.
    """

    def __init__(self, n_units: int, *, per_cell: bool) -> None:
        super().__init__()
        self.per_cell = per_cell
        self.modulation = nn.Conv2d(n_units, 3 * n_units, 1)
        self.mapping = nn.Conv3d(n_units, n_units, 1)
        # Identity at the start: the gate is zero.
        for parameter in self.modulation.parameters():
            nn.init.zeros_(parameter)
        nn.init.normal_(self.mapping.weight, 0.0, 0.02)
        if self.mapping.bias is not None:
            nn.init.zeros_(self.mapping.bias)

    def forward(self, maps: torch.Tensor, rf: torch.Tensor) -> torch.Tensor:
        """Condition the maps.

        Parameters
        ----------
        maps : tensor of shape (n_clips, n_units, n_frames, grid, grid)
            One channel per cell.
        rf : tensor of shape (n_clips or 1, n_units, grid, grid)
            Receptive fields.

        Returns
        -------
        conditioned : tensor of shape (n_clips, n_units, n_frames, grid, grid)
            The input plus a gated branch.
        """
        if self.per_cell:
            modulation = self.modulation(functional.silu(rf))
        else:
            field = functional.silu(rf.sum(1, keepdim=True))
            # A condition that is equal in all channels meets the sum of each row of weights.
            row_sum = self.modulation.weight.sum(1, keepdim=True)
            modulation = functional.conv2d(field, row_sum, self.modulation.bias)
        shift, scale, gate = modulation.unsqueeze(2).chunk(3, dim=1)
        branch = self.mapping(functional.silu(maps * (1 + scale) + shift))
        return maps + gate * branch


class MultiscaleBlock(nn.Module):
    """CMST block: convolutions over several windows of time; the map shrinks by two patches.

    Parameters
    ----------
    n_units : int
        Cells; channels in and out.
    windows : sequence of int
        Frames of each branch. A window of 1 mixes all cells, longer ones keep cells apart.
    dropout : float
        Probability that a whole channel of a branch is dropped.
    causal : bool
        Whether later frames are hidden.
    """

    def __init__(
        self, n_units: int, windows: Sequence[int], dropout: float, *, causal: bool
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            TimeConvolution(
                n_units,
                n_units,
                window,
                groups=1 if window == 1 else n_units,
                keep_size=False,
                causal=causal,
            )
            for window in windows
        )
        self.dropout = nn.Dropout3d(dropout)
        self.mapping = nn.Conv3d(n_units, n_units, 1)
        self.skip = nn.Conv3d(n_units, n_units, 1)
        self.pool = nn.AvgPool3d((1, KERNEL, KERNEL), stride=1)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Apply the block.

        Parameters
        ----------
        maps : tensor of shape (n_clips, n_units, n_frames, side, side)
            One channel per cell.

        Returns
        -------
        shrunk : tensor of shape (n_clips, n_units, n_frames, side - 2, side - 2)
            Neither normed nor rectified.
        """
        total = maps.new_zeros(())
        for branch in self.branches:
            total = total + self.dropout(functional.leaky_relu(branch(maps), 0.1))
        # Pooling first gives the same sum on a smaller map.
        return self.mapping(total) + self.skip(self.pool(maps))
