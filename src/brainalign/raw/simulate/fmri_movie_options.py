"""Options of the simulated fMRI recording of movies (a light module)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from .fmri_options import ROI_SHARES, BIDSLabel, FMRINoiseOptions, FMRIScannerOptions


class StillHeadNoiseOptions(FMRINoiseOptions):
    """The same for heads that lie still and runs that are short."""

    motion_mm: float = Field(
        0.0, ge=0, description="Standard deviation of each translation of the head in mm."
    )
    motion_deg: float = Field(
        0.0, ge=0, description="Standard deviation of each rotation of the head in degrees."
    )
    drift_percent: float = Field(
        0.5, ge=0, description="Standard deviation of slow drifts in percent of the baseline."
    )


class SimulatedFMRIMovieOptions(FMRIScannerOptions):
    """BOLD responses of people who watch movies of the world's objects, with scene cuts."""

    subjects: dict[BIDSLabel, Annotated[int, Field(ge=12)]] = Field(
        {"01": 300},
        min_length=1,
        description="Number of voxels in regions of interest of each subject; labels in quotes.",
    )
    n_training_movies: int = Field(
        28, ge=1, description="Movies that are shown once, for training."
    )
    n_validation_movies: int = Field(2, ge=1, description="Movies for validation, shown once.")
    n_test_movies: int = Field(4, ge=1, description="Movies for tests.")
    test_repeats: int = Field(3, ge=1, description="Runs of each test movie.")
    movie_trs: int = Field(60, ge=4, description="Length of each movie in repetition times.")
    tail_trs: int = Field(6, ge=0, description="Volumes after the end of the movie.")
    frame_rate_hz: float = Field(0.5, gt=0, description="Frames per second of the movies.")
    frame_size: int = Field(64, ge=16, description="Height and width of a frame in pixels.")
    shortest_shot_s: float = Field(4.0, gt=0, description="Shortest time between cuts in seconds.")
    longest_shot_s: float = Field(10.0, gt=0, description="Longest time between cuts in seconds.")
    n_objects: int = Field(
        8,
        ge=1,
        description="Objects that occur, dealt evenly over the categories; few, since minutes of "
        "movie are few samples of what a scanner can tell apart.",
    )
    n_places: int = Field(2, ge=1, description="Places behind the objects that occur.")
    roi_delay_s: dict[str, float] = Field(
        {"V1": 0.0, "V2": 0.3, "V3": 0.6, "LOC": 1.2, "FFA": 1.8, "PPA": 2.4},
        description="Delay of each region's BOLD response against the canonical one, in s.",
    )
    late_memory_s: float = Field(
        3.0,
        ge=0,
        description="Time constant in s with which the late regions average what they saw; early "
        "ones follow every frame.",
    )
    noise: StillHeadNoiseOptions = Field(
        StillHeadNoiseOptions(), description="Scan-to-scan variability."
    )

    @model_validator(mode="after")
    def _check_movies(self) -> SimulatedFMRIMovieOptions:
        if self.longest_shot_s < self.shortest_shot_s:
            raise ValueError("longest_shot_s must not lie below shortest_shot_s")
        if self.shortest_shot_s * self.frame_rate_hz < 1:
            raise ValueError("shortest_shot_s must hold at least one frame")
        if set(self.roi_delay_s) != set(ROI_SHARES):
            raise ValueError(f"roi_delay_s must name the regions {', '.join(ROI_SHARES)}")
        frames = self.movie_trs * self.tr_s * self.frame_rate_hz
        if abs(frames - round(frames)) > 1e-6:
            raise ValueError("a movie must last a whole number of frames")
        return self

    def list_movies(self) -> dict[str, str]:
        """List the movies and the split of each, in the order of their names."""
        counts = {
            "train": self.n_training_movies,
            "validation": self.n_validation_movies,
            "test": self.n_test_movies,
        }
        splits = [split for split, count in counts.items() for _ in range(count)]
        return {f"movie-{number:02d}": split for number, split in enumerate(splits, start=1)}
