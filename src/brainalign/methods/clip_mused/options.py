"""Options of CLIP-MUSED; imports no torch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from brainalign.methods.labels.options import (
    PAPER_BUDGET,
    PAPER_NETWORK,
    SMALL_BUDGET,
    RegionNetworkOptions,
)
from brainalign.methods.presets import Presets
from brainalign.methods.requirements import Requirements


class CLIPMusedOptions(RegionNetworkOptions):
    """One network for all subjects, who differ in two tokens; CLIP guides what these hold."""

    requirements: ClassVar[Requirements] = Requirements(
        design="images",
        subjects="many",
        predictions=("label", "embedding"),
        min_subjects=2,
        needs_labels=True,
    )
    presets: ClassVar[Presets] = {
        "small": SMALL_BUDGET,
        "paper": {
            **PAPER_NETWORK,
            **PAPER_BUDGET,
            "input_rank": 0,
            "sampling": "pooled",
            "target_processing": "clamped",
            "low_level_weight": 0.1,
            "high_level_weight": 1e-3,
            "orthogonality_weight": 1e-3,
        },
    }

    preset: Literal["small", "paper"] = Field(
        default="small",
        description="Where values that are not given come from: 'small' (seconds on a CPU) or "
        "'paper' (width, depth, losses and budget as far as they are published).",
    )
    form: Literal["regions", "hybrid_3d"] = Field(
        default="regions",
        description="What the network sees: patches of regions (the paper's formulation), or "
        "volumes, through a 3D residual network as in the public code.",
    )
    input_rank: int = Field(
        default=16,
        ge=0,
        description="Rank of each subject's own correction of the shared map from patches to "
        "tokens, per region; 0: only the two tokens depend on the subject, as published.",
    )
    low_feature: str = Field(
        default="layer_1/map",
        description="Path in the feature store that guides the low level: an early layer of the "
        "image tower.",
    )
    high_feature: str = Field(
        default="projection/embedding",
        description="Path of the image features that guide the high level.",
    )
    text_feature: str = Field(
        default="text/pooled", description="Path of the features of captions, for the high level."
    )
    guidance: Literal["image_and_text", "image", "text"] = Field(
        default="image_and_text",
        description="What guides the high level: the mean of image and text features (published), "
        "or one of them. Stimuli without a caption are guided by their image.",
    )
    target_processing: Literal["centred", "clamped"] = Field(
        default="centred",
        description="Features before their similarities are taken: less their training mean, or "
        "clamped to [-1.5, 1.5] as published; to length 1 in both.",
    )
    low_level_weight: float = Field(
        default=3.0, ge=0, description="Weight of the similarity loss of the low level."
    )
    high_level_weight: float = Field(
        default=1.0, ge=0, description="Weight of the similarity loss of the high level."
    )
    orthogonality_weight: float = Field(
        default=1e-3, ge=0, description="Weight of the penalty on tokens that point the same way."
    )
    orthogonality: Literal["all_pairs", "absolute", "squared"] = Field(
        default="all_pairs",
        description="Penalty on the products of high and low tokens: squared over all pairs of "
        "samples (published), or absolute or squared within each sample.",
    )
    new_subjects: list[str] = Field(
        default=[],
        description="Subjects that the network is not trained on: only what is their own (tokens "
        "and, with input_rank, the correction of the input) is fitted afterwards.",
    )
    new_subject_epochs: int = Field(
        default=20, ge=1, description="Passes over the stimuli of a new subject."
    )
    hybrid_depth: Literal[10, 18, 34] = Field(
        default=10, description="Layers of the 3D residual network (hybrid_3d)."
    )
    hybrid_width: int = Field(
        default=64,
        ge=16,
        description="Channels of the last stages of the 3D network, a multiple of 16; 512 as "
        "published (hybrid_3d).",
        multiple_of=16,
    )
    hybrid_token_residual: bool = Field(
        default=True,
        description="Whether a token keeps what it was beside what a layer adds (hybrid_3d). The "
        "public code does not, and its tokens then hardly depend on the subject.",
    )
