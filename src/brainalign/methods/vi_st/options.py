"""Options of Vi-ST; imports no torch."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from brainalign.methods.movies.options import MovieOptions
from brainalign.methods.presets import Presets, fill_from_preset
from brainalign.methods.requirements import Requirements
from brainalign.training.options import TrainingOptions

WINDOWS = ((1, 25), (1, 13, 21), (1, 7, 9), (1, 3, 5))
"""Frames of the branches of the four multiscale blocks."""


def compute_paper_learning_rates() -> list[float]:
    """Learning rate of each of the 30 published epochs.

    Returns
    -------
    learning_rates : list of float
        Linear from 5e-5 to 8e-4 over epochs 0 to 5, half a cosine towards 1e-4 to epoch 19, then
        the schedule of weight averaging: half a cosine to 1e-4 over five epochs, constant after.
    """
    rates = [5e-5 + epoch * (8e-4 - 5e-5) / 5 for epoch in range(6)]
    rates += [
        1e-4 + 7e-4 * (1 + math.cos(math.pi * (epoch - 5) / 25)) / 2 for epoch in range(6, 20)
    ]
    start = rates[-1]
    rates += [
        1e-4 + (start - 1e-4) * (1 + math.cos(math.pi * step / 5)) / 2 for step in range(1, 6)
    ]
    return rates + [1e-4] * (30 - len(rates))


class ViSTOptions(MovieOptions, TrainingOptions):
    """Causal 3-D convolutions from tokens to rates, conditioned on receptive fields.

    A preset fills in what is not given. The defaults of the fields are the preset ``small``.
    """

    requirements: ClassVar[Requirements] = Requirements(
        design="movies", subjects="one", predictions=("response",), modalities=("spikes",)
    )
    presets: ClassVar[Presets] = {
        "small": {
            "epochs": 20,
            "batch_size": 4,
            "learning_rate": 1e-2,
            "warmup_fraction": 0.15,
            "patience": 6,
        },
        "paper": {
            "epochs": 30,
            "batch_size": 16,
            "learning_rate": 8e-4,
            "learning_rates": compute_paper_learning_rates(),
            "weight_decay": 0.1,
            "precision": "bf16",
            "grid": 16,
            "width": 256,
            "video_layers": 6,
            "dropout": 0.25,
            "clip_frames": 128,
            "steps_per_epoch": 48,
            "dtw_windows": None,
            "decay_all": True,
        },
    }

    preset: Literal["small", "paper"] = Field(
        default="small",
        description=(
            "Where the values that are not given come from: 'small' (minutes on a CPU) or "
            "'paper' (the published sizes and schedule, for a GPU)."
        ),
    )
    grid: int = Field(
        default=10, ge=1, description="Patches along each side; tokens are resampled to it."
    )
    width: int = Field(default=24, ge=1, description="Hidden channels of the video extractor.")
    video_layers: int = Field(
        default=3, ge=0, description="Dilated layers of the video extractor; 0: none (ablation)."
    )
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="Dropout in all layers, a probability."
    )
    rf_mode: Literal["sum", "per_cell", "none"] = Field(
        default="sum",
        description=(
            "How receptive fields enter: their sum (published; carries no identity of cells), "
            "each cell its own, or not at all (ablation)."
        ),
    )
    causal: bool = Field(
        default=True, description="Hide later frames from a prediction; false: ablation."
    )
    multiscale: bool = Field(
        default=True,
        description="Windows of several lengths; false: one frame in all blocks (ablation).",
    )
    spikes_alignment: bool = Field(
        default=True,
        description="Multiscale blocks; false: cell maps are averaged and read out (ablation).",
    )
    prior: Literal["tokens", "pixels", "none"] = Field(
        default="tokens",
        description=(
            "What is read of a frame: tokens of the backbone, the pixels of each patch, or the "
            "mean luminance of each patch (ablations)."
        ),
    )
    prior_time: Literal["recorded", "shuffled"] = Field(
        default="recorded",
        description="Order of the frames; shuffled is a negative control, which learns nothing.",
    )
    loss: Literal["vist", "rmse"] = Field(
        default="vist",
        description="Published loss with soft-DTW, or its first term only (ablation).",
    )
    output: Literal["linear", "softplus"] = Field(
        default="linear", description="Rates as published (may be negative) or through a softplus."
    )
    read_out_start: Literal["published", "rates"] = Field(
        default="published",
        description=(
            "How the linear read-out starts: as published, with an output near 0 Hz that takes "
            "many steps to grow, or so that the untrained network has the mean and the SD of each "
            "cell's training rate."
        ),
    )
    dtw_windows: list[Annotated[int, Field(ge=2)]] | None = Field(
        default=[6, 12],
        description="Windows of the soft-DTW terms in frames; null: 1/20 and 1/10 of the clip.",
    )
    clip_frames: int = Field(default=48, ge=2, description="Frames of a training clip.")
    warmup_frames: int = Field(
        default=0, ge=0, description="Earlier frames that a clip is fed with and not judged on."
    )
    steps_per_epoch: int = Field(default=10, ge=1, description="Optimiser steps of an epoch.")
    decay_all: bool = Field(
        default=True, description="Weight decay on norms and biases, too, as published."
    )
    n_units: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Fit this many cells, drawn by the seed (the analysis of population size); null: all."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        return fill_from_preset(given, cls.presets, default="small")

    def list_windows(self) -> list[tuple[int, ...]]:
        """List the windows of each multiscale block.

        Returns
        -------
        windows : list of tuple of int
            Frames of each branch, block by block.
        """
        return [windows if self.multiscale else (1,) for windows in WINDOWS]
