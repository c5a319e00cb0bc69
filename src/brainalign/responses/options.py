"""How spikes become responses (a light module)."""

from __future__ import annotations

from typing import Literal

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
