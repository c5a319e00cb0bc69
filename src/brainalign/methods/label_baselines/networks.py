"""Networks on one subject, on all without knowing whose responses, and with an embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import nn

from brainalign.methods.label_baselines.options import (
    LabelMLPOptions,
    LabelMLPPooledOptions,
    LabelViTEmbeddingOptions,
    LabelViTOptions,
    LabelViTPooledOptions,
    MLPOptions,
)
from brainalign.methods.labels.network import NetworkOutput
from brainalign.methods.labels.network_method import NetworkMethod
from brainalign.methods.labels.patches import RegionPatches


class LabelViT(NetworkMethod):
    """The Transformer of CLIP-MUSED on one subject: what others add must be judged against it."""

    name = "label_vit"
    requirements = LabelViTOptions.requirements
    Options = LabelViTOptions


class LabelViTPooled(NetworkMethod):
    """The Transformer on all subjects, not told whose responses it sees."""

    name = "label_vit_pooled"
    requirements = LabelViTPooledOptions.requirements
    Options = LabelViTPooledOptions


class LabelViTEmbedding(NetworkMethod):
    """The Transformer on all subjects with a learned vector per subject (Chehab et al. 2022)."""

    name = "label_vit_embedding"
    requirements = LabelViTEmbeddingOptions.requirements
    Options = LabelViTEmbeddingOptions
    information = "embedding"
    knows_subjects = True


class PatchMLP(nn.Module):
    """Hidden layers on all patches side by side.

    Parameters
    ----------
    n_inputs, width, n_hidden, n_classes : int
        Sizes.
    dropout : float
        Probability, after every hidden layer.
    """

    def __init__(
        self, n_inputs: int, width: int, n_hidden: int, n_classes: int, dropout: float
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_in in [n_inputs, *[width] * (n_hidden - 1)]:
            layers += [nn.Linear(n_in, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout)]
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(width, n_classes)

    def forward(self, patch: torch.Tensor, subject: torch.Tensor) -> NetworkOutput:
        """Predict labels; `subject` is not looked at, and there are no tokens but one."""
        hidden = self.hidden(patch.flatten(1))
        return NetworkOutput(self.head(hidden), hidden, hidden)


class LabelMLP(NetworkMethod):
    """Hidden layers on one subject."""

    name = "label_mlp"
    requirements = LabelMLPOptions.requirements
    Options: ClassVar[type[MLPOptions]] = LabelMLPOptions

    def build_module(
        self, encoders: Mapping[str, RegionPatches], areas: list[str], n_classes: int
    ) -> nn.Module:
        """Make the network with random weights."""
        chosen = self.options
        n_inputs = len(areas) * chosen.patch_length
        return PatchMLP(n_inputs, chosen.hidden_width, chosen.n_hidden, n_classes, chosen.dropout)


class LabelMLPPooled(LabelMLP):
    """Hidden layers on all subjects, not told whose responses they see."""

    name = "label_mlp_pooled"
    requirements = LabelMLPPooledOptions.requirements
    Options = LabelMLPPooledOptions
