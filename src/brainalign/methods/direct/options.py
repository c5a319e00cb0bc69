"""Options of the direct methods; imports no torch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from brainalign.methods.normalisation import NanPolicy
from brainalign.methods.requirements import Requirements
from brainalign.methods.tower_options import TowerOptions
from brainalign.options import Options

MatchingVariant = Literal["pearson", "mahalanobis", "likelihood"]

DIRECT_REQUIREMENTS = Requirements(
    design="images", subjects="many", predictions=("embedding",), needs_complete_responses=True
)
"""Several subjects are taken, and each gets a map of its own."""


class MatchingOptions(Options):
    """How predictions are compared with candidates."""

    matching: list[MatchingVariant] = Field(
        default=["pearson", "mahalanobis", "likelihood"],
        min_length=1,
        description="Variants of matching; without the last two no covariance is estimated.",
    )
    residual_folds: int = Field(
        default=5,
        ge=2,
        description="Folds of the training stimuli for out-of-fold residuals; each is one refit.",
    )
    shrinkage: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Weight of the scaled identity in residual and total covariance.",
    )


class RidgeOptions(MatchingOptions):
    """Linear map with a penalty on its squared weights."""

    requirements: ClassVar[Requirements] = DIRECT_REQUIREMENTS

    alphas: list[float] = Field(
        default=[1.0, 10.0, 100.0, 1e3, 1e4],
        min_length=1,
        description="Penalties to choose from, for z-scored columns.",
    )
    alpha_selection: Literal["shared_holdout", "per_target_cv"] = Field(
        default="shared_holdout",
        description=(
            "One penalty for all targets, chosen on a tenth of the training stimuli, or one per "
            "target by cross-validation."
        ),
    )
    alpha_folds: int = Field(
        default=5, ge=2, description="Folds of the cross-validation of per_target_cv."
    )
    nan_policy: NanPolicy = Field(
        default="reject",
        description="Units with NaN or infinity in training: an error, or dropped.",
    )


class NonlinearDecodingOptions(MatchingOptions, TowerOptions):
    """Neural tower and a hidden layer from responses to features."""

    requirements: ClassVar[Requirements] = DIRECT_REQUIREMENTS


class NonlinearEncodingOptions(MatchingOptions, TowerOptions):
    """Visual tower and a linear readout from features to responses."""

    requirements: ClassVar[Requirements] = DIRECT_REQUIREMENTS

    response_loss: Literal["mse", "poisson"] = Field(
        default="mse",
        description="'poisson' for spike counts (rates through a softplus), 'mse' for the rest.",
    )
