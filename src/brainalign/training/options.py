"""Options of the shared training loop; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainalign.options import Options

LARGE_TRAINING_SET = 2000
"""Training stimuli from which the shorter default budget is enough."""

EPOCHS_OF_LARGE_SET = 60
EPOCHS_OF_SMALL_SET = 200


class TrainingOptions(Options):
    """How a module is fitted: budget, optimiser, precision and what happens on trouble."""

    epochs: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Passes over the training stimuli; null: 60 from 2000 training stimuli on, 200 below."
        ),
    )
    batch_size: int = Field(
        default=256, ge=1, description="Largest number of presentations per optimiser step."
    )
    largest_batch_fraction: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="Largest share of the training stimuli that one batch may hold.",
    )
    learning_rate: float = Field(
        default=1e-3, gt=0, description="Peak learning rate of AdamW, per step."
    )
    weight_decay: float = Field(
        default=1e-2, ge=0, description="Decoupled weight decay of AdamW (not on learned scales)."
    )
    schedule: Literal["cosine", "constant"] = Field(
        default="cosine",
        description="Course of the learning rate over epochs, after the warm-up.",
    )
    learning_rates: list[float] | None = Field(
        default=None,
        min_length=1,
        description=(
            "Learning rate of each epoch, the last one for all that follow; null: by schedule."
        ),
    )
    warmup_fraction: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the epochs in which the learning rate rises linearly to its peak.",
    )
    gradient_clip: float | None = Field(
        default=None, gt=0, description="Largest norm of the gradient; null: never clipped."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="fp32",
        description=(
            "Arithmetic of the forward pass; losses are fp32 always. auto: bf16 on GPUs that "
            "compute in it, fp32 elsewhere."
        ),
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="Stop after this many epochs without a better validation score; null: never.",
    )
    checkpoint_every: int = Field(
        default=10, ge=1, description="Epochs between two resume checkpoints."
    )
    max_consecutive_skips: int = Field(
        default=10,
        ge=1,
        description="Steps in a row with a non-finite loss or gradient after which to give up.",
    )

    def count_epochs(self, n_stimuli: int) -> int:
        """Choose the number of epochs for a training set of this size.

        Parameters
        ----------
        n_stimuli : int
            Number of training stimuli.

        Returns
        -------
        epochs : int
            The option where it is given, else the budget by size.
        """
        if self.epochs is not None:
            return self.epochs
        return EPOCHS_OF_LARGE_SET if n_stimuli >= LARGE_TRAINING_SET else EPOCHS_OF_SMALL_SET

    def limit_batch_size(self, n_stimuli: int) -> int:
        """Bound the batch size for a training set of this size.

        Parameters
        ----------
        n_stimuli : int
            Number of training stimuli.

        Returns
        -------
        batch_size : int
            ``min(batch_size, largest_batch_fraction * n_stimuli)``, rounded down; may be 0.
        """
        return min(self.batch_size, int(self.largest_batch_fraction * n_stimuli))
