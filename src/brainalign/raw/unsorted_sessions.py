"""Sessions that are not sorted yet: what can be checked without SpikeInterface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from brainalign.errors import BrainalignError, InputError
from brainalign.raw.options import SpikeSortsDataset
from brainalign.raw.recording import SpikeSession, StimulusCollection
from brainalign.raw.stimulus_table import open_stimulus_table
from brainalign.sorting.events import check_known_stimuli, read_events
from brainalign.sorting.options import SortSessionOptions
from brainalign.sorting.phy_folder import read_phy_folder
from brainalign.sorting.places import expand_path


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
            Path(self._options.stimuli_table), self._options.stimuli.max_pixels
        )

    def find_problems(self) -> list[BrainalignError]:
        """List missing files, unreadable events and unknown stimuli, one problem per session."""
        known: set[str] | None = None
        problems: list[BrainalignError] = []
        try:
            collection = self.read_stimuli()
            known = None if collection is None else set(collection.table.index)
        except BrainalignError as error:
            problems.append(error)
        for session in self._options.sessions:
            try:
                self._check(session, known)
            except BrainalignError as error:
                problems.append(error)
        return problems

    def _check(self, session: SortSessionOptions, known: set[str] | None) -> None:
        where = f"sub-{session.subject} ses-{session.session}"
        path = expand_path(session.folder, {}, f"{where} folder")
        if session.format in ("phy", "kilosort"):
            read_phy_folder(path)
        if session.format == "binary" and session.sampling_rate_hz is None:
            raise InputError(
                "a binary recording does not tell its sampling rate",
                where=path,
                remedy="Set sampling_rate_hz of this session.",
            )
        events_path = expand_path(session.events, {}, f"{where} events")
        column = session.stimulus_column or "stimulus"
        rate = session.sampling_rate_hz if session.onset_unit == "samples" else None
        events = read_events(
            events_path, session.onset_column, column, session.duration_column, rate
        )
        if known is not None:
            check_known_stimuli(
                events, column, known, self._options.sorting.unknown_stimuli, events_path
            )
