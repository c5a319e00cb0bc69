"""Options of the baselines of label decoding; imports no torch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from brainalign.methods.labels.options import (
    PAPER_BUDGET,
    SMALL_BUDGET,
    PatchOptions,
    RegionNetworkOptions,
)
from brainalign.methods.normalisation import NanPolicy
from brainalign.methods.presets import Presets
from brainalign.methods.requirements import Requirements
from brainalign.options import Options

_ONE = Requirements(design="images", subjects="one", predictions=("label",), needs_labels=True)
# On one subject alone they are another baseline of this table.
_MANY = Requirements(
    design="images",
    subjects="many",
    predictions=("label",),
    min_subjects=2,
    needs_labels=True,
)
_PRESET: Any = Field(
    default="small",
    description="Where values that are not given come from: 'small' (seconds on a CPU) or 'paper' "
    "(size and budget as for CLIP-MUSED).",
)


class LabelViTOptions(RegionNetworkOptions):
    """The Transformer of CLIP-MUSED on one subject alone, without guidance."""

    requirements: ClassVar[Requirements] = _ONE

    preset: Literal["small", "paper"] = _PRESET


class LabelViTPooledOptions(RegionNetworkOptions):
    """The Transformer on all subjects together; it is not told whose responses it sees."""

    requirements: ClassVar[Requirements] = _MANY

    preset: Literal["small", "paper"] = _PRESET


class LabelViTEmbeddingOptions(RegionNetworkOptions):
    """The Transformer on all subjects, with a learned vector per subject on every patch."""

    requirements: ClassVar[Requirements] = _MANY

    preset: Literal["small", "paper"] = _PRESET


class MLPOptions(PatchOptions):
    """A network with hidden layers on the patches of all regions, side by side."""

    presets: ClassVar[Presets] = {
        "small": SMALL_BUDGET,
        "paper": {**PAPER_BUDGET, "hidden_width": 512, "patch_length": 64},
    }

    preset: Literal["small", "paper"] = _PRESET
    hidden_width: int = Field(default=128, ge=1, description="Width of the hidden layers.")
    n_hidden: int = Field(default=2, ge=1, description="Number of hidden layers.")
    dropout: float = Field(
        default=0.5, ge=0, lt=1, description="Probability, after every hidden layer."
    )


class LabelMLPOptions(MLPOptions):
    """A network with hidden layers on one subject alone."""

    requirements: ClassVar[Requirements] = _ONE


class LabelMLPPooledOptions(MLPOptions):
    """A network with hidden layers on all subjects; it is not told whose responses it sees."""

    requirements: ClassVar[Requirements] = _MANY


class LinearLabelOptions(Options):
    """A linear map per subject, its penalty chosen on the validation split."""

    requirements: ClassVar[Requirements] = _ONE

    penalties: list[float] = Field(
        [1e-4, 1e-3, 1e-2, 0.1, 1.0],
        min_length=1,
        description="Penalties to choose from, relative to the mean variance of the units times "
        "their number.",
    )
    nan_policy: NanPolicy = Field(
        default="reject",
        description="Units with NaN or infinity in training: an error, or dropped.",
    )


class SharedResponseOptions(LinearLabelOptions):
    """Shared response model on the stimuli that all subjects saw, then one logistic read-out."""

    requirements: ClassVar[Requirements] = _MANY

    n_features: int = Field(
        default=24, ge=1, description="Shared features; at most units or shared stimuli."
    )
    n_iterations: int = Field(default=10, ge=1, description="Alternating updates.")
