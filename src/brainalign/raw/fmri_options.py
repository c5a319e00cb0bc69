"""Data sets of BOLD volumes: where files lie and how they are preprocessed (a light module)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from brainalign.options import Options
from brainalign.raw.dataset_options import RecordedDataset
from brainalign.raw.simulate.fmri_movie_options import SimulatedFMRIMovieOptions
from brainalign.raw.simulate.fmri_options import BIDSLabel, SimulatedFMRIOptions
from brainalign.responses.fmri_options import (
    ConfoundOptions,
    FMRIMovieResponseOptions,
    FMRIResponseOptions,
    RegionOptions,
)
from brainalign.stimuli.options import SegmentStimuliOptions, StimuliOptions


class RealignmentOptions(Options):
    """Rigid realignment of every volume to the middle volume of the first run."""

    max_iterations: int = Field(12, ge=1, description="Gauss-Newton steps per volume.")
    tolerance_mm: float = Field(
        0.002, gt=0, description="A step that moves the head less than this ends the search, in mm."
    )
    smoothing_voxels: float = Field(
        0.8, ge=0, description="Gaussian smoothing before parameters are estimated, SD in voxels."
    )
    max_points: int = Field(
        20_000, ge=100, description="Voxels that parameters are estimated from, at most."
    )


class LightPreprocessing(Options):
    """Rigid realignment, brain mask and motion confounds in Python; slice timing is left alone."""

    kind: Literal["light"] = Field("light", description="Discriminates the ways.")
    realignment: RealignmentOptions = Field(RealignmentOptions(), description="Rigid realignment.")
    mask_opening_voxels: int = Field(
        1, ge=0, description="Thin bridges of the brain mask that are cut, in voxels."
    )


class FMRIPrepPreprocessing(Options):
    """fMRIPrep from its container."""

    kind: Literal["fmriprep"] = Field(description="Discriminates the ways.")
    command: list[str] = Field(
        [
            "apptainer",
            "run",
            "--cleanenv",
            "--bind",
            "{bids}:/data:ro",
            "--bind",
            "{output}:/out",
            "--bind",
            "{work}:/work",
            "--bind",
            "{license}:/license.txt:ro",
            "docker://nipreps/fmriprep:25.2.4",
            "/data",
            "/out",
            "participant",
            "--participant-label",
            "{subject}",
            "--fs-license-file",
            "/license.txt",
            "--work-dir",
            "/work",
            "--output-spaces",
            "func",
            "--fs-no-reconall",
            "--nthreads",
            "{threads}",
            "--mem-mb",
            "{memory_mb}",
            "--notrack",
        ],
        min_length=1,
        description="Words of the command. {bids}, {output} and {work} are folders, {subject} is "
        "the label, {threads} and {memory_mb} are what the job may use, {license} is the option.",
    )
    license: str = Field(
        "license.txt", description="FreeSurfer licence file, which fMRIPrep asks for."
    )
    threads: int = Field(8, ge=1, description="Threads of a job.")
    memory_mb: int = Field(16_000, ge=100, description="Memory of a job in MB.")


class NoPreprocessing(Options):
    """Volumes are taken as they are, or from a folder of derivatives that exists already."""

    kind: Literal["none"] = Field(description="Discriminates the ways.")
    derivatives: str | None = Field(
        None,
        description="Folder of fMRIPrep's or similar derivatives: volumes (desc-preproc), brain "
        "masks and confounds. What it lacks is taken from the raw data set. ${VARIABLES} of the "
        "environment are filled in; relative paths start at the data set's folder.",
    )


Preprocessing = Annotated[
    LightPreprocessing | FMRIPrepPreprocessing | NoPreprocessing, Field(discriminator="kind")
]


class EventOptions(Options):
    """Which rows of events.tsv are presentations of stimuli."""

    stimulus_column: str = Field(
        "stim_file",
        description="Column that names the stimulus. Of stim_file the id is the path without its "
        "extension; of others the value as it stands. n/a is no presentation.",
        min_length=1,
    )
    ignored_stimuli: list[str] = Field([], description="Values that are no stimulus.")
    outside_scan: Literal["refuse", "drop"] = Field(
        "refuse", description="What to do with events before the first or after the last volume."
    )


class FMRIVolumeOptions(RecordedDataset):
    """What every data set of BOLD volumes has."""

    modality = "fmri"

    preprocessing: Preprocessing = Field(
        LightPreprocessing(), description="light, fmriprep or none."
    )
    events: EventOptions = Field(EventOptions(), description="Presentations of stimuli.")
    tr_s: float | None = Field(
        None,
        gt=0,
        description="Repetition time in s that wins over sidecars and headers; empty: the "
        "sidecar's, and a header that disagrees is an error.",
    )
    max_volume_gb: float = Field(
        16.0, gt=0, description="A file whose header claims more than this is refused unread."
    )


class FMRIDatasetOptions(FMRIVolumeOptions):
    """What every data set of BOLD volumes and images has."""

    design = "images"

    stimuli: StimuliOptions = Field(StimuliOptions(), description="Decoding and split of stimuli.")
    responses: FMRIResponseOptions = Field(
        FMRIResponseOptions(), description="From volumes to responses."
    )


class FMRIMovieDatasetOptions(FMRIVolumeOptions):
    """What every data set of BOLD volumes and movies has."""

    design = "movies"

    stimuli: SegmentStimuliOptions = Field(
        SegmentStimuliOptions(), description="Decoding and split of movies."
    )
    responses: FMRIMovieResponseOptions = Field(
        FMRIMovieResponseOptions(), description="From volumes to responses."
    )


class BIDSVolumeOptions(FMRIVolumeOptions):
    """Where a BIDS data set lies and what of it is used."""

    folder: str = Field(
        description="Folder of the raw BIDS data set; ${VARIABLES} of the environment are filled "
        "in.",
        min_length=1,
    )
    subjects: list[BIDSLabel] | None = Field(
        None, description="Labels of subjects to use, without sub-; empty: all that are found."
    )
    sessions: list[BIDSLabel] | None = Field(None, description="Sessions to use; empty: all.")
    runs: list[BIDSLabel] | None = Field(None, description="Runs to use; empty: all.")
    task: BIDSLabel | None = Field(None, description="Task to use; needed where there are several.")
    space: str | None = Field(
        None,
        description="Space entity of the derivatives, such as MNI152NLin2009cAsym; empty: the "
        "volumes without one.",
    )


class BIDSDataset(BIDSVolumeOptions, FMRIDatasetOptions):
    """Your own BIDS data set of functional volumes and images."""

    kind: Literal["bids"] = Field(description="Discriminates the data sets.")
    stimuli_table: str | None = Field(
        None,
        description="A tab-separated table with at least the columns stimulus and file (relative "
        "to the table), and optionally sha256, split, category, caption, labels and factors; "
        "empty: the pictures that stim_file names, in the data set's folder stimuli.",
    )


class BIDSMoviesDataset(BIDSVolumeOptions, FMRIMovieDatasetOptions):
    """Your own BIDS data set of functional volumes and movies."""

    kind: Literal["bids_movies"] = Field(description="Discriminates the data sets.")
    movie_table: str = Field(
        "stimuli/movies.tsv",
        description="A tab-separated table with the columns movie (as stim_file names it, without "
        "the extension), path (a folder of frames, or an npy, npz, TIFF or video file, relative "
        "to the table) and frame_rate_hz (empty for a video: its own); relative paths start at the "
        "data set's folder. Tables movie_frames.tsv (movie, frame, split) and movie_captions.tsv "
        "(movie, frame, caption) beside it are read where they are.",
        min_length=1,
    )


class SimulatedRegionOptions(RegionOptions):
    """The same with the regions that the simulation writes."""

    atlas: str | None = Field(
        "derivatives/rois/sub-{subject}/func/sub-{subject}_desc-visual_dseg.nii.gz",
        description="Volume of integer labels per subject.",
    )


class SimulatedFMRIResponseOptions(FMRIResponseOptions):
    """The same with the regions that the simulation writes."""

    regions: SimulatedRegionOptions = Field(
        SimulatedRegionOptions(), description="Voxels and their regions."
    )


class SimulatedFMRIDataset(FMRIDatasetOptions):
    """People who look at the simulated world: a BIDS data set with planted responses."""

    is_simulated = True

    kind: Literal["simulated_fmri"] = Field(description="Discriminates the data sets.")
    simulation: SimulatedFMRIOptions = Field(
        SimulatedFMRIOptions(), description="What is planted and recorded."
    )
    responses: SimulatedFMRIResponseOptions = Field(
        SimulatedFMRIResponseOptions(), description="From volumes to responses."
    )

    @model_validator(mode="after")
    def _check_preprocessing(self) -> SimulatedFMRIDataset:
        if self.preprocessing.kind == "fmriprep":
            raise ValueError("fMRIPrep has no use for simulated heads: choose light or none")
        return self


class SimulatedFMRIMovieResponseOptions(FMRIMovieResponseOptions):
    """The same with the regions that the simulation writes."""

    regions: SimulatedRegionOptions = Field(
        SimulatedRegionOptions(), description="Voxels and their regions."
    )
    confounds: ConfoundOptions = Field(
        ConfoundOptions(strategy=[]),
        description="Confounds that are regressed out; simulated heads lie still by default.",
    )


class SimulatedFMRIMovieDataset(FMRIMovieDatasetOptions):
    """People who watch movies of the simulated world: a BIDS data set with planted responses."""

    is_simulated = True

    kind: Literal["simulated_fmri_movies"] = Field(description="Discriminates the data sets.")
    simulation: SimulatedFMRIMovieOptions = Field(
        SimulatedFMRIMovieOptions(), description="What is planted and recorded."
    )
    preprocessing: Preprocessing = Field(
        NoPreprocessing(kind="none"), description="light, fmriprep or none."
    )
    responses: SimulatedFMRIMovieResponseOptions = Field(
        SimulatedFMRIMovieResponseOptions(), description="From volumes to responses."
    )

    @model_validator(mode="after")
    def _check_preprocessing(self) -> SimulatedFMRIMovieDataset:
        if self.preprocessing.kind == "fmriprep":
            raise ValueError("fMRIPrep has no use for simulated heads: choose light or none")
        return self
