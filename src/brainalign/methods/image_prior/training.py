"""Training of an image prior: noise prediction, with an average of the weights that is kept."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.image_prior.condition import ConditionTable
from brainalign.methods.image_prior.network import NoisePredictor
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.image_prior.schedule import compute_alpha_bar
from brainalign.training.checkpoint import digest_content
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

# Noise of the validation is the same in every epoch, so that scores can be compared.
_VALIDATION_SEED = 0

PriorBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]
"""Noisy images, levels less one, noise, and conditions or None."""


class AveragedPredictor(nn.Module):
    """A noise predictor and the exponential moving average of its weights.

    Both lie in one module, so that resume checkpoints hold the average as well.

    Parameters
    ----------
    options : ImagePriorOptions
        Shape of the network and decay of the average.
    n_condition : int
        Numbers that a conditional model is told of an image.
    """

    n_updates: torch.Tensor

    def __init__(self, options: ImagePriorOptions, n_condition: int = 0) -> None:
        super().__init__()
        self.trained = NoisePredictor(options, n_condition)
        self.average = copy.deepcopy(self.trained).requires_grad_(False)
        self.decay = options.averaging_decay
        self.register_buffer("n_updates", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the present weights; the first updates move it further."""
        self.n_updates += 1
        count = int(self.n_updates)
        decay = min(self.decay, (1 + count) / (10 + count))
        pairs = zip(self.average.parameters(), self.trained.parameters(), strict=True)
        for average, trained in pairs:
            average.lerp_(trained, 1 - decay)


class PriorTask:
    """Noise prediction on training images, validated with the averaged weights.

    Parameters
    ----------
    module : AveragedPredictor
        What is trained.
    options : ImagePriorOptions
        Batches and schedule.
    training, validation : array of shape (n_images, n_channels, y, x), float32
        Images between -1 and 1.
    condition : ConditionTable, optional
        What a conditional model is told of them.
    """

    def __init__(
        self,
        module: AveragedPredictor,
        options: ImagePriorOptions,
        training: np.ndarray,
        validation: np.ndarray,
        condition: ConditionTable | None = None,
    ) -> None:
        if len(training) < 2 or not len(validation):
            raise InputError(
                "an image prior needs at least two training images and one validation image",
                found=f"{len(training)} and {len(validation)}",
            )
        self.module, self.options = module, options
        self.n_stimuli = len(training)
        self.undecayed_parameters: frozenset[str] = frozenset()
        self._images, self._held_out = torch.from_numpy(training), torch.from_numpy(validation)
        self._alpha_bar = torch.from_numpy(compute_alpha_bar(options.n_levels)).float()
        self._condition = condition
        self._told: torch.Tensor | None = None
        self._held_out_told: torch.Tensor | None = None
        # What is told of an image must be true of its mirror image.
        self._mirrors = options.horizontal_flip
        if condition is not None:
            self._told = torch.from_numpy(condition.training)
            self._held_out_told = torch.from_numpy(condition.validation)
            self._mirrors = self._mirrors and condition.mirror is not None

    def prepare(self, device: torch.device) -> None:
        """Move the module and all tensors to the device."""
        self.module.to(device)
        self._images, self._held_out = self._images.to(device), self._held_out.to(device)
        self._alpha_bar = self._alpha_bar.to(device)
        if self._told is not None and self._held_out_told is not None:
            self._told = self._told.to(device)
            self._held_out_told = self._held_out_told.to(device)

    def fingerprint(self) -> str:
        """Digest of images and options."""
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        told = [] if self._told is None else [self._told.cpu().numpy()]
        return digest_content(
            [options, self._images.cpu().numpy(), self._held_out.cpu().numpy(), *told]
        )

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[PriorBatch]:
        """Yield noisy images, their levels less one, the noise, and what the model is told."""
        size = self.options.limit_batch_size(self.n_stimuli)
        for _ in range(self.options.steps_per_epoch):
            rows = generator.choice(self.n_stimuli, size=max(1, size), replace=False)
            images = self._images[torch.from_numpy(rows)]
            told = None if self._told is None else self._told[torch.from_numpy(rows)]
            if self._mirrors:
                mirrored = torch.from_numpy(generator.random(len(rows)) < 0.5).to(images.device)
                images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
                if told is not None and self._condition is not None:
                    turned = self._condition.mirror_rows(told)
                    told = torch.where(mirrored[:, None], turned, told)
            noisy, index, noise = self._add_noise(images, generator)
            if told is not None:
                is_told = generator.random(len(rows)) >= self.options.condition_dropout
                told = told * torch.from_numpy(is_told).to(told.device)[:, None]
            yield noisy, index, noise, told

    def compute_loss(self, batch: PriorBatch) -> torch.Tensor:
        """Mean squared error of the predicted noise."""
        # The optimiser has stepped since the last batch; the average follows here.
        self.module.update_average()
        noisy, index, noise, told = batch
        return (self.module.trained(noisy, index, told).float() - noise).pow(2).mean()

    def validate(self) -> float:
        """Minus the squared error of the average on held-out images, at noise drawn once."""
        generator = np.random.default_rng(_VALIDATION_SEED)
        noisy, index, noise = self._add_noise(self._held_out, generator)
        errors = []
        with torch.autocast(
            noisy.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"
        ):
            for rows in torch.arange(len(noisy)).split(64):
                told = None if self._held_out_told is None else self._held_out_told[rows]
                error = self.module.average(noisy[rows], index[rows], told).float() - noise[rows]
                errors.append(error.pow(2).mean(dim=(1, 2, 3)))
        return -float(torch.cat(errors).mean())

    def _add_noise(
        self, images: torch.Tensor, generator: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        device = images.device
        drawn = generator.integers(self.options.n_levels, size=len(images))
        index = torch.from_numpy(drawn).to(device)
        noise = torch.from_numpy(generator.standard_normal(images.shape, dtype=np.float32))
        noise = noise.to(device)
        share = self._alpha_bar[index + 1].view(-1, 1, 1, 1)
        return share.sqrt() * images + (1 - share).sqrt() * noise, index, noise


def train_prior(
    training: np.ndarray,
    validation: np.ndarray,
    options: ImagePriorOptions,
    *,
    seed: int,
    condition: ConditionTable | None = None,
    device: str = "cpu",
    scratch: Path | None = None,
    report: Report | None = None,
) -> tuple[NoisePredictor, pd.DataFrame]:
    """Train a prior and give its averaged weights.

    Parameters
    ----------
    training, validation : array of shape (n_images, n_channels, y, x), float32
        Images between -1 and 1.
    options : ImagePriorOptions
        Network and training.
    seed : int
        Of weights, batches and noise.
    condition : ConditionTable, optional
        What a conditional model is told of the images.
    device : {"auto", "cpu", "cuda"}
        Where to train.
    scratch : Path, optional
        Folder for resume checkpoints, see `brainalign.training.loop.train_module`.
    report : callable, optional
        Called after each epoch.

    Returns
    -------
    predictor : NoisePredictor
        Averaged weights of the best epoch, on the CPU.
    history : pandas.DataFrame
        One row per epoch; the validation score is minus the squared error of the noise.
    """
    with isolate_torch_randomness(derive_seed(seed, "initialisation")):
        n_condition = 0 if condition is None else condition.training.shape[1]
        module = AveragedPredictor(options, n_condition)
    task = PriorTask(module, options, training, validation, condition)
    history = train_module(task, options, seed=seed, device=device, scratch=scratch, report=report)
    return module.average.cpu().eval(), history
