"""Resize, crop and normalise images as tensors, as a checkpoint's configuration asks."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from brainalign.errors import InputError

# Numbers of PIL.Image.Resampling that torch can reproduce.
_RESAMPLING = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}
# ConvNeXT's processor (used by ResNet checkpoints) enlarges below this size before it crops.
_CONVNEXT_WARP_SIZE = 384


@dataclass(frozen=True)
class Preprocessing:
    """Steps from a displayed image to the input of a model.

    Attributes
    ----------
    resize : tuple of int, int or None
        ``(height, width)`` in pixels, or the length of the shortest edge, or no resizing.
    crop : tuple of int or None
        ``(height, width)`` of the central part in pixels; smaller images are padded with black.
    resample : str
        ``nearest-exact``, ``bilinear`` or ``bicubic``, with antialiasing like Pillow's.
    rescale : float
        Factor on the 8-bit values.
    mean, std : tuple of float
        Per channel, after rescaling.

    Notes
    -----
    Like Pillow, resizing rounds to 8 bits. Results differ from Pillow's by at most one 8-bit
    step, since Pillow also rounds between its horizontal and vertical pass.
    """

    resize: tuple[int, int] | int | None
    crop: tuple[int, int] | None
    resample: str
    rescale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def describe(self) -> dict[str, Any]:
        """Return the steps as strings, numbers and lists."""
        resize = list(self.resize) if isinstance(self.resize, tuple) else self.resize
        return {
            "resize": resize,
            "crop": list(self.crop) if self.crop else None,
            "resample": self.resample,
            "rescale": self.rescale,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Turn images into the input of a model.

        Parameters
        ----------
        images : tensor of shape (n_images, y, x, 3), uint8
            RGB images.

        Returns
        -------
        pixels : tensor of shape (n_images, 3, height, width), float32
            Normalised, on the same device.
        """
        pixels = images.permute(0, 3, 1, 2)
        pixels = self._resize(pixels)
        pixels = self._crop(pixels).float()
        scale, offset = _build_normalisation(self, pixels.device)
        return (pixels * scale + offset).contiguous()

    def _resize(self, pixels: torch.Tensor) -> torch.Tensor:
        height, width = pixels.shape[-2:]
        target = _find_size(self.resize, height, width)
        if target == (height, width):
            return pixels
        if self.resample == "nearest-exact":
            return functional.interpolate(pixels, size=target, mode=self.resample)
        if pixels.device.type == "cpu":
            return functional.interpolate(pixels, size=target, mode=self.resample, antialias=True)
        # CUDA has no 8-bit kernel: compute in float32, then round as Pillow does.
        resized = functional.interpolate(
            pixels.float(), size=target, mode=self.resample, antialias=True
        )
        return resized.round_().clamp_(0, 255)

    def _crop(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.crop is None:
            return pixels
        missing = [
            max(0, crop - now) for crop, now in zip(self.crop, pixels.shape[-2:], strict=True)
        ]
        if any(missing):
            top, left = (math.ceil(lines / 2) for lines in missing)
            pixels = functional.pad(pixels, (left, missing[1] - left, top, missing[0] - top))
        top = (pixels.shape[-2] - self.crop[0]) // 2
        left = (pixels.shape[-1] - self.crop[1]) // 2
        return pixels[..., top : top + self.crop[0], left : left + self.crop[1]]


@functools.lru_cache(maxsize=16)
def _build_normalisation(
    preprocessing: Preprocessing, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factor and offset per channel; kept, since copying them would halt a GPU's queue."""
    mean = torch.tensor(preprocessing.mean).view(1, -1, 1, 1)
    std = torch.tensor(preprocessing.std).view(1, -1, 1, 1)
    return (preprocessing.rescale / std).to(device), (-mean / std).to(device)


def _find_size(resize: tuple[int, int] | int | None, height: int, width: int) -> tuple[int, int]:
    if resize is None:
        return height, width
    if isinstance(resize, tuple):
        return resize
    if height <= width:
        return resize, int(resize * width / height)
    return int(resize * height / width), resize


def read_preprocessing(configuration: Mapping[str, Any], where: str) -> Preprocessing:
    """Understand a checkpoint's ``preprocessor_config.json``.

    Parameters
    ----------
    configuration : mapping of str to object
        Content of the file.
    where : str
        Name of the file for error messages.

    Returns
    -------
    preprocessing : Preprocessing
        The steps, in the order resize, crop, rescale, normalise.

    Raises
    ------
    InputError
        If it asks for a resampling filter or a size that is not supported.
    """
    kind = str(
        configuration.get("image_processor_type") or configuration.get("feature_extractor_type", "")
    )
    resize, crop = _read_sizes(configuration, kind, where)
    normalise = configuration.get("do_normalize", True)
    rescale = configuration.get("do_rescale", True)
    return Preprocessing(
        resize=resize,
        crop=crop,
        resample=_read_resampling(configuration, where),
        rescale=float(configuration.get("rescale_factor", 1 / 255)) if rescale else 1.0,
        mean=_read_channels(configuration, "image_mean", where) if normalise else (0.0,) * 3,
        std=_read_channels(configuration, "image_std", where) if normalise else (1.0,) * 3,
    )


def _read_resampling(configuration: Mapping[str, Any], where: str) -> str:
    number = configuration.get("resample", 3)
    if number not in _RESAMPLING:
        raise InputError(
            "the resampling filter is not supported",
            where=where,
            expected="0 (nearest), 2 (bilinear) or 3 (bicubic)",
            found=number,
            remedy="Resize the images beforehand and set do_resize: false.",
        )
    return _RESAMPLING[number]


def _read_channels(configuration: Mapping[str, Any], key: str, where: str) -> tuple[float, ...]:
    values = configuration.get(key)
    if not isinstance(values, list) or len(values) != 3:
        raise InputError(f"{key} is wrong", where=where, expected="three numbers", found=values)
    return tuple(float(value) for value in values)


def _read_sizes(
    configuration: Mapping[str, Any], kind: str, where: str
) -> tuple[tuple[int, int] | int | None, tuple[int, int] | None]:
    resize: tuple[int, int] | int | None = None
    if configuration.get("do_resize", True):
        # Old files give one number: the side of a square for ViT, the shortest edge for the rest.
        square = "ViT" in kind or "DeiT" in kind
        resize = _read_size(configuration.get("size"), square, "size", where)
    crop: tuple[int, int] | None = None
    if configuration.get("do_center_crop", "crop_size" in configuration):
        found = _read_size(configuration.get("crop_size"), True, "crop_size", where)
        crop = found if isinstance(found, tuple) else (found, found)
    if "ConvNext" in kind and isinstance(resize, int):
        return _read_convnext_sizes(resize, float(configuration.get("crop_pct") or 224 / 256))
    return resize, crop


def _read_convnext_sizes(
    shortest_edge: int, crop_fraction: float
) -> tuple[tuple[int, int] | int, tuple[int, int] | None]:
    square = (shortest_edge, shortest_edge)
    if shortest_edge >= _CONVNEXT_WARP_SIZE:
        return square, None
    return int(shortest_edge / crop_fraction), square


def _read_size(size: Any, square: bool, key: str, where: str) -> tuple[int, int] | int:
    if isinstance(size, int):
        return (size, size) if square else size
    if isinstance(size, Mapping):
        if set(size) == {"height", "width"}:
            return int(size["height"]), int(size["width"])
        if set(size) == {"shortest_edge"}:
            return int(size["shortest_edge"])
    raise InputError(
        f"{key} is not understood",
        where=where,
        expected="a number, {height, width} or {shortest_edge}",
        found=size,
    )
