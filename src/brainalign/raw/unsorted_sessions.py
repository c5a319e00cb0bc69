"""Sessions that are not sorted yet: what can be checked without SpikeInterface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.raw.options import SpikeSortsDataset
from brainalign.raw.recording import SpikeSession, StimulusCollection, expand_file
from brainalign.raw.stimulus_table import open_stimulus_table
from brainalign.sorting.events import check_known_stimuli, read_events
from brainalign.sorting.options import SortSessionOptions
from brainalign.sorting.phy_folder import read_phy_folder
from brainalign.sorting.places import expand_path

# As for spikes in NWB files: milliseconds taken for seconds reach a thousand times as far.
_MAX_REACH = 10.0


class UnsortedSessions:
    """Sorters' folders and raw recordings before the sorting stage.

    Parameters
    ----------
    options : SpikeSortsDataset
        Sessions and how they are sorted.
    """

    def __init__(self, options: SpikeSortsDataset) -> None:
        self._options = options

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""
        return self._options.list_sorted_subjects()

    def read_sessions(self, subject: str) -> Iterator[SpikeSession]:
        """Refuse: spikes come from the sorting stage.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(
            f"the sessions of subject '{subject}' are not sorted yet",
            remedy="Run snakemake, or give the folder that brainalign sort published as "
            "--recording.",
        )

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the images of the stimulus table; None without a table."""
        if self._options.stimuli_table is None:
            return None
        return open_stimulus_table(
            expand_file(self._options.stimuli_table, "stimuli_table"),
            self._options.stimuli.max_pixels,
        )

    def find_problems(self) -> list[BrainalignError]:
        """List missing files, unreadable events, wrong clocks and unknown stimuli."""
        known: set[str] | None = None
        problems: list[BrainalignError] = []
        try:
            collection = self.read_stimuli()
            known = None if collection is None else set(collection.table.index)
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
            _read_session_events(session, _find_rate(session), _locate(session))
            for session in self._options.sessions
        ]
        n_shown = len(set().union(*(table.iloc[:, 2] for table in events)))
        return (
            f"{len(self.list_subjects())} subjects, {len(events)} sessions to sort or read, "
            f"{sum(map(len, events))} presentations, {n_shown} stimuli"
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
            events = _read_session_events(session, rate, where)
            path = expand_path(session.events, {}, f"{where} events")
            attempt(lambda: _check_event_clock(events["start_time"], last_spike_s, path))
            attempt(lambda: self._check_stimuli(session, events, known, path))

        attempt(check_recording)
        attempt(check_events)
        return problems

    def _check_stimuli(
        self, session: SortSessionOptions, events: pd.DataFrame, known: set[str] | None, path: Path
    ) -> None:
        if known is not None:
            column = session.stimulus_column or "stimulus"
            policy = self._options.sorting.unknown_stimuli
            check_known_stimuli(events, column, known, policy, path)


def _locate(session: SortSessionOptions) -> str:
    return f"sub-{session.subject} ses-{session.session}"


def _find_rate(session: SortSessionOptions) -> float | None:
    """Take the sampling rate of the options, else that of a sorter's folder."""
    if session.sampling_rate_hz is None and session.format in ("phy", "kilosort"):
        path = expand_path(session.folder, {}, f"{_locate(session)} folder")
        return read_phy_folder(path).sampling_rate_hz
    return session.sampling_rate_hz


def _read_session_events(
    session: SortSessionOptions, rate: float | None, where: str
) -> pd.DataFrame:
    path = expand_path(session.events, {}, f"{where} events")
    column = session.stimulus_column or "stimulus"
    is_samples = session.onset_unit == "samples"
    return read_events(
        path, session.onset_column, column, session.duration_column, rate if is_samples else None
    )


def _check_recording(session: SortSessionOptions, where: str) -> float | None:
    """Check what a session's folder holds; give the time of its last spike, where it tells one."""
    path = expand_path(session.folder, {}, f"{where} folder")
    if session.format in ("phy", "kilosort"):
        sampling_rate_hz = read_phy_folder(path).sampling_rate_hz
        samples = np.load(path / "spike_times.npy", allow_pickle=False)
        return float(samples.max()) / sampling_rate_hz if samples.size else None
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
