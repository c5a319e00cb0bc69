"""What one sorting job works on: options, sessions and known stimuli."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.options import DatasetOptions
from brainalign.raw.recording import expand_file
from brainalign.sorting.options import SortingOptions, SortSessionOptions
from brainalign.sorting.places import ELECTRODES, RECORDING

SESSIONS_FILE = "sessions.json"
"""In the folder of a simulated recording: its sessions, as a list of SortSessionOptions."""


@dataclass(frozen=True)
class SortingJob:
    """Everything that sorting one data set needs.

    Parameters
    ----------
    options : dict
        As the workflow passed them, for the provenance.
    sorting : SortingOptions
        How.
    sessions : list of SortSessionOptions
        What.
    stimulus_column : str
        ``stimulus`` or ``movie``.
    known_stimuli : set of str or None
        Ids of the stimulus table; None where there is none.
    places : dict of str to Path
        Variables in the sessions' paths.
    inputs : dict of str to Path
        Published folders that were read, for the provenance.
    """

    options: dict[str, Any]
    sorting: SortingOptions
    sessions: list[SortSessionOptions]
    stimulus_column: str
    known_stimuli: set[str] | None
    places: dict[str, Path]
    inputs: dict[str, Path]


def read_sorting_job(text: str, folders: dict[str, Path]) -> SortingJob:
    """Check the options of a sorting job.

    Parameters
    ----------
    text : str
        JSON with the key ``dataset``.
    folders : dict of str to Path
        ``recording``, ``electrodes`` and ``world`` of simulated recordings.

    Raises
    ------
    InputError
        If the options are wrong or of a data set that is not sorted.
    """
    try:
        options = json.loads(text)
        dataset: Any = TypeAdapter(DatasetOptions).validate_python(options["dataset"])
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(name) for name in problem["loc"])
        message = str(problem["msg"]).removeprefix("Value error, ")
        raise InputError(message, where=f"--options dataset.{place}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("--options is no JSON object with 'dataset'", found=str(error)) from error
    if not dataset.is_sorted:
        raise InputError(
            f"data sets of kind '{dataset.kind}' are not sorted here",
            remedy="Use kind: spike_sorts, or movie_sorts for movies.",
        )
    places = {
        name: folders[role].resolve()
        for name, role in ((RECORDING, "recording"), (ELECTRODES, "electrodes"))
        if role in folders
    }
    sessions = _read_sessions(folders) if dataset.is_simulated else list(dataset.sessions)
    column = "movie" if dataset.design == "movies" else "stimulus"
    return SortingJob(
        options=options,
        sorting=dataset.sorting,
        sessions=sessions,
        stimulus_column=column,
        known_stimuli=_list_known(dataset, folders.get("world"), column),
        places=places,
        inputs=dict(folders),
    )


def _read_sessions(folders: dict[str, Path]) -> list[SortSessionOptions]:
    if "recording" not in folders:
        raise InputError(
            "a simulated recording needs its folder", remedy="Give --recording, or run snakemake."
        )
    path = folders["recording"] / SESSIONS_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return [SortSessionOptions(**entry) for entry in content]
    except (OSError, ValueError, TypeError) as error:
        raise CorruptDataError("cannot be read", where=path, found=str(error)) from error


def _list_known(dataset: Any, world: Path | None, column: str) -> set[str] | None:
    if column == "movie":
        tables = [
            expand_file(text, "movie_tables") for text in getattr(dataset, "movie_tables", ())
        ]
        if world is not None:
            tables.append(world / "movies.tsv")
        return {name for path in tables for name in _read_ids(path, "movie")} or None
    if world is not None:
        return set(_read_ids(world / "stimuli.tsv", "stimulus"))
    table = getattr(dataset, "stimuli_table", None)
    if table is None:
        return None
    return set(_read_ids(expand_file(table, "stimuli_table"), "stimulus"))


def _read_ids(path: Path, column: str) -> list[str]:
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
        return table[column].tolist()
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"is no table with a column '{column}'", where=path, found=str(error)
        ) from error
