"""Sorted and curated units as a data set: the NWB files that the sorting stage publishes."""

from __future__ import annotations

from pathlib import Path

from brainalign.errors import InputError
from brainalign.raw.nwb_dataset import NWBFolder
from brainalign.raw.options import (
    NWBDataset,
    SimulatedITSortsDataset,
    SimulatedRetinaArrayDataset,
    SpikeSortsDataset,
)
from brainalign.raw.recording import RawDataset
from brainalign.raw.unsorted_sessions import UnsortedSessions

SortedDataset = SpikeSortsDataset | SimulatedITSortsDataset | SimulatedRetinaArrayDataset


def open_sorted_dataset(
    options: SortedDataset, sorted_folder: Path | None, world: Path | None
) -> RawDataset:
    """Open the units that were sorted, or, before sorting, what is known of the sessions.

    Parameters
    ----------
    options : SpikeSortsDataset or a simulated kind
        Options of the data set.
    sorted_folder : Path or None
        What ``brainalign sort`` published; None before the run, when only checks are possible.
    world : Path or None
        Folder of the simulated world, for its stimulus table.

    Raises
    ------
    InputError
        If nothing is sorted and the data set is simulated, or has a design of movies.
    """
    if sorted_folder is None:
        if isinstance(options, SpikeSortsDataset):
            return UnsortedSessions(options)
        raise InputError(
            "a simulated recording needs its folder",
            remedy="Give --recording (and --world for stimuli), or run snakemake.",
        )
    if isinstance(options, SimulatedRetinaArrayDataset):
        raise InputError("a recording of movies has no image responses", found=options.kind)
    table = str(world / "stimuli.tsv") if world is not None else None
    if isinstance(options, SpikeSortsDataset):
        table = options.stimuli_table
    return NWBFolder(
        NWBDataset(
            kind="nwb",
            folder=str(sorted_folder),
            stimuli_table=table,
            stimuli=options.stimuli,
            responses=options.responses,
            stimulus_columns=["stimulus"],
            onset_column="start_time",
            unit_column="unit_name",
            area_column="location",
        )
    )
