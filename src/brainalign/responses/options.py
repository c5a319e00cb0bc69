"""How spikes become responses (a light module)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from brainalign.options import Options


class SpikeResponseOptions(Options):
    """Spike counts per presentation, their normalisation and reliability."""

    window_ms: list[float] = Field(
        [70.0, 170.0],
        description="Window of the spike count, in ms after stimulus onset: first included, last "
        "excluded.",
        min_length=2,
        max_length=2,
    )
    baseline_ms: list[float] | None = Field(
        None,
        description="Window, in ms relative to onset, whose count (scaled to the length of the "
        "response window) is subtracted; empty for none.",
        min_length=2,
        max_length=2,
    )
    normalisation: Literal["session_zscore", "none"] = Field(
        "session_zscore",
        description="What methods see: counts z-scored per session and unit with the mean and SD "
        "over the presentations of training stimuli, or the counts themselves.",
    )
    n_half_splits: int = Field(
        100, description="Random halves of the repeats for the reliability.", ge=1, le=10_000
    )
    min_repeated_stimuli: int = Field(
        10,
        description="A unit needs this many stimuli with two or more repeats for a reliability "
        "and a noise ceiling.",
        ge=3,
    )
    by_area: bool = Field(
        True,
        description="Where a recording has several areas: fit and score each of them by itself "
        "as well, beside all units together.",
    )
    seed: int = Field(0, description="Seed of the half splits.", ge=0)

    @model_validator(mode="after")
    def _check_windows(self) -> SpikeResponseOptions:
        for name in ("window_ms", "baseline_ms"):
            window = getattr(self, name)
            if window is not None and not window[0] < window[1]:
                raise ValueError(f"{name} must start before it ends, found {window}")
        return self


class FlashedImageResponseOptions(SpikeResponseOptions):
    """The same with the window of the retina recordings, which end 300 ms after onset."""

    window_ms: list[float] = Field(
        [30.0, 300.0],
        description="Window of the spike count, in ms after stimulus onset: first included, last "
        "excluded.",
        min_length=2,
        max_length=2,
    )


class ReceptiveFieldOptions(Options):
    """Where receptive fields come from, and how they are fitted."""

    source: Literal["auto", "stimulus", "training_frames", "outlines", "none"] = Field(
        "auto",
        description="stimulus: movies that the data set shows for receptive fields only, such as "
        "white noise; training_frames: frames of the within-movie training split; outlines: as "
        "the data set gives them; auto: outlines where given, else stimulus, else "
        "training_frames.",
    )
    n_lags: int = Field(
        15, description="Frames before a spike in the spike-triggered average.", ge=1, le=200
    )
    max_pixels: int = Field(
        1024,
        description="Frames with more pixels are averaged to a grid of at most this many cells "
        "before the spike-triggered average.",
        ge=16,
    )
    significance: float = Field(
        0.01,
        description="A receptive field needs a held-out p-value of at most this.",
        gt=0,
        lt=1,
    )
    contour_sd: float = Field(
        1.5,
        description="Given outlines are contours of a Gaussian at this many standard deviations.",
        gt=0,
    )
    map_size: int = Field(
        32, description="Side of rf_map, the fitted Gaussian on a grid over the frame.", ge=4
    )


class MovieResponseOptions(Options):
    """Spike counts per bin of every trial of a movie, and their reliability."""

    normalisation: ClassVar[str] = "none"
    by_area: ClassVar[bool] = False

    bins: Literal["frames"] | float = Field(
        "frames",
        description="frames: one bin per frame of the movie; a number: bins of this width in ms.",
    )
    frames_per_trigger: int = Field(
        1, description="Frames between two pulses of the frame clock.", ge=1
    )
    max_repaired_share: float = Field(
        0.02,
        description="A trial is refused if more than this share of its triggers had to be added "
        "(missing) or removed (double).",
        ge=0,
        lt=1,
    )
    max_rate_hz: float = Field(
        500.0,
        description="A unit that fires faster than this on average is impossible: its spike times "
        "are in other units than s.",
        gt=0,
    )
    n_half_splits: int = Field(
        100, description="Random halves of the repeats for the reliability.", ge=1, le=10_000
    )
    seed: int = Field(0, description="Seed of the half splits.", ge=0)
    receptive_fields: ReceptiveFieldOptions = Field(
        ReceptiveFieldOptions(), description="Spike-triggered averages and Gaussian fits."
    )

    @model_validator(mode="after")
    def _check_bins(self) -> MovieResponseOptions:
        if self.bins != "frames" and not float(self.bins) > 0:
            raise ValueError(f"bins must be 'frames' or a positive width in ms, found {self.bins}")
        return self
