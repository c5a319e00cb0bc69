"""A folder of NWB files as a data set of spikes and images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, InputError
from brainalign.options import suggest_name
from brainalign.raw.dandi import locate_dandiset
from brainalign.raw.images import to_rgb
from brainalign.raw.nwb import find_image_datasets, find_nwb_files, read_session
from brainalign.raw.options import NWBDataset
from brainalign.raw.recording import SpikeSession, StimulusCollection, expand_file, expand_folder
from brainalign.raw.spike_clock import check_spike_clock
from brainalign.raw.stimulus_table import open_stimulus_table, suggest_ids
from brainalign.sorting.clock import MAX_RATE_HZ, check_clock


class NWBFolder:
    """NWB files of one or more subjects in one folder.

    Parameters
    ----------
    options : NWBDataset
        Folder, columns and subjects.

    Raises
    ------
    InputError
        If the folder is missing, holds no NWB file, or lacks a subject that is asked for.
    """

    def __init__(self, options: NWBDataset) -> None:
        self._options = options
        folder = expand_folder(options.folder, "folder")
        if options.dandiset is not None:
            folder = locate_dandiset(folder, options.dandiset)
        self._files = find_nwb_files(folder)
        if options.subjects is not None:
            for subject in options.subjects:
                if subject not in self._files:
                    raise InputError(
                        f"no NWB file of subject '{subject}'",
                        where=folder,
                        remedy=suggest_name(subject, self._files),
                    )
            self._files = {subject: self._files[subject] for subject in sorted(options.subjects)}
        self._described: dict[Path, SpikeSession] = {}

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""
        return sorted(self._files)

    def read_sessions(self, subject: str) -> Iterator[SpikeSession]:
        """Read the sessions of one subject, one at a time.

        Raises
        ------
        InputError
            If the subject is unknown or two files have the same session id.
        CorruptDataError
            If a file is damaged or impossible.
        """
        if subject not in self._files:
            raise InputError(f"no subject '{subject}'", remedy=suggest_name(subject, self._files))
        seen: dict[str, Path] = {}
        for path in self._files[subject]:
            session = self._read_session(path)
            _check_session_id(session.session, path, seen)
            yield session

    def _read_session(self, path: Path) -> SpikeSession:
        session = read_session(
            path,
            stimulus_columns=self._options.stimulus_columns,
            onset_column=self._options.onset_column,
            valid_column=self._options.valid_column,
            unit_column=self._options.unit_column,
            area_column=self._options.area_column,
            unsorted_spikes=self._options.unsorted_spikes,
        )
        onset_s = session.presentations["onset_s"].to_numpy()
        if len(onset_s):
            end_s = float(onset_s.max()) + max(self._options.responses.window_ms) / 1000
            check_spike_clock(
                session.spike_times, float(onset_s.min()), end_s, MAX_RATE_HZ, path.name
            )
            check_clock(session.spike_times, list(session.units.index), None, onset_s, path.name)
        # Without the spikes, which are large, for whatever asks again in this process.
        self._described[path] = replace(session, spike_times=[])
        return session

    def _describe_session(self, path: Path) -> SpikeSession:
        return self._described[path] if path in self._described else self._read_session(path)

    def summarise(self) -> str:
        """Say in a line what there is, after no problem was found."""
        sessions = [
            (subject, self._describe_session(path))
            for subject in self.list_subjects()
            for path in self._files[subject]
        ]
        units = {(subject, unit) for subject, one in sessions for unit in one.units.index}
        shown = pd.concat([one.presentations["stimulus"] for _, one in sessions])
        counts = shown.value_counts()
        repeated = f"{int((counts > 1).sum())} of them shown more than once"
        return (
            f"{len(self._files)} subjects, {len(sessions)} sessions, {len(units)} units, "
            f"{len(shown)} presentations, {len(counts)} stimuli, {repeated}"
        )

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the shown images, from the stimulus table and the NWB files themselves.

        Returns
        -------
        collection : StimulusCollection or None
            None if there is neither a table nor an image in any file. ``read_image`` refuses an
            id that has other pixels in another file.

        Raises
        ------
        InputError
            If a trial names a stimulus that is not among the images.
        """
        places, collection = self._find_images(), self._open_table()
        if collection is None and not places:
            return None
        shown = self._list_shown_stimuli(_list_known(places, collection))
        factors = collection.factors if collection is not None else ()
        described = collection if collection is not None and collection.has_images else None
        table = (
            collection.table.reindex(shown)
            if collection is not None
            else pd.DataFrame(index=pd.Index(shown, name="stimulus"))
        )

        def read_image(stimulus: str) -> np.ndarray:
            sources = [
                (str(path), _read_image(path, place, stimulus))
                for path, place in places.get(stimulus, [])
            ]
            if described and stimulus in described.table.index:
                sources.insert(
                    0, (str(self._options.stimuli_table), described.read_image(stimulus))
                )
            first_source, pixels = sources[0]
            for source, other in sources[1:]:
                if other.shape != pixels.shape or not np.array_equal(other, pixels):
                    raise InputError(
                        f"stimulus '{stimulus}' has other pixels than in {first_source}",
                        where=source,
                        remedy="Give different pictures different ids.",
                    )
            return pixels

        def check_image(stimulus: str) -> None:
            # Images inside the files are checked when they are listed.
            if (
                collection is not None
                and collection.check_image is not None
                and stimulus in collection.table.index
            ):
                collection.check_image(stimulus)

        return StimulusCollection(
            table=table,
            factors=factors,
            read_image=read_image,
            check_image=check_image,
            has_images=bool(places) or described is not None,
        )

    def _open_table(self) -> StimulusCollection | None:
        if self._options.stimuli_table is None:
            return None
        path = expand_file(self._options.stimuli_table, "stimuli_table")
        return open_stimulus_table(path, self._options.stimuli.max_pixels)

    def _find_images(self) -> dict[str, list[tuple[Path, str]]]:
        places: dict[str, list[tuple[Path, str]]] = {}
        for path in self._all_files():
            for name, place in find_image_datasets(path).items():
                places.setdefault(name, []).append((path, place))
        return places

    def _list_shown_stimuli(self, known: set[str]) -> list[str]:
        shown: set[str] = set()
        for path in self._all_files():
            session = self._describe_session(path)
            _check_known(session, known, path)
            shown |= set(session.presentations["stimulus"])
        return sorted(shown)

    def _all_files(self) -> list[Path]:
        return [path for subject in sorted(self._files) for path in self._files[subject]]

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files; one problem per file, images are not decoded."""
        problems: list[BrainalignError] = []
        known: set[str] = set()
        try:
            known = _list_known(self._find_images(), self._open_table())
        except BrainalignError as error:
            problems.append(error)
        for subject in self.list_subjects():
            seen: dict[str, Path] = {}
            for path in self._files[subject]:
                try:
                    session = self._read_session(path)
                    _check_session_id(session.session, path, seen)
                    # Without any image the data set is one of responses only.
                    if known:
                        _check_known(session, known, path)
                except BrainalignError as error:
                    problems.append(error)
        return problems


def _list_known(
    places: dict[str, list[tuple[Path, str]]], collection: StimulusCollection | None
) -> set[str]:
    return set(places) | (set(collection.table.index) if collection is not None else set())


def _check_session_id(session: str, path: Path, seen: dict[str, Path]) -> None:
    if session in seen:
        raise InputError(
            f"session '{session}' stands in two files of one subject",
            where=path,
            found=seen[session],
            remedy="Give each file its own session_id.",
        )
    seen[session] = path


def _check_known(session: SpikeSession, known: set[str], path: Path) -> None:
    missing = sorted(set(session.presentations["stimulus"]) - known)
    if missing:
        raise InputError(
            f"{len(missing)} stimulus ids of trials are not among the images",
            where=path,
            found=", ".join(missing[:5]) + ("…" if len(missing) > 5 else ""),
            remedy=suggest_ids(missing, known)
            or "Add the images to the NWB file or to stimuli_table.",
        )


def _read_image(path: Path, place: str, stimulus: str) -> np.ndarray:
    with h5py.File(path, "r") as file:
        return to_rgb(file[place][...], f"{path} image {stimulus}")
