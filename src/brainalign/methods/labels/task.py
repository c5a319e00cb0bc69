"""Training of a network on samples of several subjects, and how an epoch is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.clip_mused.losses import compute_label_loss
from brainalign.methods.labels.network import NetworkOutput
from brainalign.methods.labels.precision import compute_mean_average_precision
from brainalign.methods.labels.sampling import Sampling, draw_pooled_batches
from brainalign.training.checkpoint import digest_content


@dataclass(frozen=True)
class Samples:
    """What a network sees of one split: one row per subject and stimulus.

    Attributes
    ----------
    values : array of shape (n_samples, ...), float32
        Patches or volumes.
    subject, stimulus_row : array of shape (n_samples,), int64
        Subject and row of the stimulus of each sample.
    label : array of shape (n_stimuli, n_classes), bool
        Labels of the stimuli.
    target : mapping of str to array of shape (n_stimuli, n_features), float32
        Processed features that guide the levels; rows of length 1.
    """

    values: np.ndarray
    subject: np.ndarray
    stimulus_row: np.ndarray
    label: np.ndarray
    target: Mapping[str, np.ndarray]


class LabelNetwork(Protocol):
    """A network from values and subjects to labels."""

    def __call__(self, values: torch.Tensor, subject: torch.Tensor, /) -> NetworkOutput:
        """Predict for a batch."""


@dataclass(frozen=True)
class LabelBatch:
    """Samples of several subjects.

    Attributes
    ----------
    values : tensor of shape (n_samples, ...)
        Patches or volumes.
    subject : tensor of shape (n_samples,), int64
        Subject of each.
    label : tensor of shape (n_samples, n_classes)
        0 or 1.
    target : dict of str to tensor of shape (n_samples, n_features)
        Features that guide the levels.
    """

    values: torch.Tensor
    subject: torch.Tensor
    label: torch.Tensor
    target: dict[str, torch.Tensor]


class LabelTask:
    """Multi-label training; the score is mean average precision, mean over subjects.

    Parameters
    ----------
    module : torch.nn.Module
        A `LabelNetwork`.
    options : dict
        Options of the method, for the fingerprint.
    training, validation : Samples
        Both splits.
    learnable : array of shape (n_classes,), bool
        Classes with positives and negatives in training.
    sampling : str
        How batches are drawn.
    batch_size : int
        Samples per batch.

    Raises
    ------
    InputError
        No class that can be learned has a positive in the validation split.
    """

    undecayed_parameters: frozenset[str] = frozenset()

    def __init__(
        self,
        module: nn.Module,
        options: dict[str, Any],
        training: Samples,
        validation: Samples,
        learnable: np.ndarray,
        sampling: Sampling,
        batch_size: int,
    ) -> None:
        self.module, self.options = module, options
        self.training, self.validation = training, validation
        self.learnable, self.sampling, self.batch_size = learnable, sampling, batch_size
        self.n_stimuli = len(np.unique(training.stimulus_row))
        self.undecayed_parameters = frozenset(
            name for name, value in module.named_parameters() if value.ndim == 1 or "token" in name
        )
        judged = validation.label[validation.stimulus_row][:, learnable]
        if not judged.any():
            raise InputError(
                "the validation split can tell no epoch from another",
                expected="a positive of a class that training has",
                found=f"{len(judged)} responses without one",
                remedy="Give the validation split more stimuli.",
            )

    def prepare(self, device: torch.device) -> None:
        """Move the module and all tensors to the device."""
        self.module.to(device)
        self._device = device
        self._learnable = torch.from_numpy(self.learnable).to(device)
        self._train = _to_tensors(self.training, device)
        self._judge = _to_tensors(self.validation, device)

    def fingerprint(self) -> str:
        """Digest of options and data."""
        arrays: list[Any] = []
        for split in (self.training, self.validation):
            arrays += [split.values, split.subject, split.stimulus_row, split.label]
            arrays += [split.target[name] for name in sorted(split.target)]
        return digest_content(["labels", self.options, *arrays])

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[LabelBatch]:
        """Yield the batches of one epoch."""
        rows = draw_pooled_batches(
            self.sampling,
            self.training.subject,
            self.training.stimulus_row,
            min(self.batch_size, len(self.training.subject)),
            generator,
        )
        for chosen in rows:
            yield self._take(self._train, torch.from_numpy(chosen).to(self._device))

    def compute_loss(self, batch: LabelBatch) -> torch.Tensor:
        """Multi-label loss of one batch."""
        output: NetworkOutput = self.module(batch.values, batch.subject)
        return compute_label_loss(output.logit.float(), batch.label, self._learnable)

    def validate(self) -> float:
        """Mean average precision over classes, mean over subjects."""
        logit = self.module(self._judge["values"], self._judge["subject"]).logit
        score = logit.float().cpu().numpy()[:, self.learnable]
        truth = self.validation.label[self.validation.stimulus_row][:, self.learnable]
        values = [
            compute_mean_average_precision(score[rows], truth[rows])
            for number in np.unique(self.validation.subject)
            if truth[rows := self.validation.subject == number].any()
        ]
        return float(np.mean(values))

    @staticmethod
    def _take(tensors: dict[str, torch.Tensor], rows: torch.Tensor) -> LabelBatch:
        stimulus = tensors["stimulus_row"][rows]
        return LabelBatch(
            tensors["values"][rows],
            tensors["subject"][rows],
            tensors["label"][stimulus],
            {
                name.removeprefix("target/"): values[stimulus]
                for name, values in tensors.items()
                if name.startswith("target/")
            },
        )


def _to_tensors(samples: Samples, device: torch.device) -> dict[str, torch.Tensor]:
    arrays = {
        "values": samples.values,
        "subject": samples.subject,
        "stimulus_row": samples.stimulus_row,
        "label": samples.label.astype(np.float32),
        **{f"target/{name}": values for name, values in samples.target.items()},
    }
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
