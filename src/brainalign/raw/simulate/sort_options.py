"""Options of simulated recordings that start at a sorter's folder or at electrodes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from brainalign.options import Options
from brainalign.raw.simulate.options import SubjectName
from brainalign.sorting.electrode_plan import ElectrodePlan


class SimulatedITSortsOptions(Options):
    """Two IT sessions per animal: a Phy folder, and a short raw recording."""

    seed: int = Field(0, ge=0, description="Seed of tuning, order, spikes and electrodes.")
    subjects: dict[SubjectName, Annotated[int, Field(ge=1)]] = Field(
        {"monkey-c": 10},
        min_length=1,
        description="Number of cells near the electrodes of each animal.",
    )
    n_stimuli: int = Field(
        40, ge=2, description="Objects of the world that the session of the Phy folder shows."
    )
    n_array_stimuli: int = Field(
        14, ge=2, description="The first of them, which the raw recording shows as well."
    )
    repeats: int = Field(8, ge=1, description="Presentations of each stimulus in the Phy session.")
    array_repeats: int = Field(10, ge=1, description="The same in the raw recording.")
    electrodes: ElectrodePlan = Field(
        ElectrodePlan(), description="Contacts and noise of the raw recording."
    )

    @model_validator(mode="after")
    def _check_stimuli(self) -> SimulatedITSortsOptions:
        if self.n_array_stimuli > self.n_stimuli:
            raise ValueError("n_array_stimuli must not exceed n_stimuli")
        return self


class SimulatedRetinaArrayOptions(Options):
    """A short raw recording of retinal cells that watch the world's movies."""

    seed: int = Field(0, ge=0, description="Seed of cells, spikes and electrodes.")
    subjects: dict[SubjectName, Annotated[int, Field(ge=1)]] = Field(
        {"retina-a": 12}, min_length=1, description="Number of cells of each retina."
    )
    electrodes: ElectrodePlan = Field(
        ElectrodePlan(n_columns=4, n_rows=6, duration_s=24.0),
        description="Contacts and noise; the duration is that of the recording.",
    )
    baseline_hz: float = Field(8.0, gt=0, description="Rate of a cell that sees its mean, in Hz.")
    contrast_gain: float = Field(
        0.6, ge=0, description="Log rate per SD of the light in the cell's receptive field."
    )
    field_sd: float = Field(
        0.06, gt=0, le=0.5, description="SD of the Gaussian receptive field in image widths."
    )
    lag_s: float = Field(0.05, ge=0, description="Delay from light to spikes in s.")
