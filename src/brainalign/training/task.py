"""What a method has to offer to be trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import nn

BatchT = TypeVar("BatchT")


class TrainingTask(Protocol, Generic[BatchT]):
    """A module with its batches, its loss and its validation score.

    The loop owns the optimiser, the schedule, the precision, the guard against bad gradients and
    the checkpoints; the task owns all that is about the data and the model.

    Attributes
    ----------
    module : torch.nn.Module
        What is trained, learned scales of a loss included.
    n_stimuli : int
        Number of training stimuli; decides the default number of epochs.
    undecayed_parameters : collection of str
        Names of the parameters that weight decay leaves alone.
    """

    @property
    def module(self) -> nn.Module:
        """Module that is trained."""

    @property
    def n_stimuli(self) -> int:
        """Number of training stimuli."""

    @property
    def undecayed_parameters(self) -> frozenset[str]:
        """Names of the parameters without weight decay."""

    def prepare(self, device: torch.device) -> None:
        """Move the module and all tensors to the device; called once, before the first epoch."""

    def fingerprint(self) -> str:
        """Digest of the data and of the method's options; keys the resume checkpoints."""

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterable[BatchT]:
        """Yield the batches of one epoch; all randomness comes from the generator."""

    def compute_loss(self, batch: BatchT) -> torch.Tensor:
        """Scalar loss of one batch, in fp32."""

    def validate(self) -> float:
        """Score on the validation split, larger is better; module in eval mode, no gradients."""


@runtime_checkable
class RowwiseTask(Protocol):
    """What a `TrainingTask` offers beside, so that a batch can be computed in parts.

    A batch is then rows that pass the module one by one, and a loss of what comes out for all of
    them: the mean of squared errors as well as a contrast of all pairs. Memory that runs out and
    training by several processes need it. A batch norm would break it.
    """

    def count_rows(self, batch: Any) -> int:
        """Count the rows of a batch."""

    def take_rows(self, batch: Any, rows: slice) -> Any:
        """Take part of a batch, with the rows in their order."""

    def compute_outputs(self, batch: Any) -> tuple[torch.Tensor, ...]:
        """Compute the outputs of the module, each with a row per row of the batch."""

    def compute_loss_of_outputs(
        self, outputs: tuple[torch.Tensor, ...], batch: Any
    ) -> torch.Tensor:
        """Compare the outputs for a whole batch; a scalar loss in fp32."""
