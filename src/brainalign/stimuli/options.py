"""How stimuli are decoded and split (a light module)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from brainalign.options import Options


class SplitOptions(Options):
    """How stimuli are divided into training, validation and test; made once per data set."""

    source: Literal["auto", "given", "random"] = Field(
        "auto",
        description="given: as the data set states it; random: drawn from the seed; auto: given "
        "where stated, else random.",
    )
    test_share: float = Field(0.2, description="Share of stimuli for testing.", gt=0, lt=1)
    validation_share: float = Field(
        0.1, description="Share of the remaining stimuli for validation.", gt=0, lt=1
    )
    n_folds: int = Field(
        0,
        description="0 for one split; otherwise the number of folds over stimuli, each of which "
        "is the test gallery once (for small galleries).",
        ge=0,
    )
    seed: int = Field(0, description="Seed of random splits and folds.", ge=0)

    @model_validator(mode="after")
    def _check_folds(self) -> SplitOptions:
        if self.n_folds == 1:
            raise ValueError("n_folds is 0 (one split) or at least 2")
        return self


class StimuliOptions(Options):
    """How stimulus images become one array."""

    image_size: int | None = Field(
        None,
        description="Side in pixels to which every image is resized; empty: keep the size, which "
        "must then be the same for all images.",
        ge=8,
        le=4096,
    )
    max_pixels: int = Field(
        50_000_000,
        description="An image file that claims more pixels than this is refused unread.",
        ge=64,
    )
    duplicates: Literal["refuse_across_splits", "allow"] = Field(
        "refuse_across_splits",
        description="What to do with equal pixels under different ids: the same picture in "
        "training and test is a leak.",
    )
    split: SplitOptions = Field(SplitOptions(), description="Training, validation and test.")


class FoldedSplitOptions(SplitOptions):
    """The same with five folds, for data sets with few stimuli."""

    n_folds: int = Field(
        5,
        description="0 for one split; otherwise the number of folds over stimuli, each of which "
        "is the test gallery once (for small galleries).",
        ge=0,
    )


class SmallSetStimuliOptions(StimuliOptions):
    """The same with folds, for data sets with few stimuli."""

    split: FoldedSplitOptions = Field(
        FoldedSplitOptions(), description="Training, validation and test."
    )


class MovieSplitOptions(Options):
    """How frames are divided, within movies and across movies; made once per data set."""

    source: Literal["auto", "given", "contiguous"] = Field(
        "auto",
        description="Within movies. given: as the data set states it per frame; contiguous: each "
        "movie's first part trains, the next validates, the last tests; auto: given where stated "
        "for all movies, else contiguous.",
    )
    test_share: float = Field(0.2, description="Last share of each movie, for testing.", gt=0, lt=1)
    validation_share: float = Field(
        0.1,
        description="Last share of what is not for testing, for validation; of the training "
        "movies of a cross-movie fold likewise.",
        gt=0,
        lt=1,
    )
    guard_s: float = Field(
        0.3,
        description="Frames of this duration in s, before each validation and test part, are in "
        "no split: responses lag behind the movie, so neighbouring parts share what drives them.",
        ge=0,
    )
    n_folds: int = Field(
        2,
        description="Cross-movie folds: movies are dealt to this many folds in the order of their "
        "names, and each fold is tested once. At most the number of movies; 0 for none.",
        ge=0,
    )

    @model_validator(mode="after")
    def _check_movie_folds(self) -> MovieSplitOptions:
        if self.n_folds == 1:
            raise ValueError("n_folds is 0 (none) or at least 2")
        return self


class MovieStimuliOptions(Options):
    """How movies become one array of frames."""

    frame_size: int | None = Field(
        None,
        description="Side in pixels to which every frame is resized; empty: keep the size, which "
        "must then be the same for all movies.",
        ge=8,
        le=4096,
    )
    split: MovieSplitOptions = Field(
        MovieSplitOptions(), description="Training, validation and test."
    )


class SegmentSplitOptions(MovieSplitOptions):
    """The same for movies that are shown as segments of minutes."""

    guard_s: float = Field(
        16.0,
        description="Frames of this duration in s, before each validation and test part of a "
        "movie, are in no split: BOLD answers seconds later. Of no use where whole movies are "
        "given to splits.",
        ge=0,
    )
    n_folds: int = Field(
        0,
        description="Cross-movie folds: movies are dealt to this many folds in the order of their "
        "names, and each fold is tested once. At most the number of movies; 0 for none.",
        ge=0,
    )


class SegmentStimuliOptions(MovieStimuliOptions):
    """The same for movies that are shown as segments of minutes."""

    split: SegmentSplitOptions = Field(
        SegmentSplitOptions(), description="Training, validation and test."
    )
