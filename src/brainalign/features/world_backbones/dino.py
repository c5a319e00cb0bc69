"""Train a small vision transformer without labels: a student follows a teacher across views."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from transformers import Dinov2Config, Dinov2Model

from brainalign.features.preprocessing import read_preprocessing
from brainalign.features.world_backbones.augmentation import ViewGenerator
from brainalign.features.world_backbones.options import DINOTrainingOptions
from brainalign.features.world_backbones.training import (
    Optimisation,
    build_preprocessor_configuration,
    check_training_images,
    count_steps,
    iterate_epochs,
    open_checkpoints,
    save_backbone,
    seeded_initialisation,
    summarise_epochs,
)
from brainalign.progress import show_progress

# Fractions of the image's area; large enough that a view of the world shows part of its object.
_GLOBAL_AREA = (0.35, 1.0)
_LOCAL_AREA = (0.1, 0.35)


class _Network(nn.Module):
    """Backbone with the projection head that is thrown away after training."""

    def __init__(self, options: DINOTrainingOptions) -> None:
        super().__init__()
        self.backbone = Dinov2Model(build_configuration(options))
        self.head = nn.Sequential(
            nn.Linear(2 * options.hidden_size, options.head_size),
            nn.GELU(),
            nn.Linear(options.head_size, options.embedding_size),
        )

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        hidden = self.backbone(views).last_hidden_state
        pooled = torch.cat([hidden[:, 0], hidden[:, 1:].mean(dim=1)], dim=1)
        return functional.normalize(self.head(pooled), dim=1)


def build_configuration(options: DINOTrainingOptions) -> Dinov2Config:
    """Describe the student.

    Parameters
    ----------
    options : DINOTrainingOptions
        Shape.

    Returns
    -------
    configuration : Dinov2Config
        Without dropout; layer scale starts at 1, since so few layers need no damping.
    """
    return Dinov2Config(
        hidden_size=options.hidden_size,
        num_hidden_layers=options.n_layers,
        num_attention_heads=options.n_heads,
        mlp_ratio=4,
        image_size=options.image_size,
        patch_size=options.patch_size,
        layerscale_value=1.0,
        use_mask_token=False,
    )


def train_world_dino(
    images: np.ndarray,
    options: DINOTrainingOptions,
    seed: int,
    folder: Path,
    device: str | torch.device = "cpu",
    progress: bool = False,
    scratch: Path | None = None,
) -> pd.DataFrame:
    """Train from scratch without captions or labels, and save the teacher.

    Parameters
    ----------
    images : array of shape (n_images, side, side, 3), uint8
        Images of the training split only.
    options : DINOTrainingOptions
        Shape and training.
    seed : int
        Of initial weights, order and views; on one CPU thread it fixes the weights.
    folder : path
        Receives ``model.safetensors``, ``config.json``, ``preprocessor_config.json`` and
        ``training.csv``.
    device : str or torch.device
        Where to train.
    progress : bool
        Whether to show progress.
    scratch : path, optional
        Folder for resume checkpoints, one per epoch; a training that was killed goes on there.

    Returns
    -------
    history : DataFrame
        Per epoch ``loss`` (nats) and ``accuracy`` (fraction of views that the teacher's view
        of the same image is nearest to).

    Raises
    ------
    InputError
        If the images do not fit or the training diverges.

    Notes
    -----
    As in DINO (Caron et al. 2021), student and teacher see two global views, the student also
    local ones, the teacher is a moving average of the student, and the teacher is kept. The
    contrast with the other images of the batch (MoCo v3, Chen et al. 2021) takes the place of
    DINO's prototypes: within the few hundred steps that there are, these stayed near uniform
    targets, with a moving centre and with Sinkhorn-Knopp alike. The head reads CLS and the mean
    over patches, so that both outputs of the backbone are trained.
    """
    check_training_images(images)
    with seeded_initialisation(seed):
        student = _Network(options).to(device).train()
    teacher = copy.deepcopy(student).requires_grad_(False).eval()
    configuration = build_preprocessor_configuration(options.image_size)
    preprocessing = read_preprocessing(configuration, "preprocessor_config.json")
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)

    generator = torch.Generator().manual_seed(seed)
    normalisation = (preprocessing.mean, preprocessing.std, generator)
    make_global = ViewGenerator(options.global_size, _GLOBAL_AREA, *normalisation)
    make_local = ViewGenerator(options.local_size, _LOCAL_AREA, *normalisation)
    n_steps = count_steps(len(images), options)
    optimisation = Optimisation(student, options, n_steps)
    records: list[dict[str, float]] = []
    identity = ["world_dino", options.model_dump(mode="json"), seed, images]
    both = nn.ModuleDict({"student": student, "teacher": teacher})
    with open_checkpoints(scratch, identity, both, optimisation, generator, records) as checkpoints:
        batches = iterate_epochs(len(images), options, generator, checkpoints)
        if progress:
            batches = show_progress(batches, "training world_dino, steps", n_steps)
        for epoch, rows in batches:
            shown = pixels[rows].float() / 255
            global_views = torch.cat([make_global(shown) for _ in range(2)]).to(device)
            with torch.no_grad():
                targets = teacher(global_views).split(len(rows))
            predictions = student(global_views).split(len(rows))
            if options.n_local_crops:
                local_views = [make_local(shown) for _ in range(options.n_local_crops)]
                predictions += student(torch.cat(local_views).to(device)).split(len(rows))
            loss, accuracy = compute_view_contrast(predictions, targets, options.temperature)
            step = optimisation.n_taken
            optimisation.step(loss)
            _follow(teacher, student, _raise_momentum(options.teacher_momentum, step, n_steps))
            records.append({"epoch": epoch, "loss": loss.item(), "accuracy": accuracy.item()})
    history = summarise_epochs(records)
    save_backbone(teacher.backbone, configuration, history, folder)
    return history


def compute_view_contrast(
    predictions: tuple[torch.Tensor, ...], targets: tuple[torch.Tensor, ...], temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compare all pairs of different views of the student and the teacher.

    Parameters
    ----------
    predictions : tuple of tensor of shape (n_images, n_features)
        The student's unit vectors for each view; the global ones first.
    targets : tuple of tensor of shape (n_images, n_features)
        The teacher's unit vectors for each global view, in the same order.
    temperature : float
        Divides the cosines.

    Returns
    -------
    loss : tensor of shape ()
        Cross-entropy of finding the same image among the batch, mean over pairs, in nats; a
        view is never compared with itself.
    accuracy : tensor of shape ()
        Fraction found.
    """
    losses, found = [], []
    for number, target in enumerate(targets):
        own = torch.arange(len(target), device=target.device)
        for other, prediction in enumerate(predictions):
            if other != number:
                cosines = prediction @ target.T
                losses.append(functional.cross_entropy(cosines / temperature, own))
                found.append((cosines.argmax(dim=1) == own).float().mean())
    return torch.stack(losses).mean(), torch.stack(found).mean()


def _raise_momentum(start: float, step: int, n_steps: int) -> float:
    return 1 - (1 - start) * (math.cos(math.pi * step / n_steps) + 1) / 2


@torch.no_grad()
def _follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    for slow, fast in zip(teacher.parameters(), student.parameters(), strict=True):
        slow.lerp_(fast, 1 - momentum)
