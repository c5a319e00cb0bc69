"""The table of backbones: kind of options to the function that loads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from brainalign.errors import InputError, ResourceError
from brainalign.features.backbone import Backbone
from brainalign.features.options import (
    ExtractionOptions,
    PixelsOptions,
    PretrainedOptions,
    WorldCLIPOptions,
    WorldDINOOptions,
)
from brainalign.features.pixels import PixelsBackbone
from brainalign.features.pretrained import load_pretrained
from brainalign.options import suggest_name


def load_backbone(
    options: ExtractionOptions, folder: Path | None = None, device: str | torch.device = "cpu"
) -> Backbone:
    """Load the backbone that options describe.

    Parameters
    ----------
    options : ExtractionOptions
        Options of one backbone, see :mod:`brainalign.features.options`.
    folder : path, optional
        Folder of a trained world backbone; the other kinds do not need it.
    device : str or torch.device
        Where it will compute.

    Returns
    -------
    backbone : Backbone
        Frozen and in evaluation mode.

    Raises
    ------
    InputError
        If the kind is unknown, weights are missing or do not fit, or are no safetensors.
    CorruptDataError
        If a file is damaged.
    ResourceError
        If a model can't be fetched, or the device does not exist.
    """
    kind = getattr(options, "kind", type(options).__name__)
    if kind not in BACKBONES:
        raise InputError(
            f"no backbone of kind '{kind}'",
            where="features.backbones",
            remedy=suggest_name(str(kind), BACKBONES),
        )
    return BACKBONES[kind](options, folder, _find_device(device))


def _find_device(device: str | torch.device) -> torch.device:
    found = torch.device(device)
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ResourceError(
            "no CUDA device is visible",
            where="device",
            found=str(device),
            remedy="Set device: cpu.",
        )
    return found


def _load_pixels(
    options: PixelsOptions, folder: Path | None, device: torch.device
) -> PixelsBackbone:
    return PixelsBackbone(options.grid, device)


def _load_pretrained(
    options: PretrainedOptions, folder: Path | None, device: torch.device
) -> Backbone:
    return load_pretrained(options.model, options.revision, device)


def _load_world(
    options: WorldCLIPOptions | WorldDINOOptions, folder: Path | None, device: torch.device
) -> Backbone:
    if folder is None:
        raise InputError(
            f"the backbone {options.kind} is trained first; its folder is needed",
            where="features.backbones",
            remedy="Run the rule that trains it, or pass the folder it wrote.",
        )
    # The same code as for a published checkpoint: the world only differs in the folder.
    return load_pretrained(str(folder), None, device)


BACKBONES: dict[str, Callable[[Any, Path | None, torch.device], Backbone]] = {
    "pixels": _load_pixels,
    "pretrained": _load_pretrained,
    "world_clip": _load_world,
    "world_dino": _load_world,
}
