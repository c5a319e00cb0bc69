"""How BOLD volumes become responses (a light module)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from brainalign.options import Options


class ConfoundOptions(Options):
    """Confounds that are regressed out, as nilearn's ``load_confounds`` names them."""

    strategy: list[
        Literal["motion", "wm_csf", "global_signal", "compcor", "ica_aroma", "scrub", "high_pass"]
    ] = Field(
        ["motion"],
        description="Groups of confounds; empty for none. Only motion and scrub exist for volumes "
        "that were preprocessed lightly. high_pass takes fMRIPrep's cosines in place of ours.",
    )
    motion: Literal["basic", "power2", "derivatives", "full"] = Field(
        "basic",
        description="The six motion parameters, with their squares (power2), their derivatives, or "
        "both and the squared derivatives (full, 24 columns).",
    )
    wm_csf: Literal["basic", "power2", "derivatives", "full"] = Field(
        "basic", description="The same for the signals of white matter and fluid."
    )
    global_signal: Literal["basic", "power2", "derivatives", "full"] = Field(
        "basic", description="The same for the global signal."
    )
    compcor: Literal["anat_combined", "anat_separated", "temporal", "temporal_anat_combined"] = (
        Field("anat_combined", description="Which CompCor components.")
    )
    n_compcor: int | Literal["all"] = Field(
        "all", description="Number of CompCor components of each mask; all: those of fMRIPrep."
    )
    ica_aroma: Literal["full", "basic"] = Field(
        "full", description="Use of ICA-AROMA; full reads volumes that were denoised with it."
    )
    fd_threshold_mm: float = Field(
        0.5, gt=0, description="Scrub volumes with a larger framewise displacement, in mm."
    )
    std_dvars_threshold: float = Field(
        1.5, gt=0, description="Scrub volumes with larger standardised DVARS."
    )
    scrub_segment_volumes: int = Field(
        5, ge=0, description="Scrub stretches between scrubbed volumes that are this short too."
    )


class RegionOptions(Options):
    """Which voxels are kept, and the region that each belongs to.

    ``{subject}`` stands for the subject's label; relative paths start at the data set's folder.
    """

    atlas: str | None = Field(
        None,
        description="Volume of integer labels per subject or for all, such as "
        "derivatives/rois/sub-{subject}/func/sub-{subject}_desc-visual_dseg.nii.gz.",
    )
    names: str | None = Field(
        None,
        description="Table with the columns index and name of the atlas; empty: the .tsv beside "
        "the atlas.",
    )
    volumes: dict[str, str] = Field(
        {},
        description="In place of an atlas: a mask volume by name of its region; a voxel in several "
        "belongs to the first.",
    )
    mask: str | None = Field(
        None, description="Brain mask; empty: that of the preprocessing, where there is one."
    )
    resample: bool = Field(
        False,
        description="Bring regions of another grid to that of the volumes by nearest neighbours; "
        "false: refuse them.",
    )

    @model_validator(mode="after")
    def _check_source(self) -> RegionOptions:
        if self.atlas is not None and self.volumes:
            raise ValueError("give either an atlas or volumes of regions, not both")
        return self


class VoxelResponseOptions(Options):
    """What every response store of voxels is made with: memory, normalisation, reliability."""

    in_memory_mb: int = Field(
        2000,
        ge=1,
        description="Larger responses are gathered in a file and written chunk by chunk, in MB.",
    )
    normalisation: Literal["session_zscore", "none"] = Field(
        "session_zscore",
        description="What methods see: responses z-scored per session and voxel with the mean and "
        "SD over the presentations of training stimuli, or as they are.",
    )
    n_half_splits: int = Field(
        100, description="Random halves of the repeats for the reliability.", ge=1, le=10_000
    )
    min_repeated_stimuli: int = Field(
        10,
        description="A voxel needs this many stimuli with two or more repeats for a reliability "
        "and a noise ceiling.",
        ge=3,
    )
    by_area: bool = Field(
        True,
        description="Fit and score each region by itself as well, beside all voxels together.",
    )
    seed: int = Field(0, description="Seed of the half splits.", ge=0)


class FMRIResponseOptions(VoxelResponseOptions):
    """From BOLD volumes to one response per presentation and voxel, and its reliability."""

    regions: RegionOptions = Field(RegionOptions(), description="Voxels and their regions.")
    confounds: ConfoundOptions = Field(
        ConfoundOptions(), description="Confounds that are regressed out."
    )
    high_pass_hz: float = Field(
        1 / 128,
        ge=0,
        description="Slower signals are regressed out as cosines, in Hz; 0 for the mean alone.",
    )
    standardisation: Literal["percent", "zscore", "none"] = Field(
        "percent",
        description="Unit of each voxel's series in each run: percent of its mean, its standard "
        "deviation after cleaning, or as it is.",
    )
    estimate: Literal["lsa", "lss", "glmsingle", "block_mean", "time_series"] = Field(
        "lsa",
        description="Response to a presentation: its regressor's weight in a model of all trials "
        "(lsa), or of itself against all others (lss, Mumford et al. 2012); GLMsingle; the mean of "
        "the cleaned series over a block of events; or over a window after onset, with the cleaned "
        "series and its windows in the store (time_series).",
    )
    hrf_model: Literal["glover", "spm"] = Field(
        "glover", description="Canonical response of nilearn for lsa and lss."
    )
    noise_model: Literal["ols", "ar1"] = Field(
        "ols", description="Noise of lsa: white, or autoregressive as nilearn estimates it."
    )
    window_s: list[float] = Field(
        [4.0, 8.0],
        description="Window in s: after onset for time_series; for block_mean its first value is "
        "added to the block's onset and to its end.",
        min_length=2,
        max_length=2,
    )
    block_gap_s: float = Field(
        6.0,
        gt=0,
        description="Events of one stimulus that follow each other at most this long after the "
        "end of the one before are one block, in s.",
    )
    n_parallel_runs: int = Field(
        1, ge=1, description="Runs that are read at once, each by a thread of its own."
    )

    @model_validator(mode="after")
    def _check_model(self) -> FMRIResponseOptions:
        if not self.window_s[0] < self.window_s[1]:
            raise ValueError(f"window_s must start before it ends, found {self.window_s}")
        if self.noise_model == "ar1" and self.estimate != "lsa":
            raise ValueError("noise_model: ar1 is for estimate: lsa only")
        return self


class FMRIMovieResponseOptions(Options):
    """From BOLD volumes to one cleaned series per presentation of a movie and voxel."""

    regions: RegionOptions = Field(RegionOptions(), description="Voxels and their regions.")
    confounds: ConfoundOptions = Field(
        ConfoundOptions(), description="Confounds that are regressed out; scrubbed volumes are NaN."
    )
    high_pass_hz: float = Field(
        1 / 128, ge=0, description="Slower signals are regressed out as cosines, in Hz; 0 for none."
    )
    standardisation: Literal["percent", "zscore", "none"] = Field(
        "zscore",
        description="Unit of each voxel's series in each run: percent of its mean, its standard "
        "deviation after cleaning, or as it is.",
    )
    answer_s: float = Field(
        12.0,
        ge=0,
        description="BOLD that is kept after the end of a movie, as far as the run goes and no "
        "other movie begins, in s.",
    )
    short_runs: Literal["refuse", "trim"] = Field(
        "refuse", description="What to do with runs that end before their movie."
    )
    n_half_splits: int = Field(
        100, ge=1, le=10_000, description="Random halves of the repeats for the reliability."
    )
    seed: int = Field(0, description="Seed of the half splits.", ge=0)
