"""Read units, trials and images from NWB files, refusing what would be silently wrong."""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import pandas as pd
from pynwb import NWBHDF5IO, NWBFile

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.recording import SpikeSession

# The id must end where the name goes on: "sub-a.b" is not subject "a".
_SUBJECT = re.compile(r"sub[-_]([A-Za-z0-9-]+)(?=_|\.nwb$)")
_SESSION = re.compile(r"ses[-_]([A-Za-z0-9-]+)")


def find_nwb_files(folder: Path) -> dict[str, list[Path]]:
    """Find NWB files below a folder by subject.

    Parameters
    ----------
    folder : Path
        Holds files whose names contain ``sub-<subject>``, as DANDI lays them out.

    Returns
    -------
    files : dict of str to list of Path
        Sorted files by subject id; ids are text.

    Raises
    ------
    InputError
        If there is no NWB file, or a name without a subject.
    """
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.nwb")):
        match = _SUBJECT.search(path.name)
        if match is None:
            raise InputError(
                "the name tells no subject",
                where=path,
                expected="sub-<subject>_ses-<session>….nwb",
                remedy="Rename the file as DANDI does.",
            )
        files.setdefault(match.group(1), []).append(path)
    if not files:
        raise InputError("no NWB file below this folder", where=folder)
    return files


@contextlib.contextmanager
def open_nwb(path: Path) -> Iterator[NWBFile]:
    """Open one NWB file for reading.

    Raises
    ------
    InputError
        If it does not exist.
    CorruptDataError
        If it is damaged or no NWB file.
    """
    if not path.exists():
        raise InputError("no such NWB file", where=path)
    with warnings.catch_warnings():
        # Files in the wild carry cached name spaces of older versions; pynwb reads them well.
        warnings.simplefilter("ignore")
        try:
            with NWBHDF5IO(str(path), "r", load_namespaces=True) as stream:
                yield stream.read()
        except BrainalignError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise CorruptDataError(
                "cannot be read as NWB",
                where=path,
                found=f"{type(error).__name__}: {error}",
                remedy="Check the file with nwbinspector, or download it again.",
            ) from error


def read_session_id(nwb: NWBFile, path: Path) -> str:
    """Read the id of a session: the file's own, else that of its name, else its identifier."""
    if nwb.session_id:
        return str(nwb.session_id)
    match = _SESSION.search(path.name)
    return match.group(1) if match else str(nwb.identifier)


def read_spike_times(
    nwb: NWBFile, where: str, unsorted_spikes: Literal["refuse", "sort"] = "refuse"
) -> list[np.ndarray]:
    """Read the spike times of all units in one pass.

    Parameters
    ----------
    nwb : pynwb.NWBFile
        An open file.
    where : str
        Its name, for messages.
    unsorted_spikes : {"refuse", "sort"}
        What to do with times that are out of order.

    Returns
    -------
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s.

    Raises
    ------
    InputError
        If there is no units table, or one without spike times.
    CorruptDataError
        If times are NaN, negative or unsorted, or the ragged index points past its data: binary
        search in such times is silently wrong.
    """
    if nwb.units is None:
        raise InputError(
            "has no units table",
            where=where,
            remedy="Sort the recording first, or point to the sorted file.",
        )
    if "spike_times" not in nwb.units.colnames:
        raise InputError(
            "the units table has no spike_times",
            where=where,
            found=", ".join(nwb.units.colnames),
        )
    index = nwb.units.spike_times_index
    ends = np.asarray(index.data[:], dtype=np.int64)
    times = np.asarray(index.target.data[:], dtype=np.float64)
    if len(ends) and (np.any(np.diff(ends) < 0) or ends[-1] > len(times) or ends[0] < 0):
        raise CorruptDataError(
            "the ragged index of spike_times does not fit its data",
            where=where,
            expected=f"ascending ends of at most {len(times)}",
            found=f"last end {ends[-1]}",
            remedy="Write the units table again.",
        )
    spike_times = np.split(times, ends[:-1]) if len(ends) else []
    if len(ends):
        spike_times[-1] = times[ends[-2] if len(ends) > 1 else 0 : ends[-1]]
    if unsorted_spikes == "sort":
        spike_times = [np.sort(unit_times) for unit_times in spike_times]
    for position, unit_times in enumerate(spike_times):
        _check_spike_times(unit_times, f"{where} unit row {position}")
    return spike_times


def _check_spike_times(times: np.ndarray, where: str) -> None:
    finite = np.isfinite(times)
    if not finite.all():
        raise CorruptDataError(
            f"{int((~finite).sum())} of {len(times)} spike times are not finite",
            where=where,
            remedy="Remove them in the sorter's export; they belong to no moment.",
        )
    if len(times) and times.min() < 0:
        raise CorruptDataError(
            f"{int((times < 0).sum())} spike times are negative",
            where=where,
            expected="seconds from the start of the session",
            found=f"{times.min():.4f} s",
            remedy="Shift the clock so that the session starts at 0 s.",
        )
    descents = np.flatnonzero(np.diff(times) < 0)
    if len(descents):
        raise CorruptDataError(
            "spike times are unsorted",
            where=where,
            expected="ascending seconds",
            found=f"{times[descents[0]]:.4f} s before {times[descents[0] + 1]:.4f} s",
            remedy="Find out whether two units were joined, then set unsorted_spikes: sort.",
        )


def read_units(
    nwb: NWBFile, session: str, unit_column: str | None, area_column: str | None, where: str
) -> pd.DataFrame:
    """Read what is known of each unit but its spikes.

    Returns
    -------
    units : pandas.DataFrame
        Indexed by unit id: the text of `unit_column`, or ``<session>-<row>``; column ``area``.

    Raises
    ------
    InputError
        If a named column does not exist or unit ids repeat within the session.
    """
    table = nwb.units
    for column in (unit_column, area_column):
        if column is not None and column not in table.colnames:
            raise InputError(
                f"the units table has no column '{column}'",
                where=where,
                remedy=suggest_name(column, table.colnames),
            )
    n_units = len(table)
    if unit_column is None:
        ids = [f"{session}-{row:03d}" for row in range(n_units)]
    else:
        ids = [str(value) for value in table[unit_column].data[:]]
    repeated = pd.Index(ids)[pd.Index(ids).duplicated()]
    if len(repeated):
        raise InputError(f"unit id '{repeated[0]}' stands twice in '{unit_column}'", where=where)
    units = pd.DataFrame({"area": _read_areas(nwb, area_column, n_units)}, index=ids)
    units.index.name = "unit"
    return units


def _read_areas(nwb: NWBFile, area_column: str | None, n_units: int) -> list[str]:
    if area_column is not None:
        return [str(value) for value in nwb.units[area_column].data[:]]
    if "electrodes" not in nwb.units.colnames or nwb.electrodes is None:
        return ["unknown"] * n_units
    if "location" not in nwb.electrodes.colnames:
        return ["unknown"] * n_units
    locations = [str(value) for value in nwb.electrodes["location"].data[:]]
    index = nwb.units["electrodes"]
    ends = [0, *(int(end) for end in index.data[:])]
    rows = index.target.data[:]
    return [
        locations[int(rows[start])] if stop > start else "unknown"
        for start, stop in itertools.pairwise(ends)
    ]


def read_presentations(
    nwb: NWBFile,
    stimulus_columns: list[str],
    onset_column: str,
    valid_column: str | None,
    where: str,
) -> pd.DataFrame:
    """Read which stimulus came on when.

    Returns
    -------
    presentations : pandas.DataFrame
        ``stimulus`` (text) and ``onset_s``, one row per valid trial, in order of the table.

    Raises
    ------
    InputError
        If there is no trials table or a named column is missing.
    CorruptDataError
        If an onset is not finite.
    """
    if nwb.trials is None:
        raise InputError("has no trials table", where=where, remedy="Add one with the onsets.")
    known = nwb.trials.colnames
    wanted = [*stimulus_columns, onset_column, *([valid_column] if valid_column else [])]
    for column in wanted:
        if column not in known:
            raise InputError(
                f"the trials table has no column '{column}'",
                where=where,
                remedy=f"Set stimulus_columns and onset_column. {suggest_name(column, known)}",
            )
    parts = [[str(value) for value in nwb.trials[name].data[:]] for name in stimulus_columns]
    presentations = pd.DataFrame(
        {
            "stimulus": ["_".join(words) for words in zip(*parts, strict=True)],
            "onset_s": np.asarray(nwb.trials[onset_column].data[:], dtype=np.float64),
        }
    )
    if valid_column:
        keep = np.asarray(nwb.trials[valid_column].data[:], dtype=bool)
        presentations = presentations[keep].reset_index(drop=True)
    missing = np.flatnonzero(~np.isfinite(presentations["onset_s"].to_numpy()))
    if len(missing):
        raise CorruptDataError(
            f"{len(missing)} stimulus onsets are not finite",
            where=f"{where} trials row {missing[0]} column {onset_column}",
            remedy="Mark such trials in a column and name it as valid_column.",
        )
    return presentations


def read_session(
    path: Path,
    *,
    stimulus_columns: list[str],
    onset_column: str,
    valid_column: str | None = None,
    unit_column: str | None = None,
    area_column: str | None = None,
    unsorted_spikes: Literal["refuse", "sort"] = "refuse",
) -> SpikeSession:
    """Read units, spikes and presentations of one NWB file.

    Parameters
    ----------
    path : Path
        The NWB file.
    stimulus_columns, onset_column, valid_column
        Columns of the trials table, see :func:`read_presentations`.
    unit_column, area_column
        Columns of the units table, see :func:`read_units`.
    unsorted_spikes : {"refuse", "sort"}
        See :func:`read_spike_times`.

    Raises
    ------
    InputError, CorruptDataError
        As the functions that it calls.
    """
    with open_nwb(path) as nwb:
        session = read_session_id(nwb, path)
        spike_times = read_spike_times(nwb, path.name, unsorted_spikes)
        units = read_units(nwb, session, unit_column, area_column, path.name)
        presentations = read_presentations(
            nwb, stimulus_columns, onset_column, valid_column, path.name
        )
    return SpikeSession(session, units, spike_times, presentations, path.name)


def find_image_datasets(path: Path) -> dict[str, str]:
    """Find the stimulus images of an NWB file without reading their pixels.

    Returns
    -------
    places : dict of str to str
        Path inside the HDF5 file by image name, which is the stimulus id. Pixels are stored rows
        first: (y, x), (y, x, 3) or (y, x, 4).

    Raises
    ------
    CorruptDataError
        If the file is no HDF5.
    """
    places: dict[str, str] = {}

    def collect(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset) and item.attrs.get("neurodata_type") in (
            "GrayscaleImage",
            "RGBImage",
            "RGBAImage",
        ):
            places[name.rsplit("/", 1)[-1]] = f"/stimulus/{name}"

    try:
        with h5py.File(path, "r") as file:
            if "stimulus" in file:
                file["stimulus"].visititems(collect)
    except OSError as error:
        raise CorruptDataError("cannot be read as HDF5", where=path, found=str(error)) from error
    return places
