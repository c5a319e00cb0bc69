"""Options of baselines for windows of movies and BOLD; imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from brainalign.methods.clips.options import ClipOptions
from brainalign.methods.requirements import Requirements


class RidgeDelaysOptions(ClipOptions):
    """Ridge regression with a finite impulse response over the lags (himalaya)."""

    requirements: ClassVar[Requirements] = Requirements(
        design="movies",
        subjects="one",
        predictions=("embedding",),
        modalities=("fmri", "fmri_responses"),
    )

    direction: Literal["encoding", "decoding"] = Field(
        default="encoding",
        description="encoding: every voxel from the features of the last n_lags TRs; decoding: "
        "components of the features from the BOLD of the next n_lags TRs.",
    )
    n_components: int = Field(
        default=50, ge=1, description="Principal components of the video features, at most."
    )
    penalties: list[Annotated[float, Field(gt=0)]] = Field(
        default=[10.0, 100.0, 1e3, 1e4, 1e5, 1e6],
        min_length=1,
        description="Penalties to choose from, for each target by the validation segments.",
    )
