"""The network of NeuroAlign: levels of paired encoders and one codebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from brainalign.methods.neuroalign.codebook import SharedCodebook
from brainalign.methods.neuroalign.losses import INITIAL_SCALE, CrossPrediction, average_tokens
from brainalign.methods.neuroalign.modules import (
    LagWeights,
    SequenceEncoder,
    VoxelViT,
    apply_lags,
)
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from brainalign.methods.neuroalign.reconstruction import Reconstruction
from brainalign.methods.vna.losses import LogitScale


@dataclass(frozen=True)
class LevelShape:
    """What one level reads.

    Attributes
    ----------
    voxels : tensor of shape (n_voxels,), int64
        Columns of the BOLD.
    regions : tensor of shape (n_voxels,), int64
        Number of the region of each of these voxels, for lags by region.
    n_regions : int
        Sets of lag weights.
    features : slice
        Columns of the video features.
    """

    voxels: torch.Tensor
    regions: torch.Tensor
    n_regions: int
    features: slice


class LevelEncoder(nn.Module):
    """BOLD of some voxels, video features of one stage and captions, each to tokens.

    Parameters
    ----------
    shape : LevelShape
        Voxels and features.
    n_text : int
        Width of the caption features; 0: no text branch.
    options : NeuroAlignOptions
        Encoders and lags.
    tr_s : float
        TR in s.
    """

    voxels: torch.Tensor
    regions: torch.Tensor

    def __init__(
        self, shape: LevelShape, n_text: int, options: NeuroAlignOptions, tr_s: float
    ) -> None:
        super().__init__()
        n_voxels, self.features = len(shape.voxels), shape.features
        self.column_dropout = options.column_dropout
        self.lags_are_raw = options.lag_input == "raw"
        self.register_buffer("voxels", shape.voxels)
        self.register_buffer("regions", shape.regions)
        self.lag = LagWeights(options, tr_s, shape.n_regions)
        self.vit = VoxelViT(n_voxels, options) if options.encoder == "vit" else None
        width = n_voxels if self.vit is None else options.vit_width
        n_features = shape.features.stop - shape.features.start
        self.bold = SequenceEncoder(width, options)
        self.video = SequenceEncoder(n_features, options)
        self.text = SequenceEncoder(n_text, options) if n_text else None
        self.position = nn.Parameter(0.02 * torch.randn(options.window_trs, options.dimension))

    def forward(
        self,
        bold: torch.Tensor,
        video: torch.Tensor,
        text: torch.Tensor | None,
        recorded: torch.Tensor | None,
    ) -> torch.Tensor:
        """Encode windows.

        Parameters
        ----------
        bold : tensor of shape (n_clips, n_steps + n_lags - 1, n_all_voxels)
            Finite everywhere.
        video : tensor of shape (n_clips, n_steps, n_all_features)
            Features of all levels.
        text : tensor of shape (n_clips, n_steps, n_text) or None
            Caption features.
        recorded : tensor of shape (n_clips, n_steps + n_lags - 1), bool, or None
            False for censored BOLD.

        Returns
        -------
        token : tensor of shape (n_clips, n_modalities, n_steps, dimension)
            BOLD first, then video, then text.
        """
        answered, valid = self._shift(self._silence(bold[..., self.voxels]), recorded)
        token = [
            self.bold(answered, self.position, valid),
            self.video(self._silence(video[..., self.features]), self.position),
        ]
        if self.text is not None and text is not None:
            token.append(self.text(text, self.position))
        return torch.stack(token, dim=1)

    def _silence(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.column_dropout:
            return values
        kept = torch.rand(len(values), 1, values.shape[2], device=values.device)
        return values * (kept >= self.column_dropout) / (1 - self.column_dropout)

    def _shift(
        self, bold: torch.Tensor, recorded: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        weight = self.lag()
        if self.lags_are_raw:
            columns = weight[self.regions].T if len(weight) > 1 else weight[0]
            shifted, valid = apply_lags(bold, columns, recorded)
            return (shifted if self.vit is None else self.vit(shifted)), valid
        encoded = bold if self.vit is None else self.vit(bold)
        return apply_lags(encoded, weight[0], recorded)

    def find_valid(self, recorded: torch.Tensor) -> torch.Tensor:
        """Moments whose BOLD is recorded for at least half of the lag weights.

        Parameters
        ----------
        recorded : tensor of shape (n_clips, n_steps + n_lags - 1), bool

        Returns
        -------
        valid : tensor of shape (n_clips, n_steps), bool
        """
        weight = self.lag().detach()
        columns = weight[self.regions].T if len(weight) > 1 else weight[0]
        empty = torch.zeros((*recorded.shape, 1), device=recorded.device)
        if columns.ndim == 2:
            empty = empty.expand(-1, -1, columns.shape[1])
        valid = apply_lags(empty, columns, recorded)[1]
        assert valid is not None
        return valid


class NeuroAlignNetwork(nn.Module):
    """All that is learned by NeuroAlign.

    Parameters
    ----------
    shapes : sequence of LevelShape
        Levels, from early to late; the codebook reads the last.
    n_text : int
        Width of the caption features; 0: none.
    options : NeuroAlignOptions
        Everything else.
    tr_s : float
        TR in s.
    """

    def __init__(
        self, shapes: Sequence[LevelShape], n_text: int, options: NeuroAlignOptions, tr_s: float
    ) -> None:
        super().__init__()
        self.options = options
        self.n_modalities = 3 if n_text else 2
        last = len(shapes) - 1
        self.levels = nn.ModuleList(
            LevelEncoder(shape, n_text if number == last else 0, options, tr_s)
            for number, shape in enumerate(shapes)
        )
        self.level_weight = nn.Parameter(torch.zeros(len(shapes)), requires_grad=last > 0)
        self.scale = LogitScale(INITIAL_SCALE)
        self.predictions = nn.ModuleList()
        if options.prediction != "none":
            self.predictions.extend(
                CrossPrediction(self.n_modalities if number == last else 2, options)
                for number in range(len(shapes))
            )
        self.codebook = (
            SharedCodebook(self.n_modalities, options) if options.codebook != "none" else None
        )
        self.reconstruction = None
        if options.reconstruction_weight:
            widths = [
                len(shapes[last].voxels),
                shapes[last].features.stop - shapes[last].features.start,
                *([n_text] if n_text else []),
            ]
            self.reconstruction = Reconstruction(widths, options)

    def forward(
        self,
        bold: torch.Tensor,
        video: torch.Tensor,
        text: torch.Tensor | None = None,
        recorded: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        """Encode windows on every level; see `LevelEncoder.forward`.

        Returns
        -------
        token : tuple of tensor of shape (n_clips, n_modalities, n_steps, dimension)
            Per level.
        """
        return tuple(level(bold, video, text, recorded) for level in self.levels)

    def list_levels(self) -> list[LevelEncoder]:
        """List the encoders, from early to late."""
        return [level for level in self.levels if isinstance(level, LevelEncoder)]

    def join_levels(self, vectors: Sequence[torch.Tensor]) -> torch.Tensor:
        """Join unit vectors of all levels to one whose products are weighted sums of theirs.

        Parameters
        ----------
        vectors : sequence of tensor of shape (..., dimension)
            Unit vectors.

        Returns
        -------
        joined : tensor of shape (..., n_levels * dimension)
            Of length 1.
        """
        root = self.level_weight.softmax(0).sqrt()
        parts = [weight * vector for weight, vector in zip(root, vectors, strict=True)]
        return torch.cat(parts, dim=-1)

    def embed(
        self, tokens: Sequence[torch.Tensor], valid: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows and moments of every modality as unit vectors.

        Parameters
        ----------
        tokens : sequence of tensor of shape (n_clips, n_modalities, n_steps, dimension)
            From `forward`.
        valid : tensor of shape (n_clips, n_steps), bool, optional
            Moments of the BOLD that count.

        Returns
        -------
        window : tensor of shape (n_modalities, n_clips, n_levels * dimension)
        moment : tensor of shape (n_modalities, n_clips, n_steps, n_levels * dimension)
            Text, where there is any, has the last level only and is not returned.
        """
        windows, moments = [], []
        for modality in (0, 1):
            kept = valid if modality == 0 else None
            windows.append(
                self.join_levels([average_tokens(one[:, modality], kept) for one in tokens])
            )
            moments.append(
                self.join_levels([functional.normalize(one[:, modality], dim=-1) for one in tokens])
            )
        return torch.stack(windows), torch.stack(moments)
