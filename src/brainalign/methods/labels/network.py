"""The Transformer over regions: subject tokens, patches, and what comes out of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

SubjectInformation = Literal["tokens", "embedding", "none"]
TOKEN_SPREAD = 0.02
"""Standard deviation of tokens at the start, as published."""

_N_TOKENS = 2  # low, high


@dataclass(frozen=True)
class NetworkShape:
    """Size of the network.

    Attributes
    ----------
    n_areas, patch_length : int
        Number of patches and numbers per patch.
    width, depth, n_heads : int
        Width of a token, number of layers, heads per layer.
    mlp_ratio : float
        Width of the hidden layer of a block over that of a token.
    dropout : float
        Probability, after attention and after the hidden layer.
    n_classes, n_subjects : int
        Width of the output, number of subjects.
    input_rank : int
        Rank of the subjects' own correction of each region's patch; 0: no correction.
    """

    n_areas: int
    patch_length: int
    width: int
    depth: int
    n_heads: int
    mlp_ratio: float
    dropout: float
    n_classes: int
    n_subjects: int
    input_rank: int


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says about a batch.

    Attributes
    ----------
    logit : tensor of shape (n_samples, n_classes)
        Scores before the sigmoid.
    low, high : tensor of shape (n_samples, width)
        Output tokens of both levels.
    attention : tensor of shape (n_samples, 2, n_areas), optional
        Share of attention of each token by region, mean over layers and heads.
    """

    logit: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    attention: torch.Tensor | None = None


class Block(nn.Module):
    """One layer: attention and MLP, each behind a layer norm and beside a residual.

    Parameters
    ----------
    shape : NetworkShape
        Width, heads and dropout.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        hidden = round(shape.mlp_ratio * shape.width)
        self.n_heads = shape.n_heads
        self.attention_norm = nn.LayerNorm(shape.width)
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width)
        self.attention_output = nn.Linear(shape.width, shape.width)
        self.mlp_norm = nn.LayerNorm(shape.width)
        self.mlp = nn.Sequential(
            nn.Linear(shape.width, hidden),
            nn.GELU(),
            nn.Dropout(shape.dropout),
            nn.Linear(hidden, shape.width),
        )
        self.dropout = nn.Dropout(shape.dropout)

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, *, with_weights: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Apply the layer.

        Parameters
        ----------
        hidden : tensor of shape (n_samples, n_tokens, width)
            Residual stream.
        mask : tensor of shape (n_samples, 1, 1, n_tokens), bool, optional
            True where a token may be looked at.
        with_weights : bool
            Whether the attention weights are wanted; slower.

        Returns
        -------
        hidden : tensor of shape (n_samples, n_tokens, width)
            Residual stream after the layer.
        weights : tensor of shape (n_samples, n_tokens, n_tokens) or None
            Mean over heads.
        """
        n_samples, n_tokens, width = hidden.shape
        projected = self.query_key_value(self.attention_norm(hidden))
        query, key, value = projected.view(n_samples, n_tokens, 3, self.n_heads, -1).permute(
            2, 0, 3, 1, 4
        )
        weights = None
        if with_weights:
            score = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
            if mask is not None:
                score = score.masked_fill(~mask, -torch.inf)
            share = score.softmax(-1)
            mixed, weights = share @ value, share.mean(1)
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(n_samples, n_tokens, width)
        hidden = hidden + self.dropout(self.attention_output(mixed))
        return hidden + self.dropout(self.mlp(self.mlp_norm(hidden))), weights


class RegionTransformer(nn.Module):
    """``z0 = [low; high; x_1 E; …; x_M E] + position``, then layers, then one linear head.

    Parameters
    ----------
    shape : NetworkShape
        Size.
    present : tensor of shape (n_subjects, n_areas), bool
        Regions that each subject has; the others are looked at by nobody.
    information : {"tokens", "embedding", "none"}
        What the network knows of the subject: tokens of its own for both levels (CLIP-MUSED), a
        vector of its own on every patch (Chehab et al. 2022), or nothing.

    Notes
    -----
    Zhou et al. (2024). Only the two tokens, and the low-rank correction of the patches where it is
    asked for, depend on the subject.
    """

    present: torch.Tensor

    def __init__(
        self, shape: NetworkShape, present: torch.Tensor, information: SubjectInformation
    ) -> None:
        super().__init__()
        self.shape, self.information = shape, information
        width, length = shape.width, shape.patch_length
        n_sets = shape.n_subjects if information == "tokens" else 1
        self.token = nn.Parameter(TOKEN_SPREAD * torch.randn(n_sets, _N_TOKENS, width))
        self.position = nn.Parameter(TOKEN_SPREAD * torch.randn(_N_TOKENS + shape.n_areas, width))
        self.embedding = nn.Linear(length, width)
        if information == "embedding":
            self.subject_vector = nn.Parameter(
                TOKEN_SPREAD * torch.randn(shape.n_subjects, 1, width)
            )
        if shape.input_rank:
            sizes = (shape.n_subjects, shape.n_areas)
            self.input_down = nn.Parameter(
                torch.randn(*sizes, length, shape.input_rank) / length**0.5
            )
            # Zero at the start: every subject begins with the shared map.
            self.input_up = nn.Parameter(torch.zeros(*sizes, shape.input_rank, width))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.head = nn.Linear(_N_TOKENS * width, shape.n_classes)
        self.register_buffer("present", present.clone())

    def list_subject_parameters(self) -> list[str]:
        """Name the parameters whose first axis is the subject."""
        own = ["token"] if self.information == "tokens" else []
        own += ["subject_vector"] if self.information == "embedding" else []
        return own + (["input_down", "input_up"] if self.shape.input_rank else [])

    def forward(
        self, patch: torch.Tensor, subject: torch.Tensor, *, with_attention: bool = False
    ) -> NetworkOutput:
        """Predict labels and both tokens.

        Parameters
        ----------
        patch : tensor of shape (n_samples, n_areas, patch_length)
            Patches of responses.
        subject : tensor of shape (n_samples,), int64
            Subject of each sample; a batch may mix them.
        with_attention : bool
            Whether to return the attention of the tokens.
        """
        sets = subject if self.information == "tokens" else torch.zeros_like(subject)
        embedded = self.embedding(patch)
        if self.shape.input_rank:
            # One product per subject: gathering the maps per sample would copy them.
            correction = torch.zeros_like(embedded)
            for number in subject.unique():
                rows = (subject == number).nonzero()[:, 0]
                low = torch.einsum("bml,mlk->bmk", patch[rows], self.input_down[number])
                own = torch.einsum("bmk,mkd->bmd", low, self.input_up[number])
                correction = correction.index_add(0, rows, own)
            embedded = embedded + correction
        if self.information == "embedding":
            embedded = embedded + self.subject_vector[subject]
        hidden = torch.cat([self.token[sets], embedded], 1) + self.position
        mask = self._mask(subject)
        shares = []
        for block in self.blocks:
            hidden, weights = block(hidden, mask, with_weights=with_attention)
            if weights is not None:
                to_patches = weights[:, :_N_TOKENS, _N_TOKENS:]
                shares.append(to_patches / to_patches.sum(-1, keepdim=True))
        low, high = hidden[:, 0], hidden[:, 1]
        attention = torch.stack(shares).mean(0) if shares else None
        return NetworkOutput(self.head(torch.cat([high, low], 1)), low, high, attention)

    def _mask(self, subject: torch.Tensor) -> torch.Tensor | None:
        if bool(self.present.all()):
            return None
        seen = self.present[subject]
        tokens = seen.new_ones(len(seen), _N_TOKENS)
        return torch.cat([tokens, seen], 1)[:, None, None, :]
