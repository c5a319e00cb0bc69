"""What the two trainings share: order of images, optimiser, schedule and saving."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import PreTrainedModel

from brainalign.errors import InputError, ResourceError
from brainalign.features.quiet import quiet_transformers
from brainalign.features.world_backbones.options import VisionTransformerOptions
from brainalign.stop_signals import StopRequest, defer_stop_signals
from brainalign.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    digest_content,
    flatten_state,
    restore_state,
)

# CLIP's own normalisation; any fixed numbers near the middle of the range would do.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)
_MAXIMUM_GRADIENT_NORM = 3.0
_GENERATOR = "generator/state"


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
    n_images: int,
    options: VisionTransformerOptions,
    generator: torch.Generator,
    checkpoints: EpochCheckpoints | None = None,
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield shuffled batches of row numbers, from the newest checkpoint on.

    Parameters
    ----------
    n_images : int
        Number of training images.
    options : VisionTransformerOptions
        Epochs and batch size.
    generator : torch.Generator
        Source of the order.
    checkpoints : EpochCheckpoints, optional
        Where to resume from, and to save to after each epoch.

    Yields
    ------
    epoch : int
        From 0.
    rows : tensor of shape (n_in_batch,), int64
        At least two; a last single image is left out, since a contrast of one is always zero.

    Raises
    ------
    ResourceError
        The process was asked to stop; the epoch that was running is saved.
    """
    first = checkpoints.resume() if checkpoints is not None else 0
    for epoch in range(first, options.n_epochs):
        for rows in torch.randperm(n_images, generator=generator).split(options.batch_size):
            if len(rows) > 1:
                yield epoch, rows
        if checkpoints is not None:
            checkpoints.save(epoch + 1)


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

    Attributes
    ----------
    optimiser : torch.optim.AdamW
        Two groups: decayed, undecayed.
    n_taken : int
        Steps that were taken; decides the learning rate of the next.
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
        self.optimiser = torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98))
        n_warmup = max(1, round(n_steps * options.warmup_fraction))

        self._peak, self._n_steps, self._n_warmup = options.learning_rate, n_steps, n_warmup
        self.n_taken = 0

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
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, _MAXIMUM_GRADIENT_NORM)
        for group in self.optimiser.param_groups:
            group["lr"] = self._peak * self._scale(self.n_taken)
        self.optimiser.step()
        self.n_taken += 1

    def _scale(self, step: int) -> float:
        if step < self._n_warmup:
            return (step + 1) / self._n_warmup
        progress = (step - self._n_warmup) / max(1, self._n_steps - self._n_warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class EpochCheckpoints:
    """Saves a training after each epoch, and takes it up again as if nothing had happened.

    Parameters
    ----------
    folder : CheckpointFolder
        Checkpoints of exactly this training.
    module : torch.nn.Module
        All that changes in training, a teacher included.
    optimisation : Optimisation
        Optimiser and its place in the schedule.
    generator : torch.Generator
        Source of all randomness, on the CPU.
    records : list of dict
        What was recorded per step; filled in place.
    stop : StopRequest
        Looked at after each epoch.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        module: nn.Module,
        optimisation: Optimisation,
        generator: torch.Generator,
        records: list[dict[str, float]],
        stop: StopRequest,
    ) -> None:
        self._folder, self._module, self._optimisation = folder, module, optimisation
        self._generator, self._records, self._stop = generator, records, stop

    def resume(self) -> int:
        """Take up the newest whole checkpoint.

        Returns
        -------
        epoch : int
            Number of epochs that are done; 0 without a checkpoint.
        """
        newest = self._folder.read_newest()
        if newest is None:
            return 0
        tensors = dict(newest.tensors)
        self._generator.set_state(tensors.pop(_GENERATOR))
        restore_state(tensors, self._module, self._optimisation.optimiser)
        self._optimisation.n_taken = newest.progress["n_taken"]
        self._records[:] = newest.progress["records"]
        return newest.epoch

    def save(self, epoch: int) -> None:
        """Write a checkpoint, and leave where a signal has asked for it.

        Parameters
        ----------
        epoch : int
            Number of epochs that are done.

        Raises
        ------
        ResourceError
            The process was asked to stop, or the checkpoint cannot be written.
        """
        tensors = flatten_state(self._module, self._optimisation.optimiser, {})
        self._folder.write(
            Checkpoint(
                epoch,
                {**tensors, _GENERATOR: self._generator.get_state()},
                {"records": self._records, "n_taken": self._optimisation.n_taken},
            )
        )
        if self._stop.signal_name is not None:
            raise ResourceError(
                f"stopped by {self._stop.signal_name} after epoch {epoch}; run again to go on",
                where="training",
            )


@contextlib.contextmanager
def open_checkpoints(
    scratch: Path | None,
    parts: Iterable[Any],
    module: nn.Module,
    optimisation: Optimisation,
    generator: torch.Generator,
    records: list[dict[str, float]],
) -> Iterator[EpochCheckpoints | None]:
    """Defer stop signals and offer checkpoints, where there is a folder for them.

    Parameters
    ----------
    scratch : Path or None
        Folder that the caller removes once the result is published; None: no checkpoints.
    parts : iterable of array or JSON value
        All that decides the course of the training, beside the initial weights.
    module, optimisation, generator, records
        As for :class:`EpochCheckpoints`.

    Yields
    ------
    checkpoints : EpochCheckpoints or None
        None without a folder.
    """
    if scratch is None:
        yield None
        return
    weights = [value.detach().cpu().numpy() for value in module.state_dict().values()]
    folder = CheckpointFolder(scratch, digest_content([*parts, *weights]))
    with defer_stop_signals() as stop:
        yield EpochCheckpoints(folder, module, optimisation, generator, records, stop)


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
