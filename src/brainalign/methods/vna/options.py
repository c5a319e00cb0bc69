"""Options of VNA; imports no torch."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from brainalign.methods.requirements import Requirements
from brainalign.methods.tower_options import TowerOptions


class VNAOptions(TowerOptions):
    """Two towers into one space, trained by a contrastive loss."""

    requirements: ClassVar[Requirements] = Requirements(
        design="images",
        subjects="many",
        predictions=("embedding",),
        needs_complete_responses=True,
    )

    initial_scale: float = Field(
        default=1 / 0.07,
        gt=0,
        le=100,
        description="Initial factor on the cosines in the loss (inverse temperature); learned.",
    )
    trial_resampling: bool = Field(
        default=True,
        description=(
            "True: each epoch draws one repeat of every stimulus; False: each epoch shows all "
            "presentations, and the repeats in a batch are positives of each other."
        ),
    )
