"""The table of data sets: kind of options → reader of the raw files."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from brainalign.errors import InputError
from brainalign.options import suggest_name
from brainalign.raw.options import (
    NWBDataset,
    RecordedDataset,
    SimulatedITDataset,
)

READERS = {
    "nwb": "brainalign.raw.nwb_dataset:NWBFolder",
    "simulated_it": "brainalign.raw.nwb_dataset:NWBFolder",
    "onken2016_salamander": "brainalign.raw.onken2016:Onken2016Salamander",
    "spike_sorts": "brainalign.raw.sorted_dataset:open_sorted_dataset",
    "simulated_it_sorts": "brainalign.raw.sorted_dataset:open_sorted_dataset",
    "simulated_retina_array": "brainalign.raw.sorted_dataset:open_sorted_dataset",
}

SIMULATORS = {
    "simulated_it": "brainalign.raw.simulate.it_recording:write_it_recording",
    "simulated_it_sorts": "brainalign.raw.simulate.it_sorts:write_it_sorts",
    "simulated_retina_array": "brainalign.raw.simulate.retina_array:write_retina_array",
}
"""Kind of simulated data set → what writes its raw files, given folder, world and options."""


def get_simulator(options: RecordedDataset) -> Callable[[Path, Path, Any], None]:
    """Import the function that writes the raw files of a simulated data set.

    Parameters
    ----------
    options : RecordedDataset
        Options of the data set; ``kind`` chooses the simulator.

    Raises
    ------
    InputError
        If the kind is not simulated.
    """
    kind = str(getattr(options, "kind", ""))
    if kind not in SIMULATORS:
        raise InputError(
            f"data sets of kind '{kind}' are not simulated", expected=" or ".join(SIMULATORS)
        )
    module, name = SIMULATORS[kind].split(":")
    return getattr(import_module(module), name)


def open_raw_dataset(
    options: RecordedDataset, recording: Path | None = None, world: Path | None = None
) -> Any:
    """Open the raw files of a data set.

    Parameters
    ----------
    options : RecordedDataset
        Options of the data set; ``kind`` chooses the reader.
    recording, world : Path, optional
        For simulated recordings: the published folders of the recording and of the world.

    Raises
    ------
    InputError
        If the kind has no reader, or a simulated recording has not been made.
    """
    kind = str(getattr(options, "kind", ""))
    if kind not in READERS:
        raise InputError(
            f"no reader for data sets of kind '{kind}'", remedy=suggest_name(kind, READERS)
        )
    module, name = READERS[kind].split(":")
    reader = getattr(import_module(module), name)
    if options.is_sorted:
        return reader(options, recording, world)
    if isinstance(options, SimulatedITDataset):
        if recording is None:
            raise InputError(
                "a simulated recording needs its folder",
                remedy="Give --recording (and --world for stimuli), or run snakemake.",
            )
        return reader(_read_as_lab_files(options, recording, world))
    return reader(options)


def _read_as_lab_files(
    options: SimulatedITDataset, recording: Path, world: Path | None
) -> NWBDataset:
    return NWBDataset(
        kind="nwb",
        folder=str(recording),
        stimuli_table=None if world is None else str(world / "stimuli.tsv"),
        stimuli=options.stimuli,
        responses=options.responses,
        stimulus_columns=["stimulus"],
        onset_column="photodiode_onset",
        valid_column="valid",
        unit_column="unit_name",
    )
