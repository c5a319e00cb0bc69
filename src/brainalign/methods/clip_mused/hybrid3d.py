"""The 3D form: a residual network over volumes with the subjects' tokens in its last stages.

The layout of the public code of Zhou et al. (2024), itself after BrainFormer (Dai et al. 2022):
stem of two strided convolutions, four stages of residual blocks, a mixer after the second, and
attention with the two tokens after the third and the fourth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod

import torch
from torch import nn
from torch.nn import functional

from brainalign.methods.labels.network import TOKEN_SPREAD, NetworkOutput

PUBLISHED_VOLUME = (112, 128, 112)
PUBLISHED_WIDTH = 512
N_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_N_HEADS = 4


@dataclass(frozen=True)
class HybridShape:
    """Size of the 3D network.

    Attributes
    ----------
    volume : tuple of int
        Voxels along each axis.
    depth : {10, 18, 34}
        Layers, as of a ResNet.
    width : int
        Channels of the last two stages, a multiple of 16.
    n_classes, n_subjects : int
        Width of the output, number of subjects.
    token_residual : bool
        Whether tokens keep what they were beside what a layer adds. The public code replaces
        them.
    """

    volume: tuple[int, int, int]
    depth: int
    width: int
    n_classes: int
    n_subjects: int
    token_residual: bool


def count_hybrid_parameters(shape: HybridShape) -> int:
    """Count the parameters at the published width and volume.

    Returns
    -------
    n_parameters : int
        A constant of the depth, 1024 per subject and 1025 per class.
    """
    constant = {10: 36_379_584, 18: 65_801_920, 34: 138_582_976}[shape.depth]
    return constant + 1024 * shape.n_subjects + 1025 * shape.n_classes


class ResidualBlock(nn.Module):
    """Two 3 x 3 x 3 convolutions beside an identity or a strided 1 x 1 x 1 convolution."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(n_in, n_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(n_out)
        self.conv2 = nn.Conv3d(n_out, n_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(n_out)
        # The block starts as an identity.
        nn.init.zeros_(self.bn2.weight)
        self.downsample = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv3d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm3d(n_out)
            )

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Apply the block to a tensor of shape (n_samples, n_in, x, y, z)."""
        inner = functional.relu(self.bn1(self.conv1(volume)), inplace=True)
        kept = volume if self.downsample is None else self.downsample(volume)
        return functional.relu(self.bn2(self.conv2(inner)) + kept, inplace=True)


class Mixer(nn.Module):
    """Mixes channels, then places; no attention, in spite of its name in the public code."""

    def __init__(self, n_channels: int, n_places: int) -> None:
        super().__init__()
        self.mlp1 = nn.Sequential(
            nn.Conv1d(n_channels, n_channels // 2, 1),
            nn.GELU(),
            nn.Conv1d(n_channels // 2, n_channels, 1),
        )
        self.norm1 = nn.BatchNorm1d(n_channels)
        n_hidden = max(1, n_places // 2)
        self.mlp2 = nn.Sequential(
            nn.Linear(n_places, n_hidden), nn.GELU(), nn.Linear(n_hidden, n_places)
        )
        self.norm2 = nn.BatchNorm1d(n_channels)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Apply the mixer to a tensor of shape (n_samples, n_channels, x, y, z)."""
        flat = volume.flatten(2).contiguous()
        flat = flat + self.norm1(self.mlp1(flat))
        flat = flat + self.norm2(self.mlp2(flat))
        return flat.view(volume.shape)


class TokenAttention(nn.Module):
    """Attention over both tokens and all places, then an MLP, each before a batch norm."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        inner = width // 2
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, width)
        self.norm1 = nn.BatchNorm1d(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm2 = nn.BatchNorm1d(width)
        nn.init.zeros_(self.norm2.weight)

    def forward(
        self, volume: torch.Tensor, tokens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute what the layer says about places and tokens, without residuals.

        Parameters
        ----------
        volume : tensor of shape (n_samples, width, x, y, z)
            Places.
        tokens : tensor of shape (n_samples, 2, width)
            High, low.
        """
        hidden = torch.cat([tokens, volume.flatten(2).transpose(1, 2)], 1)
        n_samples, n_tokens, width = hidden.shape
        projected = self.to_qkv(hidden).view(n_samples, n_tokens, 3, _N_HEADS, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        hidden = self.to_out(mixed.transpose(1, 2).reshape(n_samples, n_tokens, -1))
        # Statistics over batch and places together: rows are samples x places.
        hidden = self.norm1(hidden.reshape(-1, width))
        hidden = self.norm2(self.mlp(hidden)).view(n_samples, n_tokens, width)
        return hidden[:, 2:].transpose(1, 2).reshape(volume.shape), hidden[:, :2]


class Hybrid3D(nn.Module):
    """Volumes and subjects to labels and both tokens.

    Parameters
    ----------
    shape : HybridShape
        Size; the published one has volume (112, 128, 112) and width 512.

    Notes
    -----
    Names and order of the parameters allow the weights of the public class to be copied, see
    `rename_public_weights`. Attention has no weights by region here.
    """

    def __init__(self, shape: HybridShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        stem, first, second = width // 16, width // 8, width // 4
        self.conv1 = nn.Conv3d(1, stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm3d(stem)
        self.conv2 = nn.Conv3d(stem, first, 7, 2, 3, bias=False)
        self.bn2 = nn.BatchNorm3d(first)
        n_blocks = N_BLOCKS[shape.depth]
        self.layer1 = _make_stage(first, first, n_blocks[0], 1)
        self.layer2 = _make_stage(first, second, n_blocks[1], 2)
        self.layer3 = _make_stage(second, width, n_blocks[2], 2)
        self.layer4 = _make_stage(width, width, n_blocks[3], 1)
        self.hlv_token = nn.Parameter(torch.empty(shape.n_subjects, 1, width))
        self.llv_token = nn.Parameter(torch.empty(shape.n_subjects, 1, width))
        self.head = nn.Linear(2 * width, shape.n_classes)
        self.attention2 = Mixer(second, prod(ceil(n / 8) for n in shape.volume))
        self.attention3 = TokenAttention(width, width // 2)
        self.attention4 = TokenAttention(width, width)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.hlv_token, std=TOKEN_SPREAD)
        nn.init.normal_(self.llv_token, std=TOKEN_SPREAD)

    def list_subject_parameters(self) -> list[str]:
        """Name the parameters whose first axis is the subject."""
        return ["hlv_token", "llv_token"]

    def forward(self, volume: torch.Tensor, subject: torch.Tensor) -> NetworkOutput:
        """Predict labels and both tokens.

        Parameters
        ----------
        volume : tensor of shape (n_samples, 1, x, y, z)
            Responses in their grid.
        subject : tensor of shape (n_samples,), int64
            Subject of each sample.
        """
        tokens = torch.cat([self.hlv_token[subject], self.llv_token[subject]], 1)
        hidden = functional.relu(self.bn1(self.conv1(volume)), inplace=True)
        hidden = functional.relu(self.bn2(self.conv2(hidden)), inplace=True)
        hidden = self.attention2(self.layer2(self.layer1(hidden)))
        for stage, attention in (
            (self.layer3, self.attention3),
            (self.layer4, self.attention4),
        ):
            hidden = stage(hidden)
            places, said = attention(hidden, tokens)
            hidden = hidden + places
            tokens = tokens + said if self.shape.token_residual else said
        return NetworkOutput(self.head(tokens.flatten(1)), tokens[:, 1], tokens[:, 0])


def _make_stage(n_in: int, n_out: int, n_blocks: int, stride: int) -> nn.Sequential:
    blocks = [ResidualBlock(n_in, n_out, stride)]
    return nn.Sequential(*blocks, *(ResidualBlock(n_out, n_out, 1) for _ in range(n_blocks - 1)))


def rename_public_weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the state of the public class to that of `Hybrid3D` without token residual.

    Parameters
    ----------
    state : dict of str to tensor
        ``state_dict`` of the public class, with subject tokens.
    """
    renamed = {}
    for name, value in state.items():
        ours = name.replace("fc1.", "head.").replace(".attention.to_qkv", ".to_qkv")
        ours = ours.replace(".attention.to_out.0.", ".to_out.")
        ours = ours.replace("FeedForward.net.0.", "mlp.0.").replace("FeedForward.net.3.", "mlp.2.")
        renamed[ours] = value
    return renamed
