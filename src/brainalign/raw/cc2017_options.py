"""Options of the published movies and BOLD of Wen et al. (a light module)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainalign.options import Options
from brainalign.raw.dataset_options import RecordedDataset
from brainalign.stimuli.options import SegmentStimuliOptions


class SurfaceResponseOptions(Options):
    """From surface series to cleaned responses, as in the publication."""

    polynomial_order: int = Field(
        4, ge=0, description="Order of the polynomial that is taken out of every vertex and run."
    )
    largest_p: float = Field(
        0.05,
        gt=0,
        le=1,
        description="Vertices are kept whose correlation between two runs of the training segments "
        "has a one-sided p below this after Bonferroni's correction; 1 keeps all.",
    )
    n_half_splits: int = Field(
        100, ge=1, le=10_000, description="Random halves of the repeats for the reliability."
    )
    seed: int = Field(0, description="Seed of the half splits.", ge=0)


class CC2017Options(RecordedDataset):
    """Natural movies and BOLD of three people (Wen et al. 2018), as published."""

    modality = "fmri"
    design = "movies"

    kind: Literal["cc2017"] = Field(description="Discriminates the data sets.")
    folder: str = Field(
        description="Folder with subject1/fmri/ and stimuli/; ${VARIABLES} of the environment are "
        "filled in.",
        min_length=1,
    )
    subjects: list[str] | None = Field(
        None, description="Subjects to use, such as subject1; empty: all that are found."
    )
    frame_rate_hz: float = Field(
        3.0,
        gt=0,
        description="Frames per second that are taken of the films, or that were extracted before.",
    )
    tr_s: float = Field(2.0, gt=0, description="Repetition time in s.")
    trs_per_movie: int = Field(240, ge=2, description="Volumes of each movie.")
    n_validation_segments: int = Field(
        2, ge=1, description="Last segments that are held out for validation."
    )
    stimuli: SegmentStimuliOptions = Field(
        SegmentStimuliOptions(), description="Decoding and split of movies."
    )
    responses: SurfaceResponseOptions = Field(
        SurfaceResponseOptions(), description="From series to responses."
    )
