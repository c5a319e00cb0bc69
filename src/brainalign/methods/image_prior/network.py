"""The U-Net of an image prior, and the noise model that sampling calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from brainalign.errors import InputError
from brainalign.methods.image_prior.options import ImagePriorOptions


class NoisePredictor(nn.Module):
    """A U-Net of `diffusers` that predicts the noise in an image.

    Parameters
    ----------
    options : ImagePriorOptions
        Shape of the network.
    n_condition : int
        Numbers that a conditional model is told of an image; 0 for an unconditional one.
    """

    def __init__(self, options: ImagePriorOptions, n_condition: int = 0) -> None:
        super().__init__()
        # Takes seconds to import; whoever only reads options need not wait.
        from diffusers import UNet2DModel

        self.patch_size = options.patch_size
        width = options.n_channels * options.patch_size**2
        attends = options.attention_blocks
        self.n_condition = n_condition
        self.network: Any = UNet2DModel(
            sample_size=options.image_size // options.patch_size,
            in_channels=width,
            out_channels=width,
            block_out_channels=tuple(options.block_channels),
            layers_per_block=options.layers_per_block,
            down_block_types=tuple(_name_blocks("Down", attends)),
            up_block_types=tuple(_name_blocks("Up", attends[::-1])),
            norm_num_groups=options.norm_groups,
            class_embed_type="identity" if n_condition else None,
        )
        if n_condition:
            # As wide as the embedding of the level, to which the network adds it.
            embedded = 4 * options.block_channels[0]
            self.condition = nn.Sequential(
                nn.Linear(n_condition, embedded), nn.SiLU(), nn.Linear(embedded, embedded)
            )

    def forward(
        self, image: torch.Tensor, index: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict the noise.

        Parameters
        ----------
        image : tensor of shape (n_images, n_channels, y, x)
            Noisy images.
        index : tensor of shape (n_images,), int64
            Noise level less one.
        condition : tensor of shape (n_images, n_condition), optional
            What a conditional model is told, see
            `brainalign.methods.image_prior.condition.encode_condition`; None: nothing.

        Returns
        -------
        noise : tensor of the shape of `image`
        """
        divisor = self.patch_size * 2 ** (len(self.network.config.block_out_channels) - 1)
        if image.shape[-1] % divisor or image.shape[-2] % divisor:
            raise InputError(
                "the image cannot be halved as often as the network asks for",
                where="image prior",
                expected=f"sides that are multiples of {divisor} pixels",
                found=tuple(image.shape[-2:]),
            )
        patched = pixel_unshuffle(image, self.patch_size)
        told = None
        if self.n_condition:
            nothing = image.new_zeros(len(image), self.n_condition)
            told = self.condition(nothing if condition is None else condition)
        return pixel_shuffle(self.network(patched, index, told).sample, self.patch_size)


class NoiseModel:
    """A trained prior as sampling needs it: predicted noise and the schedule.

    Parameters
    ----------
    predictor : NoisePredictor or callable
        Takes noisy images and indices.
    alpha_bar : array of shape (n_levels + 1,)
        Schedule, see `brainalign.methods.image_prior.schedule.compute_alpha_bar`.
    precision : {"fp32", "bf16"}
        Arithmetic of the network.
    """

    def __init__(self, predictor: Any, alpha_bar: np.ndarray, precision: str = "fp32") -> None:
        self.predictor, self.alpha_bar, self.precision = predictor, alpha_bar, precision

    @property
    def n_levels(self) -> int:
        """Number of noise levels T."""
        return len(self.alpha_bar) - 1

    def predict(
        self, image: torch.Tensor, level: int, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict the noise of images that lie at one level.

        Parameters
        ----------
        image : tensor of shape (n_images, n_channels, y, x)
            Noisy images.
        level : int
            From 1 to T; the network's index is one less.
        condition : tensor of shape (n_images, n_condition), optional
            What a conditional model is told; None: nothing.
        """
        index = torch.full((len(image),), level - 1, dtype=torch.int64, device=image.device)
        with torch.autocast(image.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            told = () if condition is None else (condition,)
            noise = self.predictor(image, index, *told)
        return noise.to(image.dtype)


def count_parameters(module: nn.Module) -> int:
    """Count the weights of a module."""
    return sum(weight.numel() for weight in module.parameters())


def _name_blocks(side: str, attends: list[bool]) -> list[str]:
    return [f"{'Attn' if attend else ''}{side}Block2D" for attend in attends]
