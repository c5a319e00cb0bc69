"""What the two trainings share: order of images, optimiser, schedule and saving."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedModel

from brainalign.errors import InputError
from brainalign.features.quiet import quiet_transformers
from brainalign.features.world_backbones.options import VisionTransformerOptions

# CLIP's own normalisation; any fixed numbers near the middle of the range would do.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_MAXIMUM_GRADIENT_NORM = 3.0


@contextlib.contextmanager
def seeded_initialisation(seed: int) -> Iterator[None]:
    """Draw initial weights from a seed and leave the global generator as it was.

    Parameters
    ----------
    seed : int
        `transformers` initialises from the global generator only.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def check_training_images(images: np.ndarray) -> None:
    """Refuse images that no model can be trained on.

    Parameters
    ----------
    images : array of shape (n_images, side, side, 3), uint8
        Training images.

    Raises
    ------
    InputError
        If dtype or shape are wrong or there are fewer than two images.
    """
    is_square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
    if images.dtype != np.uint8 or not is_square:
        raise InputError(
            "world backbones are trained on square RGB images",
            where="images",
            expected="(n, side, side, 3) uint8",
            found=f"{images.shape} {images.dtype}",
        )
    if len(images) < 2:
        raise InputError("a contrast needs two images", where="images", found=len(images))


def build_preprocessor_configuration(image_size: int) -> dict[str, Any]:
    """Describe the steps from image to input of a world backbone.

    Parameters
    ----------
    image_size : int
        Side of the input in pixels.

    Returns
    -------
    configuration : dict
        In the format of ``preprocessor_config.json``.
    """
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": image_size, "width": image_size},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(_MEAN),
        "image_std": list(_STD),
    }


def iterate_epochs(
    n_images: int, options: VisionTransformerOptions, generator: torch.Generator
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield shuffled batches of row numbers.

    Parameters
    ----------
    n_images : int
        Number of training images.
    options : VisionTransformerOptions
        Epochs and batch size.
    generator : torch.Generator
        Source of the order.

    Yields
    ------
    epoch : int
        From 0.
    rows : tensor of shape (n_in_batch,), int64
        At least two; a last single image is left out, since a contrast of one is always zero.
    """
    for epoch in range(options.n_epochs):
        for rows in torch.randperm(n_images, generator=generator).split(options.batch_size):
            if len(rows) > 1:
                yield epoch, rows


def count_steps(n_images: int, options: VisionTransformerOptions) -> int:
    """Return the number of batches that :func:`iterate_epochs` yields."""
    per_epoch = math.ceil(n_images / options.batch_size)
    if n_images % options.batch_size == 1:
        per_epoch -= 1
    return per_epoch * options.n_epochs


class Optimisation:
    """AdamW with warm-up and cosine decay; matrices decay, vectors do not.

    Parameters
    ----------
    module : torch.nn.Module
        What is trained.
    options : VisionTransformerOptions
        Learning rate, decay and warm-up.
    n_steps : int
        Length of the schedule.
    """

    def __init__(self, module: nn.Module, options: VisionTransformerOptions, n_steps: int) -> None:
        self._parameters = [weight for weight in module.parameters() if weight.requires_grad]
        groups = [
            {
                "params": [weight for weight in self._parameters if weight.ndim > 1],
                "weight_decay": options.weight_decay,
            },
            {
                "params": [weight for weight in self._parameters if weight.ndim <= 1],
                "weight_decay": 0.0,
            },
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98))
        n_warmup = max(1, round(n_steps * options.warmup_fraction))

        def scale(step: int) -> float:
            if step < n_warmup:
                return (step + 1) / n_warmup
            progress = (step - n_warmup) / max(1, n_steps - n_warmup)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, scale)

    def step(self, loss: torch.Tensor) -> None:
        """Follow the gradient of a loss once.

        Raises
        ------
        InputError
            If the loss is not finite; weights are left as they were.
        """
        if not torch.isfinite(loss):
            raise InputError(
                "the training diverged",
                where="features.backbones.training",
                found=f"loss {loss.item()}",
                remedy="Lower learning_rate.",
            )
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, _MAXIMUM_GRADIENT_NORM)
        self._optimiser.step()
        self._schedule.step()


def summarise_epochs(records: list[dict[str, float]]) -> pd.DataFrame:
    """Average what was recorded per step over each epoch.

    Parameters
    ----------
    records : list of dict
        Per step, with the key ``epoch``.

    Returns
    -------
    history : DataFrame
        One row per epoch.
    """
    return pd.DataFrame(records).groupby("epoch", as_index=False).mean()


def save_backbone(
    model: PreTrainedModel,
    preprocessor_configuration: dict[str, Any],
    history: pd.DataFrame,
    folder: Path,
) -> None:
    """Write a checkpoint that loads like a published one.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Written as safetensors with its ``config.json``.
    preprocessor_configuration : dict
        Written as ``preprocessor_config.json``.
    history : DataFrame
        Written as ``training.csv``.
    folder : path
        Made if it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        model.save_pretrained(folder)
    text = json.dumps(preprocessor_configuration, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")
    history.to_csv(folder / "training.csv", index=False)
