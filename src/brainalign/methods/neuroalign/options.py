"""Options of NeuroAlign; imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from brainalign.methods.clips.options import ClipOptions
from brainalign.methods.presets import Presets, fill_from_preset
from brainalign.methods.requirements import Requirements
from brainalign.training.options import TrainingOptions

DECAY_OF_TWO, DECAY_OF_MORE, RELEASED_DECAY = 0.98, 0.97, 0.99
"""Forgetting of the codebook per step. The public code updates once per modality with 0.99, so its
forgetting per step is 0.99 to the power of their number; these match it in one update."""


class NeuroAlignOptions(ClipOptions, TrainingOptions):
    """Contrast and prediction over time between BOLD and video, then one shared codebook.

    A preset fills in what is not given. The defaults of the fields are the preset ``small``. Of
    the paper neither sizes nor weights are known: ``paper_like`` has those usual in the field.
    """

    requirements: ClassVar[Requirements] = Requirements(
        design="movies",
        subjects="one",
        predictions=("embedding", "code"),
        modalities=("fmri", "fmri_responses"),
    )
    presets: ClassVar[Presets] = {
        "small": {
            "epochs": 10,
            "batch_size": 64,
            "schedule": "constant",
            "gradient_clip": 0.5,
        },
        "paper_like": {
            "epochs": 60,
            "contrast_epochs": 30,
            "batch_size": 64,
            "learning_rate": 3e-4,
            "gradient_clip": 0.5,
            "precision": "auto",
            "dimension": 256,
            "encoder": "vit",
            "lag_input": "encoded",
            "sequence_layers": 2,
            "feedforward": 1024,
            "n_codes": 400,
            "steps_per_epoch": None,
        },
    }

    preset: Literal["small", "paper_like"] = Field(
        default="small",
        description="Where the values that are not given come from: 'small' (seconds on a CPU) or "
        "'paper_like' (ViT encoder, sizes usual in the field, for a GPU; not published values).",
    )
    dimension: int = Field(default=64, ge=4, description="Width of the shared space.")
    encoder: Literal["linear", "vit"] = Field(
        default="linear",
        description="BOLD of one TR: one linear layer, or a ViT over patches of voxels.",
    )
    patch_voxels: int = Field(
        default=16, ge=1, description="Voxels of a patch of the ViT; the last patch wraps around."
    )
    vit_width: int = Field(default=256, ge=4, description="Width of the ViT, divisible by 4.")
    vit_depth: int = Field(default=6, ge=1, description="Layers of the ViT.")
    vit_heads: int = Field(default=8, ge=1, description="Heads of the ViT.")
    lag: Literal["learned", "fixed", "none"] = Field(
        default="learned",
        description="How BOLD is shifted against the movie: learned weights over n_lags TRs, a "
        "shift of fixed_lag_trs, or not at all (the last two are baselines).",
    )
    lag_start: Literal["hrf", "uniform"] = Field(
        default="hrf", description="Weights before training: the canonical response, or equal ones."
    )
    lag_rate: float = Field(
        default=10.0, gt=0, description="Learning rate of the lags relative to all other weights."
    )
    lag_input: Literal["raw", "encoded"] = Field(
        default="raw", description="Whether lags weigh voxels before the encoder or its output."
    )
    lag_by_roi: bool = Field(
        default=False, description="Lags per region; needs lag_input: raw. False: one for all."
    )
    fixed_lag_trs: int = Field(default=2, ge=0, description="Shift of lag: fixed, in TRs.")
    sequence_layers: int = Field(
        default=1, ge=1, description="Layers of self-attention over the TRs of a window."
    )
    heads: int = Field(default=4, ge=1, description="Heads of these layers.")
    feedforward: int = Field(default=128, ge=1, description="Hidden width of these layers.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout in these layers.")
    input_dropout: float = Field(
        default=0.2, ge=0, lt=1, description="Dropout of each encoded TR before these layers."
    )
    column_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Probability that a voxel or a video feature is silenced for a whole window; "
        "against memorising short recordings.",
    )
    mask_overlap: bool = Field(
        default=True,
        description="Keep windows that share TRs from being negatives of each other.",
    )
    prediction: Literal["recommended", "released", "none"] = Field(
        default="recommended",
        description="Prediction across modalities: several steps from all moments with cosines in "
        "both directions; one step from one moment as in the public code of Uni-Code; or none.",
    )
    prediction_steps: int = Field(
        default=3, ge=1, description="TRs ahead that are predicted (recommended)."
    )
    prediction_negatives: Literal["clips", "moments"] = Field(
        default="moments",
        description="What a prediction is contrasted with (recommended): the same moment of other "
        "windows as published, or other moments of its own window as well. The former makes all "
        "tokens of a window alike, so that their codes say little.",
    )
    prediction_weight: float = Field(
        default=0.5, ge=0, description="Weight of the prediction against the global contrast."
    )
    self_prediction_weight: float = Field(
        default=0.1, ge=0, description="Weight of predicting a modality from itself."
    )
    codebook: Literal["dynasync", "mmema_sync", "mmema_seq", "own", "none"] = Field(
        default="dynasync",
        description="Update of the shared codebook: DynaSyncMM-EMA; MM-EMA at once or, as in the "
        "public code, modality after modality; without the other modality; or no codebook.",
    )
    n_codes: int = Field(default=128, ge=2, description="Codes of the codebook.")
    codebook_decay: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Share of the codebook's sums kept per step; null: 0.98 for two modalities, "
        "0.97 for three, 0.99 for mmema_seq.",
    )
    partner: Literal["aligned", "xattn"] = Field(
        default="aligned",
        description="What stands for the other modality: the same moment, or cross-attention over "
        "the window.",
    )
    cross_weights: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        default=[0.05, 0.5],
        min_length=2,
        max_length=2,
        description="Smallest and largest weight of the other modality in dynasync; equal ones "
        "make it fixed.",
    )
    use_reliability: bool = Field(
        default=True, description="Weigh the other modality by its relative reliability (dynasync)."
    )
    modality_temperature: float | None = Field(
        default=None,
        gt=0,
        description="Softness of weights of whole modalities by their error; null: all equal.",
    )
    dead_after_steps: int = Field(
        default=300, ge=1, description="Steps without use after which a code is dead."
    )
    dead_when: Literal["any", "all", "never"] = Field(
        default="any",
        description="A code is dead when any modality, or all of them, left it unused that long.",
    )
    commitment: float = Field(default=0.25, ge=0, description="Weight beta of the commitment.")
    cross_commitment: Literal["constant", "agreement"] = Field(
        default="constant",
        description="Weight of committing to the other modality's code: constant, or the cross "
        "weight of each token.",
    )
    code_matching_weight: float = Field(
        default=0.5, ge=0, description="Weight of cross-modal code matching."
    )
    reconstruction_weight: float = Field(
        default=0.0, ge=0, description="Weight of reconstructing the inputs; 0: no decoder."
    )
    information_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of the mutual information between the shared and the specific branch "
        "(CLUB); 0: none. Needs reconstruction_weight.",
    )
    code_score_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of codes in the validation score."
    )
    roi_levels: list[list[str]] = Field(
        default=[],
        description="Groups of regions, early to late, each aligned with a feature path of its "
        "own by a term of its own; empty: one level of all voxels.",
    )
    contrast_epochs: int = Field(
        default=6, ge=1, description="Epochs of the first stage, without codebook."
    )
    steps_per_epoch: int | None = Field(
        default=50, ge=1, description="Optimiser steps of an epoch; null: a pass over all windows."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        return fill_from_preset(given, cls.presets, default="small")

    @model_validator(mode="after")
    def _check(self) -> NeuroAlignOptions:
        if self.dimension % self.heads:
            raise ValueError("heads must divide dimension")
        if self.vit_width % self.vit_heads or self.vit_width % 4:
            raise ValueError("vit_heads and 4 must divide vit_width")
        if self.lag == "fixed" and self.fixed_lag_trs >= self.n_lags:
            raise ValueError("fixed_lag_trs must lie below n_lags")
        if self.lag_by_roi and self.lag_input != "raw":
            raise ValueError("lag_by_roi needs lag_input: raw")
        if self.cross_weights[0] > self.cross_weights[1]:
            raise ValueError("cross_weights must not descend")
        if self.prediction == "recommended" and self.window_trs < self.prediction_steps + 2:
            raise ValueError("window_trs must be prediction_steps + 2 or more")
        if self.prediction == "released" and self.window_trs < 3:
            raise ValueError("window_trs must be 3 or more")
        if self.information_weight and not self.reconstruction_weight:
            raise ValueError("information_weight needs reconstruction_weight")
        if (
            self.roi_levels
            and self.feature_paths
            and len(self.roi_levels) != len(self.feature_paths)
        ):
            raise ValueError("feature_paths must name one path per level of roi_levels")
        if self.codebook != "none" and self.contrast_epochs >= (self.epochs or 0):
            raise ValueError("epochs must exceed contrast_epochs, or codebook must be none")
        return self

    def choose_decay(self, n_modalities: int) -> float:
        """Choose the forgetting of the codebook.

        Parameters
        ----------
        n_modalities : int
            Two or three.

        Returns
        -------
        decay : float
            The option where it is given.
        """
        if self.codebook_decay is not None:
            return self.codebook_decay
        if self.codebook == "mmema_seq":
            return RELEASED_DECAY
        return DECAY_OF_TWO if n_modalities == 2 else DECAY_OF_MORE
