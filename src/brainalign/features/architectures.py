"""How each architecture of `transformers` is walked, layer by layer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import (
    CLIPVisionModelWithProjection,
    Dinov2Model,
    Dinov2WithRegistersModel,
    ResNetModel,
    ViTModel,
)

from brainalign.errors import InternalError

MAP_SIDE = 4
"""Parts along each side of the ``map`` output."""


def pool_map(maps: torch.Tensor) -> torch.Tensor:
    """Average feature maps over a coarse grid of parts, which keeps where things are.

    Parameters
    ----------
    maps : tensor of shape (n_images, n_features, y, x)
        Features by position.

    Returns
    -------
    pooled : tensor of shape (n_images, 4 * 4 * n_features)
        Part by part in rows, the features of a part side by side. Maps of fewer than 4 x 4
        positions repeat theirs.
    """
    parts = nn.functional.adaptive_avg_pool2d(maps, MAP_SIDE)
    return parts.permute(0, 2, 3, 1).flatten(1)


class Tower(ABC):
    """One part of a checkpoint and how it is loaded.

    Attributes
    ----------
    model_class : type
        Class of `transformers` that loads this part, and nothing else.
    load_arguments : dict
        What its constructor needs beyond the configuration.
    skipped_prefixes : tuple of str
        Beginnings of the names of weights that are not read.
    """

    model_class: Any
    load_arguments: dict[str, Any]
    skipped_prefixes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.load_arguments = {}

    @abstractmethod
    def count_layers(self, model: nn.Module) -> int:
        """Return the depth of a model."""


class Architecture(Tower):
    """One family of vision models.

    Attributes
    ----------
    layer_prefix : str
        ``layer`` or ``stage``: begins the names of the layers.
    outputs : tuple of str
        What can be taken from a layer.
    has_projection : bool
        Whether there is an image embedding in a space shared with text.
    """

    layer_prefix: str = "layer"
    outputs: tuple[str, ...] = ("cls", "mean", "map", "token")
    has_projection: bool = False

    @abstractmethod
    def walk(self, model: nn.Module, pixels: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the hidden states from the embedding to the last layer, computed as asked for."""

    @abstractmethod
    def pool(self, model: nn.Module, hidden: torch.Tensor, output: str) -> torch.Tensor:
        """Take ``cls``, ``mean``, ``map`` or ``token`` from a hidden state."""

    def project(self, model: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """Turn the last hidden state into the image embedding."""
        raise InternalError(f"{type(self).__name__} has no embedding shared with text")


class _TokenArchitecture(Architecture):
    """Transformers over one CLS token, perhaps registers, and patches."""

    def pool(self, model: nn.Module, hidden: torch.Tensor, output: str) -> torch.Tensor:
        """Take a part; all but ``cls`` hold patches only, no CLS and no registers."""
        if output == "cls":
            return hidden[:, 0].float()
        patches = hidden[:, 1 + getattr(model.config, "num_register_tokens", 0) :].float()
        if output == "map":
            side = math.isqrt(patches.shape[1])
            return pool_map(patches.transpose(1, 2).unflatten(2, (side, side)))
        return patches.mean(dim=1) if output == "mean" else patches

    def walk(self, model: nn.Module, pixels: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the residual stream: before the first layer, then after each."""
        hidden = self.embed(model, pixels)
        yield hidden
        for block in self.list_blocks(model):
            hidden = block(hidden, None)
            yield hidden

    def count_layers(self, model: nn.Module) -> int:
        """Return the number of transformer layers."""
        return len(self.list_blocks(model))

    @abstractmethod
    def embed(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Turn pixels into the input of the first layer."""

    @abstractmethod
    def list_blocks(self, model: Any) -> nn.ModuleList:
        """Return the transformer layers."""


class CLIP(_TokenArchitecture):
    """Image tower of CLIP; the text tower is not loaded."""

    model_class = CLIPVisionModelWithProjection
    has_projection = True
    skipped_prefixes = ("text_model.", "text_projection.")

    def embed(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Embed patches, with CLIP's layer norm before the first layer."""
        tower = model.vision_model
        differs = pixels.shape[-1] != tower.embeddings.image_size
        return tower.pre_layrnorm(tower.embeddings(pixels, interpolate_pos_encoding=differs))

    def list_blocks(self, model: Any) -> nn.ModuleList:
        """Return the layers of the image tower."""
        return model.vision_model.encoder.layers

    def project(self, model: Any, hidden: torch.Tensor) -> torch.Tensor:
        """Normalise the CLS token by the last layer norm and project it; not unit length."""
        return model.visual_projection(model.vision_model.post_layernorm(hidden[:, 0])).float()


class DINOv2(_TokenArchitecture):
    """DINOv2 without registers."""

    model_class: Any = Dinov2Model

    def embed(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Embed patches; positions are interpolated for other image sizes."""
        return model.embeddings(pixels)

    def list_blocks(self, model: Any) -> nn.ModuleList:
        """Return the layers of the encoder."""
        return model.encoder.layer


class DINOv2WithRegisters(DINOv2):
    """DINOv2 with registers, which no output contains."""

    model_class = Dinov2WithRegistersModel


class ViT(_TokenArchitecture):
    """Supervised ViT, and DINO's first version in the same format."""

    model_class = ViTModel

    def __init__(self) -> None:
        self.load_arguments = {"add_pooling_layer": False}

    def embed(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Embed patches; positions are interpolated where the image size differs."""
        size = tuple(pixels.shape[-2:])
        differs = size != tuple(model.embeddings.image_size)
        return model.embeddings(pixels, interpolate_pos_encoding=differs)

    def list_blocks(self, model: Any) -> nn.ModuleList:
        """Return the transformer layers."""
        return model.layers


class ResNet(Architecture):
    """Residual networks: stage 0 is the stem, positions play the part of tokens."""

    model_class = ResNetModel
    layer_prefix = "stage"
    outputs = ("mean", "map", "token")

    def count_layers(self, model: Any) -> int:
        """Return the number of stages after the stem."""
        return len(model.encoder.stages)

    def walk(self, model: Any, pixels: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the maps of the stem, then of each stage."""
        hidden = model.embedder(pixels)
        yield hidden
        for stage in model.encoder.stages:
            hidden = stage(hidden)
            yield hidden

    def pool(self, model: nn.Module, hidden: torch.Tensor, output: str) -> torch.Tensor:
        """Average over positions or over parts of the map, or list positions row by row."""
        if output == "map":
            return pool_map(hidden.float())
        if output == "mean":
            return hidden.float().mean(dim=(2, 3))
        return hidden.float().flatten(2).transpose(1, 2)


ARCHITECTURES: dict[str, type[Architecture]] = {
    "clip": CLIP,
    "clip_vision_model": CLIP,
    "dinov2": DINOv2,
    "dinov2_with_registers": DINOv2WithRegisters,
    "resnet": ResNet,
    "vit": ViT,
}
