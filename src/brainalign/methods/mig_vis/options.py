"""Options of MIG-Vis; imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from brainalign.methods.image_prior.options import (
    CATEGORY,
    DEFAULT_ATTRIBUTES,
    EditingOptions,
)
from brainalign.methods.presets import fill_from_preset
from brainalign.methods.requirements import Requirements
from brainalign.options import Options
from brainalign.training.options import TrainingOptions

Variant = Literal[
    "mig_vis",
    "standard_vae",
    "no_supervision",
    "no_penalty",
    "likelihood",
    "activation",
    "traversal",
    "classifier_free",
]
"""The method and its baselines: three fits of the latents, four other ways of making images."""

CLASSIFIER_FREE = "classifier_free"
WITHOUT_CRITIC = ("traversal", CLASSIFIER_FREE)

DEFAULT_LABELS: dict[str, list[str]] = {
    **DEFAULT_ATTRIBUTES,
    "pose": [factor for factors in DEFAULT_ATTRIBUTES.values() for factor in factors],
}
"""Weak labels of the simulated world; pose is all six numbers of an object's placement.

The released code has six columns of pose: either sines and cosines of three rotations or these six.
Networks trained on the few hundred small images of this world do not read rotations at all, so that
only the second choice can be judged in edits."""

PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "vae": {"epochs": 60, "batch_size": 256, "learning_rate": 5e-3},
        "critic": {"epochs": 30, "batch_size": 128, "shift_pixels": 4},
        "editing": {
            "edit_level": 0.8,
            "n_steps": 12,
            "n_corrections": 6,
            "weight": 0.4,
            "gradient": "normalised",
            # Below, guidance would only paint patterns that the prior can no longer take away.
            "last_guided_level": 0.35,
        },
        "move": "swap",
        "strengths": [1.0],
        "n_references": 40,
    },
    # Sections 1 to 3 of the specification, with its penalty that works in place of the inert one.
    "paper": {
        "vae": {"epochs": 300, "batch_size": 256},
        "critic": {"epochs": 100, "batch_size": 512},
        "editing": {"edit_level": 0.9, "n_steps": None, "weight": 100.0, "gradient": "raw"},
        "move": "traverse",
        "strengths": [-10.0, -5.0, 5.0, 10.0],
        "n_references": 16,
    },
}


class GroupOptions(Options):
    """One group of latents."""

    size: int = Field(6, ge=1, description="Number of latents.")
    label: str | None = Field(
        None,
        description="Weak label: category, or an attribute of `attributes`; null: a free group.",
    )


class GroupVAEOptions(TrainingOptions):
    """Variational autoencoder of responses with groups of latents."""

    hidden_width: int = Field(64, ge=1, description="Units of each hidden layer.")
    hidden_layers: int = Field(
        1, ge=1, description="Hidden layers of the encoder; the decoder is linear."
    )
    likelihood: Literal["gaussian", "poisson"] = Field(
        "gaussian",
        description="Of responses: squared error of z-scored means over repeats, or Poisson "
        "counts per presentation.",
    )
    sessions: Literal["pooled", "stitched", "pseudo_trials"] = Field(
        "pooled",
        description="Pooled: means over all sessions; stitched: one row per stimulus and session, "
        "each session with its own first and last layer around one shared trunk; pseudo_trials: "
        "one row per stimulus and repeat, which joins the n-th repeats of all sessions. Of every "
        "five pseudo-trials of a stimulus three train, one validates and one tests: for few "
        "stimuli that were shown often.",
    )
    label_weight: float = Field(
        0.5, ge=0, description="Weight lambda_s of the weak labels; 0 for no supervision."
    )
    category_weight: float = Field(
        0.1, ge=0, description="Weight of the categories' cross-entropy within the labels."
    )
    kl_weight: float = Field(
        0.002, ge=0, description="Weight of the divergence to the prior, a mean over latents."
    )
    penalty: Literal["gaussian", "minibatch", "adversarial", "none"] = Field(
        "gaussian",
        description="Group total correlation: of a Gaussian with the batch's covariance, by "
        "the minibatch estimator of the paper, or by a discriminator of permuted groups.",
    )
    penalty_weight: float = Field(0.01, ge=0, description="Weight of the penalty.")
    label_fraction: float = Field(
        1.0, ge=0, le=1, description="Share of training stimuli whose labels are used."
    )
    weight_decay: float = Field(default=1e-5, ge=0, description="Weight decay of AdamW.")
    circular_labels: bool = Field(
        True,
        description="Give angles in degrees (factors whose name ends in _deg) as sine and cosine.",
    )


class CriticOptions(TrainingOptions):
    """Critics that tell which group latents belong to an image (InfoNCE)."""

    encoder: Literal["cnn", "pretrained"] = Field(
        "cnn",
        description="What sees images: a small network trained with the critics, or a frozen "
        "vision model of `transformers`.",
    )
    encoder_model: str | None = Field(
        None, description="Hub id or folder of the frozen vision model."
    )
    dimension: int = Field(64, ge=1, description="Length of the vectors that are compared.")
    initial_temperature: float = Field(
        0.1, gt=0, description="Initial temperature of the cosines; learned."
    )
    n_negatives: int = Field(
        128, ge=1, description="Training latents that stand for the marginal in sampling."
    )
    weight_decay: float = Field(default=0.05, ge=0, description="Weight decay of AdamW.")
    shift_pixels: int = Field(
        2,
        ge=0,
        description="Training images move by up to this many pixels along both axes: critics "
        "overfit a few hundred images otherwise, at the price of a coarser sense of position.",
    )
    n_estimates: int = Field(
        2,
        ge=0,
        description="One-step estimates of each training image, at random noise levels, that the "
        "critics are trained on beside the images themselves.",
    )


class MIGVisOptions(Options):
    """Grouped latents of responses, and images edited along each group."""

    requirements: ClassVar[Requirements] = Requirements(
        design="images", subjects="one", predictions=("image",), needs_backbone=False
    )

    preset: Literal["small", "paper"] = Field(
        "small", description="Set of values to start from: small for CPUs, paper as published."
    )
    image_prior: str | None = Field(
        None,
        description="Image prior of `image_priors`; null: latents and read-outs without images.",
    )
    conditional_prior: str | None = Field(
        None,
        description="Image prior with `condition: attributes`, for the variant classifier_free.",
    )
    variants: list[Variant] = Field(
        [
            "mig_vis",
            "standard_vae",
            "no_supervision",
            "no_penalty",
            "likelihood",
            "activation",
            "traversal",
        ],
        min_length=1,
        description="The method and the baselines that are run: standard_vae (neither labels nor "
        "penalty), no_supervision, no_penalty; likelihood (guidance by a regression from images to "
        "latents), activation (along a linear read-out of the group), traversal (decoder from "
        "latents to pixels, no diffusion), classifier_free (what moved latents say of attributes, "
        "told to a conditional prior; asks for `conditional_prior`, and is none of the default).",
    )
    edited_variants: list[Variant] | None = Field(
        None, description="Variants whose images are made; null: all."
    )
    groups: list[GroupOptions] = Field(
        [
            GroupOptions(size=6, label="pose"),
            GroupOptions(size=6, label=CATEGORY),
            GroupOptions(size=6),
            GroupOptions(size=6),
        ],
        min_length=1,
        description="Groups of latents, in order.",
    )
    attributes: dict[str, list[str]] = Field(
        DEFAULT_LABELS,
        description="Attributes that labels name, and the numeric factors that describe each.",
    )
    vae: GroupVAEOptions = Field(GroupVAEOptions(), description="Fit of the latents.")
    critic: CriticOptions = Field(CriticOptions(), description="Fit of the critics.")
    editing: EditingOptions = Field(EditingOptions(), description="Guided sampling.")
    move: Literal["traverse", "swap", "axis"] = Field(
        "swap",
        description="How a group moves by strength s: traverse adds s to all its latents, swap "
        "goes the share s of the way to the latents of another stimulus, axis adds s SD along the "
        "first principal axis of the group.",
    )
    strengths: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        [0.5, 1.0], min_length=1, description="Strengths of the moves."
    )
    n_references: int = Field(
        6, ge=1, description="Test stimuli that are edited, evenly spaced over categories."
    )
    subjects: list[str] | None = Field(
        None, description="Subjects whose images are made; null: all."
    )
    n_edited_seeds: int | None = Field(
        None,
        ge=1,
        description="Seeds whose images are made, the first ones of the experiment; null: all.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        filled = fill_from_preset(given, PRESETS, "small")
        if not isinstance(filled, dict):
            return filled
        preset = PRESETS.get(str(filled.get("preset", "small")), {})
        # Parts are options themselves: what is given of one keeps the preset's other values.
        parts = {
            part: {**preset[part], **filled[part]}
            for part in ("vae", "critic", "editing")
            if part in preset and isinstance(filled.get(part), dict)
        }
        return {**filled, **parts}

    @model_validator(mode="after")
    def _check_labels(self) -> MIGVisOptions:
        known = {CATEGORY, *self.attributes}
        edits_images = self.image_prior is not None and CLASSIFIER_FREE in self.list_edited()
        if edits_images and self.conditional_prior is None:
            raise ValueError(f"the variant {CLASSIFIER_FREE} needs a conditional_prior")
        for group in self.groups:
            if group.label is not None and group.label not in known:
                raise ValueError(f"label '{group.label}' is none of {', '.join(sorted(known))}")
        return self

    def list_edited(self) -> list[str]:
        """List the variants whose images are made."""
        chosen = self.variants if self.edited_variants is None else self.edited_variants
        return [name for name in self.variants if name in chosen]

    def name_groups(self) -> list[str]:
        """Name the groups: their number and label."""
        return [
            f"{number}-{group.label or 'free'}" for number, group in enumerate(self.groups, start=1)
        ]

    def slice_groups(self) -> list[slice]:
        """Columns of each group in the latents."""
        ends = [sum(group.size for group in self.groups[: n + 1]) for n in range(len(self.groups))]
        return [slice(end - group.size, end) for end, group in zip(ends, self.groups, strict=True)]
