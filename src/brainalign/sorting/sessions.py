"""One session from its folder to curated units, and what several sessions must agree on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.sorting.clock import check_clock, estimate_duration
from brainalign.sorting.curation import curate
from brainalign.sorting.events import check_known_stimuli, read_events, read_frame_triggers
from brainalign.sorting.metrics import find_main_channel
from brainalign.sorting.options import SortingOptions, SortSessionOptions
from brainalign.sorting.places import expand_path
from brainalign.sorting.recordings import open_recording, prepare_recording
from brainalign.sorting.sorters import run_sorter
from brainalign.sorting.sorts import is_sort, read_sort
from brainalign.sorting.truth import compare_with_truth
from brainalign.sorting.units import FoundUnits


@dataclass(frozen=True)
class CuratedSession:
    """What one session gives.

    Parameters
    ----------
    options : SortSessionOptions
        Which session it is.
    found : FoundUnits
        All units of the sorter.
    curated : pandas.DataFrame
        Metrics and decision per unit, with the lasting ``unit_name``.
    events : pandas.DataFrame
        What was shown.
    duration_s : float
        Length of the recording.
    frame_triggers : array of shape (n_pulses,) or None
        In s.
    truth : pandas.DataFrame or None
        Comparison with planted cells.
    sorting_s : float
        CPU seconds of reading, or preprocessing and sorting.
    """

    options: SortSessionOptions
    found: FoundUnits
    curated: pd.DataFrame
    events: pd.DataFrame
    duration_s: float
    frame_triggers: np.ndarray | None
    truth: pd.DataFrame | None
    sorting_s: float


def curate_session(
    session: SortSessionOptions,
    options: SortingOptions,
    places: Mapping[str, Path],
    stimulus_column: str,
    known_stimuli: set[str] | None,
) -> CuratedSession:
    """Sort a recording, or read a sort, and choose its units.

    Parameters
    ----------
    session : SortSessionOptions
        The session.
    options : SortingOptions
        Preprocessing, sorter and thresholds.
    places : mapping of str to Path
        Variables in paths, see :func:`brainalign.sorting.places.expand_path`.
    stimulus_column : str
        ``stimulus`` or ``movie``: the name of the ids in the trials.
    known_stimuli : set of str or None
        Ids that events may have; None: any.

    Raises
    ------
    InputError, CorruptDataError
        If a file is missing, damaged or does not fit the others.
    """
    where = f"sub-{session.subject} ses-{session.session}"
    path = expand_path(session.folder, places, f"{where} folder")
    clock = time.process_time()
    found = _find_units(session, options, path, places)
    sorting_s = time.process_time() - clock
    rate = _choose_rate(session, found, where)
    event_path = expand_path(session.events, places, f"{where} events")
    column = session.stimulus_column or stimulus_column
    events = read_events(
        event_path, session.onset_column, column, session.duration_column, rate
    ).rename(columns={column: stimulus_column})
    if known_stimuli is not None:
        events = check_known_stimuli(
            events, stimulus_column, known_stimuli, options.unknown_stimuli, event_path
        )
    onset, stop = (events[name].to_numpy() for name in ("start_time", "stop_time"))
    check_clock(found.spike_times, found.unit, found.duration_s, onset, str(path))
    duration = found.duration_s or estimate_duration(found.spike_times, onset, stop)
    curated = curate(found, duration, options.curation)
    prefix = "" if options.unit_identity == "subject" else f"{session.session}-"
    curated.insert(0, "unit_name", [f"{prefix}{name}" for name in found.unit])
    _check_unit_ids(curated, where)
    triggers = None
    if session.frame_triggers is not None:
        triggers = read_frame_triggers(
            expand_path(session.frame_triggers, places, f"{where} frame_triggers"), rate
        )
    truth = None
    if session.truth is not None and found.sampling_rate_hz is not None:
        kept = np.flatnonzero(curated["kept"])
        truth = compare_with_truth(
            expand_path(session.truth, places, f"{where} truth"),
            [str(curated["unit_name"].iloc[row]) for row in kept],
            [found.spike_times[row] for row in kept],
            found.sampling_rate_hz,
        )
    return CuratedSession(session, found, curated, events, duration, triggers, truth, sorting_s)


def check_sessions(sessions: Iterable[SortSessionOptions]) -> None:
    """Refuse two sessions of one animal with the same id.

    Raises
    ------
    InputError
        If a pair of subject and session stands twice.
    """
    seen: dict[tuple[str, str], str] = {}
    for session in sessions:
        key = (session.subject, session.session)
        if key in seen:
            raise InputError(
                f"session '{session.session}' of subject '{session.subject}' stands twice",
                where="sessions",
                found=f"{seen[key]} and {session.folder}",
                remedy="Give each session its own id.",
            )
        seen[key] = session.folder


def check_shared_units(curated: Iterable[CuratedSession], options: SortingOptions) -> None:
    """Check that equal ids in the sessions of one animal can be the same unit.

    Raises
    ------
    InputError
        If a unit has another area, or lies far from where it lay in an earlier session.
    """
    if options.unit_identity != "subject":
        return
    seen: dict[tuple[str, str], tuple[str, str, np.ndarray | None]] = {}
    for one in curated:
        places = _locate_units(one.found)
        for row, name in enumerate(one.curated["unit_name"]):
            if not one.curated["kept"].iloc[row]:
                continue
            place = None if places is None else places[row]
            key = (one.options.subject, str(name))
            if key not in seen:
                seen[key] = (one.options.session, one.options.area, place)
                continue
            session, area, earlier = seen[key]
            where = f"sub-{one.options.subject} ses-{one.options.session} unit {name}"
            later = (one.options.area, place)
            _compare_places(where, session, (area, earlier), later, options.max_unit_shift_um)


def summarise(one: CuratedSession) -> dict[str, Any]:
    """Describe a session in numbers, as JSON values."""
    summary: dict[str, Any] = {
        "subject": one.options.subject,
        "session": one.options.session,
        "format": one.options.format,
        "sorter": one.found.sorter,
        "duration_s": round(one.duration_s, 3),
        "n_channels": 0 if one.found.channel_um is None else len(one.found.channel_um),
        "bad_channels": one.found.bad_channels,
        "n_units_found": len(one.curated),
        "n_units_kept": int(one.curated["kept"].sum()),
        "n_events": len(one.events),
        "sorting_cpu_s": round(one.sorting_s, 2),
    }
    if one.truth is not None:
        isolated = one.truth[one.truth["is_well_isolated"]]
        summary["truth"] = {
            "n_cells": len(one.truth),
            "n_well_isolated": len(isolated),
            "median_accuracy_well_isolated": float(isolated["accuracy"].median()),
            "mean_accuracy_well_isolated": float(isolated["accuracy"].mean()),
        }
    return summary


def _find_units(
    session: SortSessionOptions, options: SortingOptions, path: Path, places: Mapping[str, Path]
) -> FoundUnits:
    if is_sort(session.format):
        return read_sort(session, path)
    probe = None
    if session.probe is not None:
        probe = expand_path(session.probe, places, f"sub-{session.subject} probe")
    recording = open_recording(session, path, probe)
    prepared = prepare_recording(recording, options.preprocessing, str(path))
    return run_sorter(prepared, options.sorter, options.seed, str(path))


def _choose_rate(session: SortSessionOptions, found: FoundUnits, where: str) -> float | None:
    if session.onset_unit == "s":
        return None
    rate = found.sampling_rate_hz or session.sampling_rate_hz
    if rate is None:
        raise InputError(
            "onsets are samples, but nothing tells the sampling rate",
            where=where,
            remedy="Set sampling_rate_hz of this session.",
        )
    return rate


def _check_unit_ids(curated: pd.DataFrame, where: str) -> None:
    repeated = curated["unit_name"][curated["unit_name"].duplicated()]
    if len(repeated):
        raise InputError(f"unit id '{repeated.iloc[0]}' stands twice", where=where)


def _locate_units(found: FoundUnits) -> np.ndarray | None:
    if found.waveform is None or found.channel_um is None or not len(found.waveform):
        return None
    return found.channel_um[find_main_channel(np.nan_to_num(found.waveform))]


def _compare_places(
    where: str,
    session: str,
    earlier: tuple[str, np.ndarray | None],
    later: tuple[str, np.ndarray | None],
    max_shift_um: float,
) -> None:
    remedy = "Ids repeat by chance: set sorting.unit_identity: session."
    if earlier[0] != later[0]:
        raise InputError(
            f"the same unit id has another area than in session {session}",
            where=where,
            expected=earlier[0],
            found=later[0],
            remedy=remedy,
        )
    if earlier[1] is None or later[1] is None:
        return
    shift = float(np.linalg.norm(earlier[1] - later[1]))
    if shift > max_shift_um:
        raise InputError(
            f"the same unit id lies elsewhere than in session {session}",
            where=where,
            expected=f"within {max_shift_um:g} um",
            found=f"{shift:.0f} um apart",
            remedy=remedy,
        )
