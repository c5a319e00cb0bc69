"""Options of the simulated retina."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from brainalign.options import Options
from brainalign.raw.simulate.options import SubjectName


class SimulatedRetinaOptions(Options):
    """Spike trains of ganglion cells that watch white noise and the world's movies."""

    seed: int = Field(0, ge=0, description="Seed of cells, noise and spikes; not of the movies.")
    subjects: dict[SubjectName, Annotated[int, Field(ge=4)]] = Field(
        {"retina-a": 36},
        min_length=1,
        description="Number of cells of each retina; a quarter of them of each type.",
    )
    movie_repeats: int = Field(12, ge=2, description="Trials of each movie of the world.")
    noise_duration_s: float = Field(
        150.0, ge=0, description="Length of the white noise for receptive fields; 0: none."
    )
    noise_checks: int = Field(24, ge=4, description="White-noise checks along each side.")
    pause_s: float = Field(1.0, ge=0.1, description="Grey screen between two trials in seconds.")
    mean_rate_hz: float = Field(
        7.0, gt=0, description="Median over cells of the mean rate in the world's movies, in Hz."
    )
    rate_spread: float = Field(
        0.4, ge=0, description="Standard deviation over cells of that rate's logarithm."
    )
    smallest_radius: float = Field(
        0.045, gt=0, description="Smallest planted radius (SD of the centre) in frame widths."
    )
    largest_radius: float = Field(
        0.08, gt=0, lt=0.3, description="Largest planted radius in frame widths."
    )
    surround_strength: float = Field(
        0.6, ge=0, le=1, description="Weight of the surround relative to the centre."
    )
    gain_spread: float = Field(
        0.1,
        ge=0,
        description="Standard deviation of a cell's log gain from trial to trial, beyond Poisson.",
    )
    refractory_ms: float = Field(
        2.0, ge=0, description="After a spike a cell is silent for this long, in ms."
    )
    trigger_jitter_ms: float = Field(
        0.2, ge=0, description="Standard deviation of the frame triggers' times in ms."
    )
    missing_trigger_share: float = Field(
        0.0008, ge=0, lt=0.1, description="Share of frame triggers that the recording lacks."
    )
    double_trigger_share: float = Field(
        0.0005, ge=0, lt=0.1, description="Share of frame triggers that come twice."
    )
