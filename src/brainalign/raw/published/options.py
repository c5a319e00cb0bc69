"""Options of published voxel responses (a light module)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from brainalign.raw.dataset_options import RecordedDataset
from brainalign.responses.fmri_options import VoxelResponseOptions
from brainalign.stimuli.options import StimuliOptions


class PublishedVoxelDataset(RecordedDataset):
    """What every published data set of voxel responses has."""

    modality = "fmri_responses"
    design = "images"

    stimuli: StimuliOptions = Field(StimuliOptions(), description="Decoding and split of stimuli.")
    responses: VoxelResponseOptions = Field(
        VoxelResponseOptions(), description="Normalisation and reliability."
    )


NSDSubject = Literal["subj01", "subj02", "subj03", "subj04", "subj05", "subj06", "subj07", "subj08"]


class NSDDataset(PublishedVoxelDataset):
    """Natural Scenes Dataset (Allen et al. 2022): single-trial betas of 7 T volumes."""

    kind: Literal["nsd"] = Field(description="Discriminates the data sets.")
    folder: str = Field(
        description="Local copy that holds nsddata, nsddata_betas and nsddata_stimuli; "
        "${VARIABLES} of the environment are filled in. Nothing is downloaded.",
        min_length=1,
    )
    subjects: list[NSDSubject] = Field(
        ["subj01", "subj02", "subj05", "subj07"],
        description="Subjects to use; these four completed 40 sessions.",
        min_length=1,
    )
    n_sessions: int | None = Field(
        None,
        ge=1,
        le=40,
        description="Sessions of each subject to use, from the first; empty: all that were "
        "recorded (30 to 40).",
    )
    preparation: Literal["func1pt8mm", "func1mm"] = Field(
        "func1pt8mm", description="Volumes of 1.8 or 1 mm."
    )
    betas: Literal["betas_assumehrf", "betas_fithrf", "betas_fithrf_GLMdenoise_RR"] = Field(
        "betas_fithrf_GLMdenoise_RR", description="Version of the single-trial responses."
    )
    regions: list[str] = Field(
        ["prf-visualrois", "floc-faces", "floc-places", "floc-bodies", "floc-words", "streams"],
        description="Collections of regions below roi/; a voxel belongs to the first collection "
        "that labels it.",
    )
    joined_regions: dict[str, list[str]] = Field(
        {}, description="Regions that are one, by their new name, such as V1: [V1v, V1d]."
    )
    mask: str | None = Field(
        "nsdgeneral", description="Collection below roi/ that voxels must lie in; empty: any."
    )
    keep_unlabelled: bool = Field(
        True, description="Keep voxels of the mask that no collection labels, with its name."
    )
    annotations: list[str] = Field(
        [],
        description="COCO's instances_train2017.json and instances_val2017.json: the categories of "
        "objects that remain visible in the square pictures become labels. Relative paths start at "
        "folder.",
    )
    captions: list[str] = Field(
        [],
        description="COCO's captions_train2017.json and captions_val2017.json: all captions of a "
        "picture, joined.",
    )
    min_visible_share: float = Field(
        0.25,
        gt=0,
        le=1,
        description="An object counts if at least this share of its bounding box lies in the "
        "picture.",
    )

    @model_validator(mode="after")
    def _check_regions(self) -> NSDDataset:
        if self.mask is None and not self.regions:
            raise ValueError("name at least one of regions or a mask")
        if len(set(self.subjects)) < len(self.subjects):
            raise ValueError("a subject is listed twice")
        return self
