"""What simulated electrodes shall record (a light module; the simulation itself is not)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from brainalign.errors import CorruptDataError
from brainalign.options import Options

PLAN_FILE = "electrodes.json"
"""In the folder of a simulated recording: a list of :class:`PlannedRecording`."""


class ElectrodePlan(Options):
    """A grid of contacts and what is recorded with it."""

    n_columns: int = Field(2, description="Contacts along x.", ge=1)
    n_rows: int = Field(8, description="Contacts along y.", ge=1)
    pitch_um: float = Field(40.0, description="Distance of neighbouring contacts in um.", gt=0)
    sampling_rate_hz: float = Field(20_000.0, description="Samples per second.", gt=0)
    duration_s: float = Field(30.0, description="Length of the recording in s.", gt=0)
    noise_uv: float = Field(8.0, description="Standard deviation of the noise in uV.", gt=0)

    def place_contacts(self) -> np.ndarray:
        """Give the places of the contacts in um, shape (n_contacts, 2), column by column first."""
        y, x = np.mgrid[0 : self.n_rows, 0 : self.n_columns]
        return self.pitch_um * np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)


class PlannedRecording(Options):
    """One recording that the electrodes shall make."""

    name: str = Field(
        description="Folder of the recording below that of the electrodes, such as "
        "sub-retina/ses-01.",
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
    )
    spikes: str = Field(
        description="Planted spikes (npz: cell, n_spikes per cell, spike_time in s, cell after "
        "cell), relative to the folder of the simulated recording.",
        min_length=1,
    )
    plan: ElectrodePlan = Field(description="Contacts, duration and noise.")
    seed: int = Field(0, description="Seed of places, waveforms and noise.", ge=0)


REFRACTORY_S = 0.002
"""A neuron cannot fire again sooner; planted Poisson spikes can."""


def drop_impossible_spikes(times: np.ndarray, refractory_s: float = REFRACTORY_S) -> np.ndarray:
    """Leave out spikes within the refractory period of the one before that stays.

    Parameters
    ----------
    times : array of shape (n_spikes,)
        In s, ascending.
    refractory_s : float
        Shortest interval that stays, in s.
    """
    kept: list[float] = []
    for time in times.tolist():
        if not kept or time - kept[-1] >= refractory_s:
            kept.append(time)
    return np.array(kept, dtype=np.float64)


def write_planted_spikes(path: Path, cells: list[str], spike_times: list[np.ndarray]) -> None:
    """Write planted spikes for the electrodes.

    Parameters
    ----------
    path : Path
        An ``.npz`` file.
    cells : list of str
        Ids.
    spike_times : list of array of shape (n_spikes,)
        Per cell, in s from the start of the recording, ascending.
    """
    np.savez(
        path,
        cell=np.array(cells),
        n_spikes=np.array([len(times) for times in spike_times], dtype=np.int64),
        spike_time=np.concatenate([np.asarray(times, dtype=np.float64) for times in spike_times]),
    )


def read_planted_spikes(path: Path) -> tuple[list[str], list[np.ndarray]]:
    """Read what :func:`write_planted_spikes` wrote.

    Raises
    ------
    CorruptDataError
        If the file is no such archive.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            ends = np.cumsum(content["n_spikes"])
            return [str(name) for name in content["cell"]], np.split(
                content["spike_time"], ends[:-1]
            )
    except (OSError, ValueError, KeyError) as error:
        raise CorruptDataError("cannot be read", where=path, found=str(error)) from error


def write_electrode_plan(folder: Path, recordings: list[PlannedRecording]) -> None:
    """Write the plan of all recordings into the folder of a simulated recording."""
    content = [one.model_dump(mode="json") for one in recordings]
    (folder / PLAN_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_electrode_plan(folder: Path) -> list[PlannedRecording]:
    """Read the plan of a simulated recording.

    Raises
    ------
    CorruptDataError
        If it is missing or wrong.
    """
    path = folder / PLAN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [PlannedRecording.model_validate(entry) for entry in content]
    except (OSError, ValueError, TypeError, ValidationError) as error:
        raise CorruptDataError("cannot be read", where=path, found=str(error)) from error
