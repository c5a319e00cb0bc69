"""Encoders of BOLD, video and text, and the adapter of their lag."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from brainalign.methods.neuroalign.options import NeuroAlignOptions

# Added to the canonical response, so that no lag starts beyond reach of the softmax.
_LAG_FLOOR = 0.01

SMALLEST_KEPT_WEIGHT = 0.5
"""Weight of the recorded TRs below which a moment counts as censored."""


def compute_canonical_response(n_lags: int, tr_s: float) -> np.ndarray:
    """Sample the double-gamma response to a short event.

    Parameters
    ----------
    n_lags : int
        Number of samples, the first at the event.
    tr_s : float
        Time between samples in s.

    Returns
    -------
    response : array of shape (n_lags,)
        Clipped at 0, of sum 1.

    Notes
    -----
    Gamma density of shape 6 minus a sixth of that of shape 16, scale 1 s (Glover 1999; SPM).
    """
    time = np.arange(n_lags) * tr_s

    def density(shape: int) -> np.ndarray:
        return time ** (shape - 1) * np.exp(-time) / math.factorial(shape - 1)

    response = np.clip(density(6) - density(16) / 6, 0, None)
    total = response.sum()
    return response / total if total > 0 else np.full(n_lags, 1 / n_lags)


class LagWeights(nn.Module):
    """Weights over lags, by region: softmax of a start plus a learned offset.

    Parameters
    ----------
    options : NeuroAlignOptions
        Kind, start and relative learning rate.
    tr_s : float
        TR in s.
    n_regions : int
        Sets of weights.

    Notes
    -----
    AdamW's steps do not depend on the scale of a gradient, so a factor before a parameter
    multiplies its learning rate.
    """

    start: torch.Tensor

    def __init__(self, options: NeuroAlignOptions, tr_s: float, n_regions: int) -> None:
        super().__init__()
        self.kind, self.rate = options.lag, options.lag_rate
        n_lags = options.n_lags
        if options.lag == "learned":
            response = np.full(n_lags, 1 / n_lags)
            if options.lag_start == "hrf":
                response = compute_canonical_response(n_lags, tr_s)
            start = torch.from_numpy(np.log(response + _LAG_FLOOR)).float()
            self.offset = nn.Parameter(torch.zeros(n_regions, n_lags))
        else:
            start = torch.zeros(n_lags)
            start[options.fixed_lag_trs if options.lag == "fixed" else 0] = 1.0
        self.register_buffer("start", start.expand(n_regions, n_lags).clone())

    def forward(self) -> torch.Tensor:
        """Return the weights.

        Returns
        -------
        weight : tensor of shape (n_regions, n_lags)
            Of sum 1; a single 1 for shifts that are not learned.
        """
        if self.kind != "learned":
            return self.start
        return (self.start + self.rate * self.offset).softmax(1)


def apply_lags(
    series: torch.Tensor, weight: torch.Tensor, recorded: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Average a series over lags.

    Parameters
    ----------
    series : tensor of shape (n_clips, n_steps + n_lags - 1, n_features)
        BOLD or what an encoder made of it; finite also where it was not recorded.
    weight : tensor of shape (n_lags,) or (n_lags, n_features)
        Of sum 1 over lags.
    recorded : tensor of shape (n_clips, n_steps + n_lags - 1), bool, optional
        False where BOLD is censored; such TRs have no weight, and the others gain it.

    Returns
    -------
    shifted : tensor of shape (n_clips, n_steps, n_features)
        ``sum over l of weight_l series_(t + l)``.
    is_valid : tensor of shape (n_clips, n_steps), bool, or None
        Moments that keep at least half of their weight; None where everything is recorded.
    """
    n_lags = len(weight)
    n_steps = series.shape[1] - n_lags + 1
    if recorded is None:
        return _sum_over_lags(series, weight, n_steps), None
    mask = recorded.to(series.dtype)
    shifted = _sum_over_lags(series * mask[..., None], weight, n_steps)
    columns = weight if weight.ndim == 2 else weight[:, None]
    kept = _sum_over_lags(mask[..., None].expand(-1, -1, columns.shape[1]), columns, n_steps)
    is_valid = kept.detach().mean(2) >= SMALLEST_KEPT_WEIGHT
    return shifted / kept.clamp(min=1e-6), is_valid


def _sum_over_lags(series: torch.Tensor, weight: torch.Tensor, n_steps: int) -> torch.Tensor:
    total = series[:, :n_steps] * weight[0]
    for lag in range(1, len(weight)):
        total = total + series[:, lag : lag + n_steps] * weight[lag]
    return total


class SelfAttention(nn.Module):
    """Pre-norm layer of self-attention and a feed-forward network.

    Parameters
    ----------
    width, heads, feedforward : int
        Sizes.
    dropout : float
        After both parts and on the attention.
    """

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.projection = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, feedforward),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, width),
            nn.Dropout(dropout),
        )

    def forward(self, hidden: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Let every token attend to the valid ones.

        Parameters
        ----------
        hidden : tensor of shape (n_clips, n_tokens, width)
            Tokens.
        valid : tensor of shape (n_clips, n_tokens), bool, optional
            Tokens that may be attended to; each token may attend to itself always.
        """
        n_clips, n_tokens, width = hidden.shape
        parts = self.projection(self.norms[0](hidden))
        parts = parts.view(n_clips, n_tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mask = None
        if valid is not None:
            own = torch.eye(n_tokens, dtype=torch.bool, device=hidden.device)
            mask = (valid[:, None, :] | own)[:, None]
        attended = functional.scaled_dot_product_attention(
            parts[0],
            parts[1],
            parts[2],
            attn_mask=mask,
            dropout_p=self.dropout if self.training else 0.0,
        )
        attended = self.output(attended.transpose(1, 2).reshape(n_clips, n_tokens, width))
        hidden = hidden + functional.dropout(attended, self.dropout, self.training)
        return hidden + self.network(self.norms[1](hidden))


class VoxelViT(nn.Module):
    """ViT over patches of the voxels of one TR.

    Parameters
    ----------
    n_voxels : int
        Voxels in a fixed order; the last patch is filled from the first voxels.
    options : NeuroAlignOptions
        Patch, width, depth and heads.

    Notes
    -----
    Form after the encoder of Mind-Video: patches by a strided convolution, fixed sine and cosine
    positions, pre-norm layers; here the mean over tokens stands for the TR.
    """

    order: torch.Tensor
    position: torch.Tensor

    def __init__(self, n_voxels: int, options: NeuroAlignOptions) -> None:
        super().__init__()
        width, self.patch = options.vit_width, options.patch_voxels
        n_patches = -(-n_voxels // self.patch)
        # The same in a fold of n_patches * patch voxels, however few voxels there are.
        self.register_buffer("order", torch.arange(n_patches * self.patch) % n_voxels)
        self.patches = nn.Linear(self.patch, width)
        self.register_buffer("position", compute_positions(n_patches, width))
        self.layers = nn.ModuleList(
            SelfAttention(width, options.vit_heads, 4 * width, options.dropout)
            for _ in range(options.vit_depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, bold: torch.Tensor) -> torch.Tensor:
        """Encode every TR by itself.

        Parameters
        ----------
        bold : tensor of shape (n_clips, n_trs, n_voxels)

        Returns
        -------
        encoded : tensor of shape (n_clips, n_trs, width)
        """
        n_clips, n_trs, _ = bold.shape
        patches = bold[..., self.order].view(n_clips * n_trs, -1, self.patch)
        hidden = self.patches(patches) + self.position
        for layer in self.layers:
            hidden = layer(hidden)
        return self.norm(hidden).mean(1).view(n_clips, n_trs, -1)


def compute_positions(n_positions: int, width: int) -> torch.Tensor:
    """Compute fixed sine and cosine positions, (n_positions, width); Vaswani et al. 2017."""
    frequency = torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
    angle = torch.arange(n_positions)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)


class SequenceEncoder(nn.Module):
    """From the features of each TR to tokens of the shared space, seen in their window.

    Parameters
    ----------
    n_features : int
        Width of the input.
    options : NeuroAlignOptions
        Width, layers and dropout.
    """

    def __init__(self, n_features: int, options: NeuroAlignOptions) -> None:
        super().__init__()
        width = options.dimension
        self.entry = nn.Sequential(
            nn.Linear(n_features, width), nn.GELU(), nn.Dropout(options.input_dropout)
        )
        self.layers = nn.ModuleList(
            SelfAttention(width, options.heads, options.feedforward, options.dropout)
            for _ in range(options.sequence_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, features: torch.Tensor, position: torch.Tensor, valid: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Encode windows.

        Parameters
        ----------
        features : tensor of shape (n_clips, n_steps, n_features)
            Of one modality.
        position : tensor of shape (n_steps, dimension)
            Shared by the modalities.
        valid : tensor of shape (n_clips, n_steps), bool, optional
            Moments that may be attended to.

        Returns
        -------
        token : tensor of shape (n_clips, n_steps, dimension)
        """
        hidden = self.entry(features) + position
        for layer in self.layers:
            hidden = layer(hidden, valid)
        return self.norm(hidden)
