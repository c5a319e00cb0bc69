"""Options of the simulated fMRI recording of the world (a light module)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from brainalign.options import Options

BIDSLabel = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")]

ROI_SHARES = {"V1": 0.24, "V2": 0.2, "V3": 0.14, "LOC": 0.18, "FFA": 0.12, "PPA": 0.12}
"""Share of a subject's voxels in each region; the first three are early, the others late."""

EARLY_ROIS = ("V1", "V2", "V3")


class FMRINoiseOptions(Options):
    """What makes a voxel's responses to the same stimulus differ."""

    trial_share: float = Field(
        0.5,
        ge=0,
        description="Standard deviation over repeats of a voxel's response, relative to that over "
        "stimuli.",
    )
    thermal_percent: float = Field(
        0.4, ge=0, description="Standard deviation of the AR(1) noise in percent of the baseline."
    )
    ar_coefficient: float = Field(
        0.35, ge=0, lt=1, description="Correlation of that noise from one volume to the next."
    )
    drift_percent: float = Field(
        1.0, ge=0, description="Standard deviation of slow drifts in percent of the baseline."
    )
    drift_period_s: float = Field(
        160.0, gt=0, description="Shortest period of the drifts in seconds."
    )
    motion_mm: float = Field(
        0.12, ge=0, description="Standard deviation of each translation of the head in mm."
    )
    motion_deg: float = Field(
        0.1, ge=0, description="Standard deviation of each rotation of the head in degrees."
    )


class TrialNoiseOptions(FMRINoiseOptions):
    """The same for single pictures, where part of the noise is shared by all voxels."""

    trial_share: float = Field(
        1.2,
        ge=0,
        description="Standard deviation over repeats of a voxel's response, relative to that over "
        "stimuli.",
    )
    shared_trial_share: float = Field(
        0.6,
        ge=0,
        le=1,
        description="Share of that variance which all voxels have in common: in each trial they "
        "answer to another stimulus as well, picked at random, so that averaging over voxels does "
        "not remove it.",
    )


class FMRIScannerOptions(Options):
    """Whom and what a simulated scanner records, whatever is shown."""

    seed: int = Field(0, ge=0, description="Seed of tuning, order and noise; not of the stimuli.")
    subjects: dict[BIDSLabel, Annotated[int, Field(ge=12)]] = Field(
        {"01": 360, "02": 440, "03": 520},
        min_length=1,
        description="Number of voxels in regions of interest of each subject; labels in quotes.",
    )
    tr_s: float = Field(2.0, gt=0, description="Repetition time in seconds.")
    volume_shape: list[Annotated[int, Field(ge=8)]] = Field(
        [20, 20, 12], min_length=3, max_length=3, description="Voxels per volume and axis."
    )
    voxel_mm: float = Field(3.0, gt=0, description="Edge of a voxel in mm.")
    signal_percent: float = Field(
        0.7,
        gt=0,
        description="Median over voxels of the standard deviation over stimuli of the response, in "
        "percent of the baseline.",
    )
    signal_spread: float = Field(
        0.3, ge=0, description="Standard deviation over voxels of that value's logarithm."
    )
    mean_percent: float = Field(
        1.0, ge=0, description="Mean response over stimuli in percent of the baseline."
    )
    hrf_delay_spread_s: float = Field(
        0.3, ge=0, description="Standard deviation over voxels of the delay of the BOLD response."
    )
    noise: FMRINoiseOptions = Field(FMRINoiseOptions(), description="Scan-to-scan variability.")


class SimulatedFMRIOptions(FMRIScannerOptions):
    """BOLD responses of people who look at the world's objects and scenes."""

    n_runs: int = Field(8, ge=2, le=99, description="Runs of each subject.")
    noise: TrialNoiseOptions = Field(TrialNoiseOptions(), description="Scan-to-scan variability.")
    trial_s: float = Field(4.0, gt=0, description="Time from onset to onset in seconds.")
    stimulus_on_s: float = Field(3.0, gt=0, description="Time a stimulus is on, in seconds.")
    blank_share: float = Field(
        0.2, ge=0, lt=0.9, description="Share of trials in which nothing is shown."
    )
    test_repeats: int = Field(3, ge=1, description="Presentations of each test stimulus.")
    scene_repeats: int = Field(2, ge=1, description="Presentations of each training scene.")
    shared_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the training scenes that all subjects see; every other one is seen "
        "by one subject only.",
    )
    shared_objects: int = Field(
        96, ge=0, description="Training pictures of one object that all subjects see."
    )
    own_objects: int = Field(
        224, ge=0, description="Training pictures of one object that one subject sees, at most."
    )

    @model_validator(mode="after")
    def _check_times(self) -> SimulatedFMRIOptions:
        if self.stimulus_on_s > self.trial_s:
            raise ValueError("stimulus_on_s must not be longer than trial_s")
        return self
