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

    def knows_labels(self) -> bool:
        """Tell whether stimuli have labels: those of COCO's annotations."""
        return bool(self.annotations)

    @model_validator(mode="after")
    def _check_regions(self) -> NSDDataset:
        if self.mask is None and not self.regions:
            raise ValueError("name at least one of regions or a mask")
        if len(set(self.subjects)) < len(self.subjects):
            raise ValueError("a subject is listed twice")
        return self


class MovieFrameStimuliOptions(StimuliOptions):
    """The same for frames of movies, in which black or still frames come again."""

    duplicates: Literal["refuse_across_splits", "allow"] = Field(
        "allow",
        description="What to do with equal pixels under different ids: the same picture in "
        "training and test is a leak, but black frames come in every movie.",
    )


class HCPMoviesDataset(PublishedVoxelDataset):
    """Movies of the Human Connectome Project at 7 T: one sample per second of each clip."""

    kind: Literal["hcp_movies"] = Field(description="Discriminates the data sets.")
    folder: str = Field(
        description="Local copy with a folder per subject, such as 100610/MNINonLinear; "
        "${VARIABLES} of the environment are filled in. Nothing is downloaded.",
        min_length=1,
    )
    subjects: list[str] | None = Field(
        None,
        description="Subjects to use; empty: every folder whose name is a number.",
        min_length=1,
    )
    series: str = Field(
        "{subject}/MNINonLinear/Results/{run}/{run}_hp2000_clean.nii.gz",
        description="Series of a run, below folder: a NIfTI volume or CIFTI, such as "
        "{subject}/MNINonLinear/Results/{run}/{run}_Atlas_MSMAll.dtseries.nii.",
        min_length=1,
    )
    atlas: str | None = Field(
        None,
        description="Regions, below folder, {subject} is filled in: a volume of integer labels on "
        "the grid of the series, or for CIFTI a .dlabel.nii.",
    )
    names: str | None = Field(
        None,
        description="Names of the labels of a volume: a .tsv with index and name, or a colour "
        "table; empty: the .tsv beside the atlas.",
    )
    mask: str | None = Field(
        None, description="Volume of the voxels to use, below folder, {subject} is filled in."
    )
    labels: str | None = Field(
        "7T_movie_resources/WordNetFeatures.hdf5",
        description="Labels of every second, as published with the movies; empty: none.",
    )
    min_label_share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Labels that a smaller share of the training seconds shows are left out.",
    )
    frames: str | None = Field(
        "frames/{movie}",
        description="Frames of a movie, below folder, {movie} is filled in (7T_MOVIE1_CC1_v2 and "
        "so on): a folder of pictures, or an npy file; empty: no pictures.",
    )
    frame_rate_hz: float = Field(24.0, gt=0, description="Frames per second that were saved.")
    frame_in_second: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Which frame stands for a second, as a share of it; 0 as in CLIP-MUSED's code.",
    )
    delay_s: int = Field(
        4, ge=0, le=20, description="The volume so many seconds later is the response to a second."
    )
    scaling: Literal["zscore", "minmax"] = Field(
        "zscore",
        description="Of each voxel over the time of each run, before samples are taken: to mean 0 "
        "and SD 1, or to 0 to 1 as in CLIP-MUSED's data.",
    )
    validation: Literal["clips", "seconds"] = Field(
        "clips",
        description="The last clip before the repeated one of movies 1 to 3, or seconds drawn from "
        "the seed as in CLIP-MUSED's lists, whose neighbours are in training.",
    )
    repeated_clip: Literal["train", "test"] = Field(
        "train",
        description="Split of the clip that ends every movie; its four showings are repeats.",
    )
    stimuli: MovieFrameStimuliOptions = Field(
        MovieFrameStimuliOptions(), description="Decoding and split of stimuli."
    )

    def knows_labels(self) -> bool:
        """Tell whether stimuli have labels: those published with the movies."""
        return self.labels is not None
