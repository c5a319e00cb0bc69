"""Options of the simulated world and of the recordings made of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from brainalign.options import Options

SubjectName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class MovieOptions(Options):
    """Movies of the world."""

    n_object_movies: int = Field(2, ge=0, description="Movies of moving, rotating objects.")
    n_texture_movies: int = Field(2, ge=0, description="Movies of drifting 1/f textures.")
    duration_s: float = Field(20.0, gt=0, description="Length of each movie in seconds.")
    frame_rate_hz: float = Field(30.0, gt=0, description="Frames per second.")
    frame_size: int = Field(96, ge=16, description="Height and width of a frame in pixels.")
    shortest_shot_s: float = Field(1.5, gt=0, description="Shortest time between cuts in seconds.")
    longest_shot_s: float = Field(3.0, gt=0, description="Longest time between cuts in seconds.")
    max_drift_px_s: float = Field(
        40.0, ge=0, description="Fastest drift of a texture in pixels per second and axis."
    )
    train_share: float = Field(
        0.7, gt=0, lt=1, description="Share of each movie's frames, from its start, for training."
    )
    validation_share: float = Field(
        0.1, gt=0, lt=1, description="Share that follows the training part; the rest is for tests."
    )

    @model_validator(mode="after")
    def _check_order(self) -> MovieOptions:
        if self.longest_shot_s < self.shortest_shot_s:
            raise ValueError("longest_shot_s must not lie below shortest_shot_s")
        if self.shortest_shot_s * self.frame_rate_hz < 1:
            raise ValueError("shortest_shot_s must hold at least one frame")
        if self.train_share + self.validation_share >= 1:
            raise ValueError("train_share + validation_share must leave a part for tests")
        return self


class WorldOptions(Options):
    """Stimuli of the simulated world: single objects, scenes and movies."""

    seed: int = Field(0, ge=0, description="Seed of everything that is shown.")
    image_size: int = Field(96, ge=32, description="Height and width of an image in pixels.")
    exemplars_per_category: int = Field(
        6, ge=1, le=99, description="Different objects in each of the eight categories."
    )
    views_per_exemplar: int = Field(
        20, ge=3, le=99, description="Images of each object; at least one per split."
    )
    n_scenes: int = Field(120, ge=0, le=9999, description="Images of two to four objects.")
    max_yaw_deg: float = Field(
        60.0, gt=0, le=180, description="Yaw is uniform between minus and plus this, in degrees."
    )
    max_pitch_deg: float = Field(18.0, gt=0, le=90, description="The same for pitch, in degrees.")
    max_roll_deg: float = Field(12.0, gt=0, le=180, description="The same for roll, in degrees.")
    max_shift: float = Field(
        0.14, gt=0, le=0.3, description="x and y lie within plus and minus this, in image widths."
    )
    smallest_size: float = Field(
        0.5, gt=0, description="Smallest diameter of an object's bounding sphere in image widths."
    )
    largest_size: float = Field(0.8, le=1, description="Largest diameter in image widths.")
    validation_share: float = Field(0.1, gt=0, lt=0.5, description="Share of validation stimuli.")
    test_share: float = Field(0.1, gt=0, lt=0.5, description="Share of test stimuli.")
    movies: MovieOptions = Field(MovieOptions(), description="Movies of the world.")

    @model_validator(mode="after")
    def _check_sizes(self) -> WorldOptions:
        if self.largest_size <= self.smallest_size:
            raise ValueError("largest_size must lie above smallest_size")
        return self


class ITNoiseOptions(Options):
    """What makes responses to the same stimulus differ."""

    private_gain_variance: float = Field(
        0.15, ge=0, description="Median over units of the variance of a unit's own gain per trial."
    )
    private_gain_spread: float = Field(
        0.6, ge=0, description="Standard deviation over units of that variance's logarithm."
    )
    n_shared_dimensions: int = Field(2, ge=0, description="Fluctuations that units share.")
    shared_strength: float = Field(
        0.25, ge=0, description="Root mean square over units of the shared log gain."
    )
    shared_persistence: float = Field(
        0.8, ge=0, lt=1, description="Correlation of the shared fluctuations from trial to trial."
    )
    session_gain_spread: float = Field(
        0.15, ge=0, description="Standard deviation of a unit's log gain between sessions."
    )
    drift_spread: float = Field(
        0.1, ge=0, description="Standard deviation of a unit's log-gain drift over one session."
    )


class SimulatedITOptions(Options):
    """Spike trains of IT units in animals that watch the world's single objects."""

    seed: int = Field(0, ge=0, description="Seed of tuning, order and noise; not of the stimuli.")
    subjects: dict[SubjectName, Annotated[int, Field(ge=1)]] = Field(
        {"monkey-a": 58, "monkey-b": 110},
        min_length=1,
        description="Number of units of each animal.",
    )
    n_sessions: int = Field(3, ge=1, le=20, description="Sessions of each animal.")
    test_repeats: int = Field(
        5, ge=1, description="Presentations of each test stimulus in every session."
    )
    train_repeats: int = Field(
        4, ge=1, description="Presentations of each other stimulus, all in one session."
    )
    n_shared_train_stimuli: int = Field(
        24, ge=0, description="Training stimuli that every session shows, besides the test stimuli."
    )
    stimulus_on_s: float = Field(0.1, gt=0, description="Time a stimulus is on, in seconds.")
    stimulus_off_s: float = Field(0.1, ge=0, description="Blank between stimuli in seconds.")
    latency_s: float = Field(0.07, gt=0, description="Mean response latency in seconds.")
    latency_spread_s: float = Field(
        0.006, ge=0, description="Standard deviation of the latency over units in seconds."
    )
    mean_evoked_rate_hz: float = Field(
        12.0, gt=0, description="Median over units of the mean rate added by a stimulus, in Hz."
    )
    rate_spread: float = Field(
        0.5, ge=0, description="Standard deviation over units of that rate's logarithm."
    )
    spontaneous_share: float = Field(
        0.25, ge=0, description="Spontaneous rate relative to a unit's mean evoked rate."
    )
    selectivity: float = Field(
        1.3, ge=0, description="Median over units of the drive's gain before the nonlinearity."
    )
    selectivity_spread: float = Field(
        0.4, ge=0, description="Standard deviation over units of that gain's logarithm."
    )
    group_concentration: float = Field(
        0.35,
        gt=0,
        description="Dirichlet parameter of the variance shares of the latent groups: small values "
        "give units that follow one group, large ones mixed units.",
    )
    invalid_share: float = Field(
        0.02, ge=0, lt=0.5, description="Share of trials broken off, marked and shown again."
    )
    noise: ITNoiseOptions = Field(ITNoiseOptions(), description="Trial-to-trial variability.")

    @model_validator(mode="after")
    def _check_latency(self) -> SimulatedITOptions:
        if self.latency_s > self.stimulus_on_s + self.stimulus_off_s:
            raise ValueError("latency_s must not be longer than one stimulus and its blank")
        return self
