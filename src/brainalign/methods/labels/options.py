"""Options that all networks over regions share; imports no torch."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, model_validator

from brainalign.methods.labels.sampling import Sampling
from brainalign.methods.normalisation import NanPolicy
from brainalign.methods.presets import Presets, fill_from_preset
from brainalign.training.options import TrainingOptions

SMALL_BUDGET = {"epochs": 20, "batch_size": 64, "learning_rate": 2e-3, "weight_decay": 0.05}
"""Enough for a few hundred stimuli per subject: seconds on one core."""

PAPER_NETWORK = {
    "width": 512,
    "depth": 4,
    "n_heads": 8,
    "mlp_ratio": 4.0,
    "patch_length": 64,
    "dropout": 0.0,
}
"""Width and depth are left-overs of the published command line; the rest is not published."""

PAPER_BUDGET = {"epochs": 500, "batch_size": 64, "learning_rate": 1e-3, "weight_decay": 0.0}
"""Published for HCP movies."""


class PatchOptions(TrainingOptions):
    """Patches of regions, and the budget to train what reads them."""

    presets: ClassVar[Presets] = {"small": SMALL_BUDGET, "paper": PAPER_BUDGET}

    patch_length: int = Field(
        default=24,
        ge=1,
        description="Principal components of each region's units, per subject; regions with fewer "
        "are padded with zeros.",
    )
    nan_policy: NanPolicy = Field(
        default="reject",
        description="Units with NaN or infinity in training: an error, or dropped.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        return fill_from_preset(given, cls.presets, default="small")


class RegionNetworkOptions(PatchOptions):
    """A Transformer over the patches of regions."""

    presets: ClassVar[Presets] = {
        "small": SMALL_BUDGET,
        "paper": {**PAPER_NETWORK, **PAPER_BUDGET},
    }

    width: int = Field(default=64, ge=4, description="Width of a token.")
    depth: int = Field(default=2, ge=1, description="Layers of the Transformer.")
    n_heads: int = Field(default=4, ge=1, description="Attention heads per layer.")
    mlp_ratio: float = Field(
        default=2.0, gt=0, description="Width of the hidden layer of a block over that of a token."
    )
    dropout: float = Field(
        default=0.2, ge=0, lt=1, description="Probability, after attention and hidden layers."
    )
    sampling: Sampling = Field(
        default="stimulus_paired",
        description="Batches: pooled (a shuffle of all samples), subject_balanced (equal numbers), "
        "or stimulus_paired (all who saw a stimulus in one batch).",
    )

    @model_validator(mode="after")
    def _check_heads(self) -> RegionNetworkOptions:
        if self.width % self.n_heads:
            raise ValueError(f"n_heads {self.n_heads} does not divide width {self.width}")
        return self
