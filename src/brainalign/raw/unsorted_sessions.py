"""Sessions that are not sorted yet: what can be checked without SpikeInterface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.raw.movie_files import open_movie_tables
from brainalign.raw.movies import MovieCollection, MovieSession
from brainalign.raw.options import MovieSortsDataset, SpikeSortsDataset
from brainalign.raw.recording import SpikeSession, StimulusCollection, expand_file
from brainalign.raw.stimulus_table import open_stimulus_table
from brainalign.sorting.events import check_known_stimuli, read_events, read_frame_triggers
from brainalign.sorting.formats import TIME_FILES
from brainalign.sorting.options import SortSessionOptions
from brainalign.sorting.phy_folder import read_phy_folder
from brainalign.sorting.places import expand_path
from brainalign.sorting.time_files import list_time_files, read_times

# As for spikes in NWB files: milliseconds taken for seconds reach a thousand times as far.
_MAX_REACH = 10.0


class _Sessions(ABC):
    """Sorters' folders and raw recordings before the sorting stage.

    Parameters
    ----------
    options : SpikeSortsDataset or MovieSortsDataset
        Sessions and how they are sorted.
    """

    _column: str
    """Column of what was shown, where a session names no other."""
    _plural: str
    """What was shown, in a summary."""

    def __init__(self, options: SpikeSortsDataset | MovieSortsDataset) -> None:
        self._options = options

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""
        return self._options.list_sorted_subjects()

    @abstractmethod
    def _list_known(self) -> set[str] | None:
        """List the ids that may be shown; None where nothing tells."""

    def find_problems(self) -> list[BrainalignError]:
        """List missing files, unreadable events, wrong clocks and unknown stimuli."""
        known: set[str] | None = None
        problems: list[BrainalignError] = []
        try:
            known = self._list_known()
        except BrainalignError as error:
            problems.append(error)
        for session in self._options.sessions:
            problems += self._find_session_problems(session, known)
        seen: set[tuple[str, str]] = set()
        for session in self._options.sessions:
            if (session.subject, session.session) in seen:
                problems.append(
                    InputError(
                        "stands twice in sessions",
                        where=f"sub-{session.subject} ses-{session.session}",
                        remedy="Give every session of a subject its own id.",
                    )
                )
            seen.add((session.subject, session.session))
        return problems

    def summarise(self) -> str:
        """Say in a line what there is, after no problem was found; spikes are not sorted yet."""
        events = [
            self._read_events(session, _find_rate(session)) for session in self._options.sessions
        ]
        n_shown = len(set().union(*(table.iloc[:, 2] for table in events)))
        return (
            f"{len(self.list_subjects())} subjects, {len(events)} sessions to sort or read, "
            f"{sum(map(len, events))} presentations, {n_shown} {self._plural}"
        )

    def _find_session_problems(
        self, session: SortSessionOptions, known: set[str] | None
    ) -> list[BrainalignError]:
        where, problems = _locate(session), []
        last_spike_s: float | None = None
        rate: float | None = None

        def attempt(check: Callable[[], None]) -> None:
            try:
                check()
            except BrainalignError as error:
                problems.append(error)

        def check_recording() -> None:
            nonlocal last_spike_s, rate
            rate = session.sampling_rate_hz
            last_spike_s = _check_recording(session, where)
            rate = _find_rate(session)

        def check_events() -> None:
            events = self._read_events(session, rate)
            path = expand_path(session.events, {}, f"{where} events")
            attempt(lambda: _check_event_clock(events["start_time"], last_spike_s, path))
            attempt(lambda: self._check_stimuli(session, events, known, path))

        def check_triggers() -> None:
            if session.frame_triggers is not None:
                name = f"{where} frame_triggers"
                read_frame_triggers(expand_path(session.frame_triggers, {}, name))

        attempt(check_recording)
        attempt(check_events)
        attempt(check_triggers)
        return problems

    def _read_events(self, session: SortSessionOptions, rate: float | None) -> pd.DataFrame:
        is_samples = session.onset_unit == "samples"
        return read_events(
            expand_path(session.events, {}, f"{_locate(session)} events"),
            session.onset_column,
            session.stimulus_column or self._column,
            session.duration_column,
            rate if is_samples else None,
        )

    def _check_stimuli(
        self, session: SortSessionOptions, events: pd.DataFrame, known: set[str] | None, path: Path
    ) -> None:
        if known is not None:
            column = session.stimulus_column or self._column
            policy = self._options.sorting.unknown_stimuli
            check_known_stimuli(events, column, known, policy, path)


class UnsortedSessions(_Sessions):
    """Sessions of images before the sorting stage.

    Parameters
    ----------
    options : SpikeSortsDataset
        Sessions and how they are sorted.
    """

    _column, _plural = "stimulus", "stimuli"
    _options: SpikeSortsDataset

    def read_sessions(self, subject: str) -> Iterator[SpikeSession]:
        """Refuse: spikes come from the sorting stage.

        Raises
        ------
        InputError
            Always.
        """
        raise _refuse_unsorted(subject)

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the images of the stimulus table; None without a table."""
        if self._options.stimuli_table is None:
            return None
        return open_stimulus_table(
            expand_file(self._options.stimuli_table, "stimuli_table"),
            self._options.stimuli.max_pixels,
        )

    def _list_known(self) -> set[str] | None:
        collection = self.read_stimuli()
        return None if collection is None else set(collection.table.index)


class UnsortedMovies(_Sessions):
    """Sessions of movies before the sorting stage.

    Parameters
    ----------
    options : MovieSortsDataset
        Sessions, how they are sorted, and tables of movies.
    """

    _column, _plural = "movie", "movies"
    _options: MovieSortsDataset

    def read_movie_sessions(self, subject: str) -> Iterator[MovieSession]:
        """Refuse: spikes come from the sorting stage.

        Raises
        ------
        InputError
            Always.
        """
        raise _refuse_unsorted(subject)

    def read_movies(self) -> MovieCollection:
        """Describe the movies of the tables."""
        paths = [expand_file(path, "movie_tables") for path in self._options.movie_tables]
        return open_movie_tables(paths)

    def _list_known(self) -> set[str]:
        return set(self.read_movies().movies)


def _refuse_unsorted(subject: str) -> InputError:
    return InputError(
        f"the sessions of subject '{subject}' are not sorted yet",
        remedy="Run snakemake, or give the folder that brainalign sort published as --recording.",
    )


def _locate(session: SortSessionOptions) -> str:
    return f"sub-{session.subject} ses-{session.session}"


def _find_rate(session: SortSessionOptions) -> float | None:
    """Take the sampling rate of the options, else that of a sorter's folder."""
    if session.sampling_rate_hz is None and session.format in ("phy", "kilosort"):
        path = expand_path(session.folder, {}, f"{_locate(session)} folder")
        return read_phy_folder(path).sampling_rate_hz
    return session.sampling_rate_hz


def _check_recording(session: SortSessionOptions, where: str) -> float | None:
    """Check what a session's folder holds; give the time of its last spike, where it tells one."""
    path = expand_path(session.folder, {}, f"{where} folder")
    if session.format in ("phy", "kilosort"):
        sampling_rate_hz = read_phy_folder(path).sampling_rate_hz
        samples = np.load(path / "spike_times.npy", allow_pickle=False)
        return float(samples.max()) / sampling_rate_hz if samples.size else None
    if session.format == TIME_FILES:
        scale = 0.001 if session.spike_time_unit == "ms" else 1.0
        last = [times.max() for times in map(read_times, list_time_files(path)) if len(times)]
        return scale * float(max(last)) if last else None
    if session.format == "binary":
        if session.sampling_rate_hz is None:
            raise InputError(
                "a binary recording does not tell its sampling rate",
                where=path,
                remedy="Set sampling_rate_hz of this session.",
            )
        if session.probe is None:
            raise InputError(
                "a binary recording does not tell where its contacts lie",
                where=path,
                remedy="Set probe of this session: a file as ProbeInterface writes it.",
            )
        expand_path(session.probe, {}, f"{where} probe")
    return None


def _check_event_clock(onset_s: pd.Series, last_spike_s: float | None, path: Path) -> None:
    """Refuse onsets on another clock than the spikes, by their reach."""
    if last_spike_s is None:
        return
    last_s = float(onset_s.max())
    if last_s > _MAX_REACH * last_spike_s:
        raise CorruptDataError(
            "onsets reach far beyond the last spike",
            where=path,
            expected=f"seconds, up to about {last_spike_s:.1f} s",
            found=f"up to {last_s:.1f}",
            remedy="They look like milliseconds or samples: convert them to seconds, or set "
            "onset_unit: samples.",
        )
    if last_spike_s > _MAX_REACH * last_s:
        raise CorruptDataError(
            "all onsets lie at the very start of the recording",
            where=path,
            expected=f"seconds, up to about {last_spike_s:.1f} s",
            found=f"up to {last_s:.4g} s",
            remedy="Check the unit of the onsets, onset_unit and the sampling rate.",
        )
