"""Sorted and curated units as a data set: the NWB files that the sorting stage publishes."""

from __future__ import annotations

from pathlib import Path

from brainalign.errors import InputError
from brainalign.raw.movies import RawMovieDataset
from brainalign.raw.nwb_dataset import NWBFolder
from brainalign.raw.nwb_movies import NWBMovieFolder
from brainalign.raw.options import (
    MovieSortsDataset,
    NWBDataset,
    NWBMoviesDataset,
    SimulatedITSortsDataset,
    SimulatedRetinaArrayDataset,
    SpikeSortsDataset,
)
from brainalign.raw.recording import RawDataset
from brainalign.raw.unsorted_sessions import UnsortedMovies, UnsortedSessions

SortedDataset = (
    SpikeSortsDataset | MovieSortsDataset | SimulatedITSortsDataset | SimulatedRetinaArrayDataset
)


def open_sorted_dataset(
    options: SortedDataset, sorted_folder: Path | None, world: Path | None
) -> RawDataset | RawMovieDataset:
    """Open the units that were sorted, or, before sorting, what is known of the sessions.

    Parameters
    ----------
    options : SpikeSortsDataset, MovieSortsDataset or a simulated kind
        Options of the data set.
    sorted_folder : Path or None
        What ``brainalign sort`` published; None before the run, when only checks are possible.
    world : Path or None
        Folder of the simulated world, for its stimulus table.

    Raises
    ------
    InputError
        If nothing is sorted and the data set is simulated, or its recording ends with sorted units.
    """
    if sorted_folder is None:
        if isinstance(options, SpikeSortsDataset):
            return UnsortedSessions(options)
        if isinstance(options, MovieSortsDataset):
            return UnsortedMovies(options)
        raise InputError(
            "a simulated recording needs its folder",
            remedy="Give --recording (and --world for stimuli), or run snakemake.",
        )
    if isinstance(options, SimulatedRetinaArrayDataset):
        raise InputError("a recording of movies has no image responses", found=options.kind)
    if isinstance(options, MovieSortsDataset):
        return NWBMovieFolder(
            NWBMoviesDataset(
                kind="nwb_movies",
                folder=str(sorted_folder),
                movie_tables=options.movie_tables,
                stimuli=options.stimuli,
                responses=options.responses,
                frame_triggers="frame_triggers" if options.has_triggers else None,
                unit_column="unit_name",
                area_column="location",
            )
        )
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
