"""Options that all methods with towers share: size, dropout and budget; imports no torch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from brainalign.methods.normalisation import NanPolicy
from brainalign.methods.presets import Presets, fill_from_preset
from brainalign.training.options import TrainingOptions

FEW_UNITS, MANY_UNITS = 150, 4000
"""Numbers of units between which the embedding of the large towers has its usual width."""


class TowerOptions(TrainingOptions):
    """Visual and neural tower and the budget to train them.

    A preset fills in what is not given: ``{preset: paper_like, epochs: 100}`` is the preset with
    another number of epochs. The defaults of the fields are the preset ``small``.
    """

    presets: ClassVar[Presets] = {
        "small": {},
        "paper_like": {
            "epochs": 200,
            "batch_size": 1024,
            "largest_batch_fraction": 1.0,
            "warmup_fraction": 0.05,
            "patience": 20,
            "embedding_dimension": None,
            "hidden_width": 512,
            "visual_dropout": 0.3,
        },
    }

    preset: Literal["small", "paper_like"] = Field(
        default="small",
        description=(
            "Where the values that are not given come from: 'small' (heads only, minutes on a "
            "CPU) or 'paper_like' (towers of the size usual in the field; not published values)."
        ),
    )
    embedding_dimension: int | None = Field(
        default=64,
        ge=2,
        description=(
            "Width of the shared space; null: 128 below 150 units, 512 above 4000, else 256."
        ),
    )
    hidden_width: int | None = Field(
        default=None,
        ge=1,
        description="Width of the neural trunk before the head; null: head only.",
    )
    visual_dropout: float = Field(
        default=0.5, ge=0, lt=1, description="Dropout in the visual head, a probability."
    )
    neural_dropout: float = Field(
        default=0.5, ge=0, lt=1, description="Dropout in neural trunk and head, a probability."
    )
    unit_dropout: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="Probability that a unit is silenced for a whole training batch.",
    )
    nan_policy: NanPolicy = Field(
        default="reject",
        description="Units with NaN or infinity in training: an error, or dropped.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        return fill_from_preset(given, cls.presets, default="small")

    def choose_embedding_dimension(self, n_units: int) -> int:
        """Choose the width of the shared space for recordings of this size.

        Parameters
        ----------
        n_units : int
            Largest number of kept units over the subjects.

        Returns
        -------
        dimension : int
            The option where it is given, else a width that grows with the number of units.
        """
        if self.embedding_dimension is not None:
            return self.embedding_dimension
        if n_units < FEW_UNITS:
            return 128
        return 512 if n_units > MANY_UNITS else 256
