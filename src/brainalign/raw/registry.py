"""The table of data sets: kind of options → reader of the raw files."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from brainalign.errors import InputError
from brainalign.options import suggest_name
from brainalign.raw.fmri_options import (
    BIDSDataset,
    BIDSMoviesDataset,
    FMRIVolumeOptions,
    SimulatedFMRIDataset,
    SimulatedFMRIMovieDataset,
)
from brainalign.raw.options import (
    NWBDataset,
    NWBMoviesDataset,
    RecordedDataset,
    SimulatedITDataset,
    SimulatedRetinaDataset,
)

READERS = {
    "nwb": "brainalign.raw.nwb_dataset:NWBFolder",
    "simulated_it": "brainalign.raw.nwb_dataset:NWBFolder",
    "onken2016_salamander": "brainalign.raw.onken2016:Onken2016Salamander",
    "majajhong2015": "brainalign.raw.majajhong2015:MajajHong2015",
    "nwb_movies": "brainalign.raw.nwb_movies:NWBMovieFolder",
    "simulated_retina": "brainalign.raw.nwb_movies:NWBMovieFolder",
    "onken2016_movies": "brainalign.raw.onken2016_movies:Onken2016Movies",
    "simulated_fmri": "brainalign.raw.bids.dataset:BIDSFolder",
    "bids": "brainalign.raw.bids.dataset:BIDSFolder",
    "nsd": "brainalign.raw.published.nsd:NaturalScenes",
    "hcp_movies": "brainalign.raw.published.hcp_movies:HCPMovies",
    "simulated_fmri_movies": "brainalign.raw.bids.movies:BIDSMovieFolder",
    "bids_movies": "brainalign.raw.bids.movies:BIDSMovieFolder",
    "cc2017": "brainalign.raw.cc2017:CC2017Folder",
    "spike_sorts": "brainalign.raw.sorted_dataset:open_sorted_dataset",
    "movie_sorts": "brainalign.raw.sorted_dataset:open_sorted_dataset",
    "simulated_it_sorts": "brainalign.raw.sorted_dataset:open_sorted_dataset",
    "simulated_retina_array": "brainalign.raw.sorted_dataset:open_sorted_dataset",
}

SIMULATORS = {
    "simulated_it": "brainalign.raw.simulate.it_recording:write_it_recording",
    "simulated_retina": "brainalign.raw.simulate.retina_recording:write_retina_recording",
    "simulated_fmri": "brainalign.raw.simulate.fmri_recording:write_fmri_recording",
    "simulated_fmri_movies": (
        "brainalign.raw.simulate.fmri_movie_recording:write_fmri_movie_recording"
    ),
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
    options: RecordedDataset,
    recording: Path | None = None,
    world: Path | None = None,
    *,
    listing: Path | None = None,
    preprocessed: Path | None = None,
) -> Any:
    """Open the raw files of a data set.

    Parameters
    ----------
    options : RecordedDataset
        Options of the data set; ``kind`` chooses the reader.
    recording, world : Path, optional
        For simulated recordings: the published folders of the recording and of the world.
    listing, preprocessed : Path, optional
        For volumes: the published listing of the files, and derivatives of one subject.

    Returns
    -------
    dataset : RawDataset or RawMovieDataset
        By the design of the data set.

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
    if options.is_simulated and recording is None:
        raise InputError(
            "a simulated recording needs its folder",
            remedy="Give --recording (and --world for stimuli), or run snakemake.",
        )
    if isinstance(options, SimulatedITDataset):
        return reader(_read_as_lab_files(options, recording, world))
    if isinstance(options, SimulatedRetinaDataset):
        return reader(_read_as_lab_movies(options, recording, world))
    if isinstance(options, SimulatedFMRIDataset):
        options = _read_as_bids(options, recording, world)
    if isinstance(options, SimulatedFMRIMovieDataset):
        options = _read_as_bids_movies(options, recording)
    if isinstance(options, FMRIVolumeOptions):
        return reader(options, listing, preprocessed)
    return reader(options)


def _read_as_bids(
    options: SimulatedFMRIDataset, recording: Path | None, world: Path | None
) -> BIDSDataset:
    return BIDSDataset(
        kind="bids",
        folder=str(recording),
        stimuli_table=None if world is None else str(world / "stimuli.tsv"),
        preprocessing=options.preprocessing,
        events=options.events,
        tr_s=options.tr_s,
        max_volume_gb=options.max_volume_gb,
        stimuli=options.stimuli,
        responses=options.responses,
    )


def _read_as_bids_movies(
    options: SimulatedFMRIMovieDataset, recording: Path | None
) -> BIDSMoviesDataset:
    return BIDSMoviesDataset(
        kind="bids_movies",
        folder=str(recording),
        preprocessing=options.preprocessing,
        events=options.events,
        tr_s=options.tr_s,
        max_volume_gb=options.max_volume_gb,
        stimuli=options.stimuli,
        responses=options.responses,
    )


def _read_as_lab_files(
    options: SimulatedITDataset, recording: Path | None, world: Path | None
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


def _read_as_lab_movies(
    options: SimulatedRetinaDataset, recording: Path | None, world: Path | None
) -> NWBMoviesDataset:
    if recording is None or world is None:
        raise InputError(
            "a simulated recording of movies needs its folder and the world's",
            remedy="Give --recording and --world, or run snakemake.",
        )
    return NWBMoviesDataset(
        kind="nwb_movies",
        folder=str(recording),
        movie_tables=[str(world / "movies.tsv"), str(recording / "movies.tsv")],
        stimuli=options.stimuli,
        responses=options.responses,
        unit_column="unit_name",
        area_column="location",
    )
