"""Options of image priors; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from brainalign.methods.presets import fill_from_preset
from brainalign.options import Options
from brainalign.training.options import TrainingOptions

PRESETS: dict[str, dict[str, Any]] = {
    # About a million parameters; 400 steps take 40 s on one CPU core.
    "small": {
        "image_size": 32,
        "channels": "colour",
        "patch_size": 4,
        "n_levels": 100,
        "block_channels": [64, 64],
        "layers_per_block": 1,
        "attention_blocks": [False, True],
        "norm_groups": 8,
        "epochs": 8,
        "steps_per_epoch": 50,
        "batch_size": 32,
        "horizontal_flip": True,
        "learning_rate": 1e-3,
        "warmup_fraction": 0.05,
        "averaging_decay": 0.99,
        "reader_epochs": 40,
    },
    # Section 2 of the specification; the averaged weights replace its EMA of .98 every 10 steps.
    "paper": {
        "image_size": 128,
        "channels": "grey",
        "patch_size": 1,
        "n_levels": 150,
        "block_channels": [64, 128, 256, 512],
        "layers_per_block": 2,
        "attention_blocks": [False, False, False, True],
        "norm_groups": 32,
        "epochs": 100,
        "steps_per_epoch": 200,
        "batch_size": 128,
        "learning_rate": 2e-4,
        "schedule": "constant",
        "precision": "bf16",
        "averaging_decay": 0.9995,
        "reader_epochs": 60,
    },
}

DEFAULT_ATTRIBUTES: dict[str, list[str]] = {
    "rotation": ["yaw_deg", "pitch_deg", "roll_deg"],
    "position": ["x", "y"],
    "size": ["size"],
}
"""Factors of the simulated world by the attribute that they describe."""

CATEGORY = "category"
"""Attribute that is read from the category of a stimulus and not from its factors."""


# Sum over the U-Net's layers in units of a map of the finest resolution; counted: 116 for the
# paper's preset, 50 for the small one, whose maps are so small that they hardly count.
_KEPT_MAPS = 120
_BYTES_PER_NUMBER = 4


class ImagePriorOptions(TrainingOptions):
    """Pixel diffusion model of the training stimuli, and predictors that read their attributes."""

    preset: Literal["small", "paper"] = Field(
        "small", description="Set of values to start from: small for CPUs, paper as published."
    )
    image_size: int = Field(
        32, ge=8, description="Height and width in pixels that stimuli are resized to."
    )
    channels: Literal["grey", "colour"] = Field(
        "colour", description="Whether the model sees luminance or red, green and blue."
    )
    patch_size: int = Field(
        1,
        ge=1,
        description="Side in pixels of the squares that become channels before the first layer: "
        "2 quarters the cost of every layer at equal width; 1 leaves pixels as they are.",
    )
    horizontal_flip: bool = Field(
        False,
        description="Mirror half of the training images: more data for the prior, though mirrored "
        "objects have poses that were never shown.",
    )
    n_levels: int = Field(100, ge=2, description="Noise levels T of the diffusion.")
    block_channels: list[Annotated[int, Field(ge=1)]] = Field(
        [64, 64], min_length=1, description="Channels of the U-Net by resolution, finest first."
    )
    layers_per_block: int = Field(1, ge=1, description="Residual blocks per resolution.")
    attention_blocks: list[bool] = Field(
        [False, True], description="Whether each resolution attends over its positions."
    )
    norm_groups: int = Field(8, ge=1, description="Groups of the group normalisation.")
    steps_per_epoch: int = Field(
        50, ge=1, description="Optimiser steps between two validations of the noise prediction."
    )
    averaging_decay: float = Field(
        0.995,
        ge=0,
        lt=1,
        description="Decay per step of the exponential moving average of the weights; the average "
        "is what is published. It rises to this value over the first steps.",
    )
    gradient_clip: float | None = Field(
        default=1.0, gt=0, description="Largest norm of the gradient; null: never clipped."
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Decoupled weight decay of AdamW.")
    condition: Literal["none", "attributes"] = Field(
        "none",
        description="What the model is told of an image: nothing, or its category and the factors "
        "of `attributes`. Such a model guides itself (classifier-free attribute editing).",
    )
    condition_dropout: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of training images of which a conditional model is told nothing.",
    )
    attributes: dict[str, list[str]] = Field(
        DEFAULT_ATTRIBUTES,
        description="Attributes that are read from images, and the numeric factors of the stimuli "
        "that describe each; categories are read wherever stimuli have them.",
    )
    reader_epochs: int = Field(
        60, ge=1, description="Passes over the training stimuli for the attribute predictors."
    )
    horizontal_factor: str | None = Field(
        "x",
        description="Factor that grows as the content moves to the right: the predictors then see "
        "shifted images, too; null: none.",
    )
    vertical_factor: str | None = Field("y", description="The same for moving up.")
    factor_per_width: float = Field(
        1.0, gt=0, description="Change of these two factors over one width of the image."
    )
    mirrored_factors: list[str] | None = Field(
        ["yaw_deg", "roll_deg", "x"],
        description="Factors that change their sign when an image is mirrored: the predictors then "
        "see mirrored images, too; null: none.",
    )
    n_estimates: int = Field(
        2,
        ge=0,
        description="One-step estimates of each training image, at random noise levels, that the "
        "attribute predictors are trained on beside the images themselves.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        return fill_from_preset(given, PRESETS, "small")

    @model_validator(mode="after")
    def _check_network(self) -> ImagePriorOptions:
        if len(self.attention_blocks) != len(self.block_channels):
            raise ValueError("attention_blocks needs one value per entry of block_channels")
        for width in self.block_channels:
            if width % self.norm_groups:
                raise ValueError(f"norm_groups {self.norm_groups} does not divide {width} channels")
        factor = self.patch_size * 2 ** (len(self.block_channels) - 1)
        if self.image_size % factor:
            raise ValueError(
                f"image_size {self.image_size} cannot be halved "
                f"{len(self.block_channels) - 1} times after patches of {self.patch_size}: use a "
                f"multiple of {factor}"
            )
        if CATEGORY in self.attributes:
            raise ValueError(f"'{CATEGORY}' is read from the stimuli's categories, not factors")
        return self

    @property
    def n_channels(self) -> int:
        """Channels of an image."""
        return 3 if self.channels == "colour" else 1

    def estimate_activations_mb(self) -> int:
        """Estimate what a training step keeps for its gradient, in MB.

        About 0.5 GB for each image of a batch with the paper's preset, 1 MB with the small one.
        """
        positions = (self.image_size // self.patch_size) ** 2
        finest_map = positions * self.block_channels[0] * _BYTES_PER_NUMBER
        return round(_KEPT_MAPS * finest_map * self.batch_size / 1e6)


def read_prior_options(mapping: Mapping[str, Any]) -> ImagePriorOptions:
    """Check the options of a prior as they stand in a file."""
    return ImagePriorOptions.model_validate(dict(mapping))


class EditingOptions(Options):
    """How an image is edited: where the noise ends, how many steps, how strong the guidance is."""

    edit_level: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="Noise level up to which a reference is inverted, as a share of all levels.",
    )
    n_steps: int | None = Field(
        25,
        ge=1,
        description="Network evaluations down from that level: fewer than there are levels is the "
        "fast mode; null: one per level, as published.",
    )
    n_corrections: int = Field(
        0,
        ge=0,
        description="Further network evaluations per step of the inversion, which make the way "
        "back without guidance end where it began; needed by the fast mode, 0 as published.",
    )
    weight: float = Field(
        10.0, ge=0, description="Guidance weight eta on the gradient of the objective."
    )
    gradient: Literal["raw", "normalised"] = Field(
        "raw",
        description="Raw: the gradient times sqrt(1 - alpha_bar), as classifier guidance has it; "
        "normalised: its direction, weight in units of the predicted noise.",
    )
    jacobian: Literal["free", "full"] = Field(
        "free",
        description="Whether the gradient passes the network: free takes the predicted noise as "
        "a constant, full differentiates it too, at about three times the cost.",
    )
    attribute_weight: float = Field(
        3.0,
        ge=0,
        description="Weight of classifier-free guidance on the difference of the noises that a "
        "conditional prior predicts for the attributes of the moved and of the own latents.",
    )
    last_guided_level: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of all levels below which nothing is guided any more.",
    )
