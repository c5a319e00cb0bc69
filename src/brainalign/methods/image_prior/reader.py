"""Predictors that read category, pose, position and size from images.

They know nothing of responses, latents or critics, so that they can judge what edits change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, pad

from brainalign.methods.image_prior.encoder import ImageEncoder
from brainalign.methods.image_prior.options import CATEGORY
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content
from brainalign.training.loop import train_module
from brainalign.training.options import TrainingOptions
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

_DIMENSION = 128
_DROPOUT = 0.3
# Content moves by up to this share of the width: more would leave the range of real stimuli.
_LARGEST_SHIFT = 1 / 16


@dataclass(frozen=True)
class ImageSymmetry:
    """How factors change as an image's content moves by one pixel, or as it is mirrored.

    Attributes
    ----------
    column, row : array of shape (n_factors,), float32
        Change of the standardised factors per pixel to the right and per pixel upwards; all zero
        for images that are not to be shifted.
    mirror : array of shape (2, n_factors), float32, or None
        Factor and offset of the standardised factors of a mirrored image; None for images that are
        not to be mirrored.
    """

    column: np.ndarray
    row: np.ndarray
    mirror: np.ndarray | None = None


@dataclass(frozen=True)
class AttributeTable:
    """What is known of a set of stimuli.

    Attributes
    ----------
    category : array of shape (n_stimuli,), int64
        Number of the category; -1 where unknown.
    factor : array of shape (n_stimuli, n_factors), float32
        Standardised factors; NaN where unknown.
    """

    category: np.ndarray
    factor: np.ndarray

    def take(self, rows: np.ndarray) -> AttributeTable:
        """Take some stimuli."""
        return AttributeTable(self.category[rows], self.factor[rows])


class AttributeReader(nn.Module):
    """A convolutional network with a classifier and a regression on top.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    n_categories, n_factors : int
        What is read; either may be 0.
    """

    def __init__(self, n_channels: int, n_categories: int, n_factors: int) -> None:
        super().__init__()
        self.n_categories = n_categories
        self.encoder = ImageEncoder(n_channels, _DIMENSION)
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(_DIMENSION, n_categories + n_factors)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Read images.

        Parameters
        ----------
        image : tensor of shape (n_images, n_channels, y, x)
            Between -1 and 1.

        Returns
        -------
        reading : tensor of shape (n_images, n_categories + n_factors)
            Log probabilities of the categories, then standardised factors.
        """
        code = self.dropout(nn.functional.silu(self.encoder(image)))
        logits, factor = self.head(code).split(
            [self.n_categories, self.head.out_features - self.n_categories], dim=1
        )
        return torch.cat([log_softmax(logits.float(), dim=1), factor.float()], dim=1)


class ReaderTask:
    """Reading attributes of training images, each as it is or as the prior estimates it.

    Parameters
    ----------
    module : AttributeReader
        What is trained.
    options : TrainingOptions
        Batch size.
    training : array of shape (n_versions, n_stimuli, n_channels, y, x), float32
        Images, and one-step estimates of them.
    training_table : AttributeTable
        What is known of them.
    validation : array of shape (n_stimuli, n_channels, y, x), float32
        Held-out images.
    validation_table : AttributeTable
        What is known of those.
    symmetry : ImageSymmetry
        What shifted and mirrored images change.
    """

    def __init__(
        self,
        module: AttributeReader,
        options: TrainingOptions,
        training: np.ndarray,
        training_table: AttributeTable,
        validation: np.ndarray,
        validation_table: AttributeTable,
        symmetry: ImageSymmetry,
    ) -> None:
        self.module, self.options = module, options
        self._column, self._row = torch.from_numpy(symmetry.column), torch.from_numpy(symmetry.row)
        self._mirror = None if symmetry.mirror is None else torch.from_numpy(symmetry.mirror)
        moves = bool(symmetry.column.any() or symmetry.row.any())
        self._largest_shift = int(_LARGEST_SHIFT * training.shape[-1]) if moves else 0
        self.n_stimuli = training.shape[1]
        self.undecayed_parameters: frozenset[str] = frozenset()
        self._content = [training, training_table.category, training_table.factor]
        self._training = torch.from_numpy(training)
        self._validation = torch.from_numpy(validation)
        self._tables = [_to_tensors(table) for table in (training_table, validation_table)]

    def prepare(self, device: torch.device) -> None:
        """Move the module and all tensors to the device."""
        self.module.to(device)
        self._training, self._validation = self._training.to(device), self._validation.to(device)
        self._tables = [(c.to(device), f.to(device)) for c, f in self._tables]
        self._column, self._row = self._column.to(device), self._row.to(device)
        self._mirror = None if self._mirror is None else self._mirror.to(device)

    def fingerprint(self) -> str:
        """Digest of images and attributes."""
        return digest_content(self._content)

    def iterate_batches(
        self, epoch: int, generator: np.random.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield images in a version drawn by chance, and their attributes."""
        category, factor = self._tables[0]
        size = max(1, self.options.limit_batch_size(self.n_stimuli))
        for rows in draw_batches(self.n_stimuli, size, generator):
            version = torch.from_numpy(generator.integers(len(self._training), size=len(rows)))
            chosen = torch.from_numpy(rows)
            steps = generator.integers(
                -self._largest_shift, self._largest_shift + 1, size=(2, len(rows))
            )
            image, truth = self._training[version, chosen], factor[chosen]
            if self._mirror is not None:
                is_mirrored = torch.from_numpy(generator.random(len(rows)) < 0.5).to(image.device)
                image = torch.where(is_mirrored.view(-1, 1, 1, 1), image.flip(-1), image)
                turned = truth * self._mirror[0] + self._mirror[1]
                truth = torch.where(is_mirrored[:, None], turned, truth)
            image = shift_images(image, steps[0], steps[1])
            right, up = torch.from_numpy(steps).to(image.device).float()
            moved = right[:, None] * self._column + up[:, None] * self._row
            yield image, category[chosen], truth + moved

    def compute_loss(self, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Cross-entropy of categories plus squared error of factors, where known."""
        image, category, factor = batch
        return self._measure(self.module(image), category, factor)

    def validate(self) -> float:
        """Mean skill over what is read: an attribute that cannot be read counts 0, not less.

        One attribute that is only memorised must not decide the epoch for all others.
        """
        reading, (category, factor) = self.module(self._validation), self._tables[1]
        skills = []
        n_categories = self.module.n_categories
        known = category >= 0
        if n_categories > 1 and bool(known.any()):
            hit = reading[known, :n_categories].argmax(dim=1) == category[known]
            chance = 1 / n_categories
            skills.append((float(hit.float().mean()) - chance) / (1 - chance))
        for column in range(factor.shape[1]):
            there = torch.isfinite(factor[:, column])
            if int(there.sum()) > 1:
                truth = factor[there, column]
                error = (reading[there, n_categories + column] - truth).pow(2).mean()
                skills.append(1 - float(error / truth.var(correction=0).clamp_min(1e-12)))
        return float(np.mean([max(0.0, skill) for skill in skills])) if skills else 0.0

    def _measure(
        self, reading: torch.Tensor, category: torch.Tensor, factor: torch.Tensor
    ) -> torch.Tensor:
        n_categories = self.module.n_categories
        loss = reading.new_zeros(())
        if n_categories and bool((category >= 0).any()):
            loss = loss + cross_entropy(reading[:, :n_categories], category, ignore_index=-1)
        known = torch.isfinite(factor)
        if known.any():
            error = reading[:, n_categories:] - torch.where(known, factor, 0)
            loss = loss + (error.pow(2) * known).sum() / known.sum() * factor.shape[1] / 2
        return loss


def train_reader(
    training: np.ndarray,
    training_table: AttributeTable,
    validation: np.ndarray,
    validation_table: AttributeTable,
    n_categories: int,
    *,
    symmetry: ImageSymmetry,
    epochs: int,
    seed: int,
    device: str = "cpu",
    report: Report | None = None,
) -> AttributeReader:
    """Train the attribute predictors; see `ReaderTask` for the arrays.

    Returns
    -------
    reader : AttributeReader
        On the CPU, in eval mode, with the weights of the best epoch on held-out images.
    """
    options = TrainingOptions(epochs=epochs, batch_size=64, learning_rate=2e-3, weight_decay=0.05)
    with isolate_torch_randomness(derive_seed(seed, "reader")):
        reader = AttributeReader(training.shape[2], n_categories, training_table.factor.shape[1])
    task = ReaderTask(
        reader, options, training, training_table, validation, validation_table, symmetry
    )
    train_module(task, options, seed=seed, device=device, report=report)
    return reader.cpu().eval()


def shift_images(image: torch.Tensor, right: np.ndarray, up: np.ndarray) -> torch.Tensor:
    """Move the content of images by whole pixels; borders are repeated.

    Parameters
    ----------
    image : tensor of shape (n_images, n_channels, y, x)
        Images.
    right, up : array of shape (n_images,), int64
        Pixels.
    """
    width = int(max(np.abs(right).max(initial=0), np.abs(up).max(initial=0)))
    if not width:
        return image
    padded = pad(image, (width, width, width, width), mode="replicate")
    height, length = image.shape[-2:]
    return torch.stack(
        [
            one[:, width + y : width + y + height, width - x : width - x + length]
            for one, x, y in zip(padded, right.tolist(), up.tolist(), strict=True)
        ]
    )


@torch.no_grad()
def read_attributes(reader: AttributeReader, image: torch.Tensor) -> np.ndarray:
    """Read images.

    Parameters
    ----------
    reader : AttributeReader
        Trained predictors.
    image : tensor of shape (n_images, n_channels, y, x)
        Between -1 and 1.

    Returns
    -------
    reading : array of shape (n_images, n_categories + n_factors), float32
        Probabilities of the categories, then standardised factors.
    """
    parts = []
    for part in image.split(256):
        reading = reader(part)
        reading[:, : reader.n_categories] = reading[:, : reader.n_categories].exp()
        parts.append(reading.cpu().numpy())
    return np.concatenate(parts).astype(np.float32)


def validate_reader(
    reader: AttributeReader, image: np.ndarray, table: AttributeTable, names: list[str]
) -> dict[str, float]:
    """Judge the predictors on held-out images.

    Parameters
    ----------
    reader : AttributeReader
        Trained predictors.
    image : array of shape (n_images, n_channels, y, x), float32
        Images that no training has seen.
    table : AttributeTable
        What is known of them.
    names : list of str
        Names of the factors.

    Returns
    -------
    quality : dict of str to float
        Accuracy under ``category``, R2 under the name of each factor; NaN where nothing is known.
    """
    reading = read_attributes(reader, torch.from_numpy(image))
    quality = {}
    known = table.category >= 0
    if reader.n_categories:
        hit = reading[:, : reader.n_categories].argmax(axis=1) == table.category
        quality[CATEGORY] = float(hit[known].mean()) if known.any() else float("nan")
    for column, name in enumerate(names):
        truth = table.factor[:, column].astype(np.float64)
        there = np.isfinite(truth)
        error = (reading[there, reader.n_categories + column] - truth[there]) ** 2
        spread = np.var(truth[there]) if there.any() else 0.0
        quality[name] = float(1 - error.mean() / spread) if spread > 0 else float("nan")
    return quality


def _to_tensors(table: AttributeTable) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(table.category), torch.from_numpy(table.factor)
