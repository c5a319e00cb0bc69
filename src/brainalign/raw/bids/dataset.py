"""A BIDS data set of functional volumes: its subjects, runs and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.bids.events import read_events, read_table
from brainalign.raw.bids.files import (
    LISTING_NAME,
    BIDSFile,
    check_labels_differ,
    list_subject_folders,
    read_listing,
    walk_files,
    write_listing,
)
from brainalign.raw.bids.runs import (
    BOLDRun,
    check_confound_rows,
    check_runs_differ,
    settle_repetition_time,
)
from brainalign.raw.bids.sidecars import find_sidecars, read_sidecar
from brainalign.raw.bids.stimuli import open_stimulus_folder
from brainalign.raw.bids.volumes import (
    VolumeHeader,
    read_header,
    verify_length,
    verify_stream,
)
from brainalign.raw.fmri_options import BIDSDataset, BIDSVolumeOptions, NoPreprocessing
from brainalign.raw.recording import StimulusCollection, expand_file, expand_folder
from brainalign.raw.stimulus_table import open_stimulus_table

_DERIVATIVE_LISTING_NAME = "derivatives.tsv"
_NO_SESSION = "1"
# Some seconds of decompression; larger data sets are checked by headers and lengths.
_VERIFIED_BYTES = 200_000_000


class BIDSFolder:
    """Functional runs of the subjects of one BIDS data set.

    Parameters
    ----------
    options : BIDSVolumeOptions
        Folder, entities, events and preprocessing.
    listing : Path, optional
        Folder that :meth:`write_listing` filled; without it, only the folders of the subject that
        is asked for are listed.
    preprocessed : Path, optional
        Derivatives that a preprocessing rule made.

    Raises
    ------
    InputError
        If the folder is missing, holds no subject, lists one twice, or lacks one that is asked
        for.
    """

    def __init__(
        self,
        options: BIDSVolumeOptions,
        listing: Path | None = None,
        preprocessed: Path | None = None,
    ) -> None:
        self.options = options
        self.folder = expand_folder(options.folder, "folder")
        self._listing, self._derivatives = listing, preprocessed
        self._is_verified = True
        ways = options.preprocessing
        if preprocessed is None and isinstance(ways, NoPreprocessing) and ways.derivatives:
            self._derivatives = expand_folder(
                str(self.folder / ways.derivatives), "preprocessing.derivatives"
            )
        found = list_subject_folders(self.folder)
        participants = self.folder / "participants.tsv"
        if participants.is_file():
            _check_participants(participants)
        for subject in options.subjects or []:
            if subject not in found:
                raise InputError(
                    f"no subject '{subject}'",
                    where=self.folder,
                    remedy=suggest_name(subject, found),
                )
        self._subjects = sorted(options.subjects) if options.subjects else found

    def list_subjects(self) -> list[str]:
        """List the labels of the subjects, sorted."""
        return self._subjects

    def write_listing(self, folder: Path) -> None:
        """Write which files there are, so that no later job walks the data set again."""
        write_listing(folder / LISTING_NAME, self.folder, walk_files(self.folder, self._subjects))
        if self._derivatives is not None:
            files = walk_files(self._derivatives, self._subjects)
            write_listing(folder / _DERIVATIVE_LISTING_NAME, self._derivatives, files)

    def _list_files(self, subject: str) -> tuple[list[BIDSFile], list[BIDSFile]]:
        """List the raw files and the derivatives that may belong to a subject."""
        derived: list[BIDSFile] = []
        if self._listing is not None:
            raw = read_listing(self._listing / LISTING_NAME, self.folder)
            listed = self._listing / _DERIVATIVE_LISTING_NAME
            if self._derivatives is not None and listed.is_file():
                derived = read_listing(listed, self._derivatives)
        else:
            raw = walk_files(self.folder, [subject])
        if self._derivatives is not None and not derived:
            derived = walk_files(self._derivatives, [subject])
        return _choose_subject(raw, subject), _choose_subject(derived, subject)

    def list_runs(self, subject: str, raw_only: bool = False) -> list[BOLDRun]:
        """List the runs of a subject in the order of sessions and runs.

        Parameters
        ----------
        subject : str
            Label.
        raw_only : bool
            Leave derivatives aside, as preprocessing does.

        Raises
        ------
        InputError
            If there is none, two files claim to be the same run, several tasks are there and none
            is chosen, or preprocessed volumes are missing.
        CorruptDataError
            If a sidecar is damaged.
        """
        if subject not in self._subjects:
            raise InputError(
                f"no subject '{subject}'", remedy=suggest_name(subject, self._subjects)
            )
        raw, derived = self._list_files(subject)
        if raw_only:
            derived = []
        bold = [one for one in raw if one.suffix == "bold" and one.extension in _VOLUMES]
        bold = [one for one in bold if "sub" in one.entities]
        tasks = sorted({one.entities.get("task", "") for one in bold})
        if tasks and self.options.task is not None and self.options.task not in tasks:
            raise InputError(
                f"no task '{self.options.task}' of sub-{subject}",
                where=self.folder,
                remedy=suggest_name(self.options.task, tasks),
            )
        bold = [one for one in bold if self._is_wanted(one)]
        check_runs_differ(bold, subject, self.folder)
        runs = [self._compose_run(one, raw, derived, raw_only) for one in bold]
        return sorted(runs, key=lambda one: (_sort_key(one.session), _sort_key(one.run)))

    def _is_wanted(self, file: BIDSFile) -> bool:
        options = self.options
        return all(
            wanted is None or file.entities.get(name) in wanted
            for name, wanted in (
                ("ses", options.sessions),
                ("run", options.runs),
                ("task", None if options.task is None else [options.task]),
            )
        )

    def _compose_run(
        self, bold: BIDSFile, raw: list[BIDSFile], derived: list[BIDSFile], raw_only: bool
    ) -> BOLDRun:
        events = BIDSFile(bold.path, bold.entities, "events", ".tsv")
        tables = find_sidecars(events, raw, ".tsv")
        volumes = self._find_derivative(bold, derived, "preproc", ("bold",), _VOLUMES)
        if volumes is None and not raw_only and self.options.preprocessing.kind != "none":
            raise InputError(
                "no preprocessed volumes of this run",
                where=bold.path.name,
                expected=f"desc-preproc_bold in {self._derivatives or 'a preprocessed folder'}",
                remedy="Run the preprocessing (brainalign preprocess, or snakemake) first.",
            )
        mask = self._find_derivative(bold, derived, "brain", ("mask",), _VOLUMES)
        confounds = self._find_derivative(
            bold, derived, "confounds", ("timeseries", "regressors"), (".tsv",), has_space=False
        )
        return BOLDRun(
            subject=bold.entities["sub"],
            session=bold.entities.get("ses", _NO_SESSION),
            run=bold.entities.get("run", "1"),
            task=bold.entities.get("task", ""),
            bold=bold.path if volumes is None else volumes.path,
            sidecar=read_sidecar(bold, raw),
            events=tables[-1].path if tables else None,
            confounds=None if confounds is None else confounds.path,
            mask=None if mask is None else mask.path,
        )

    def _find_derivative(
        self,
        bold: BIDSFile,
        derived: list[BIDSFile],
        description: str,
        suffixes: tuple[str, ...],
        extensions: tuple[str, ...],
        has_space: bool = True,
    ) -> BIDSFile | None:
        """Find the derivative that shares most entities with a run; None where there is none."""
        wanted = {**bold.entities, "desc": description}
        if has_space and self.options.space is not None:
            wanted["space"] = self.options.space
        found = [
            one
            for one in derived
            if one.suffix in suffixes
            and one.extension in extensions
            and one.entities.get("desc") == description
            and all(
                wanted.get(name) == value
                # fMRIPrep adds what it used, such as the resolution, to the names.
                for name, value in one.entities.items()
                if name not in ("res", "den", "cohort")
            )
        ]
        return max(found, key=lambda one: len(one.entities), default=None)

    def read_run_header(self, run: BOLDRun) -> tuple[VolumeHeader, float]:
        """Read the header of a run and settle its repetition time.

        Returns
        -------
        header : VolumeHeader
        tr_s : float
            That of the configuration, else that of the sidecar, else that of the header.

        Raises
        ------
        InputError
            If sidecar and header disagree and the configuration does not decide, none of them
            states a time, or the file is no series.
        """
        header = read_header(run.bold, self.options.max_volume_gb)
        if header.n_volumes < 2:
            raise InputError("holds a single volume", where=run.bold, expected="a series")
        return header, settle_repetition_time(run, header, self.options.tr_s)

    def read_run_events(self, run: BOLDRun, scan_s: float) -> pd.DataFrame:
        """Read the presentations of a run, see :func:`brainalign.raw.bids.events.read_events`."""
        if run.events is None:
            raise InputError(
                f"no events of {run.name}",
                where=run.bold,
                expected="an events.tsv beside the volumes or above",
            )
        return read_events(run.events, self.options.events, scan_s, run.name)

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the shown pictures; None where the data set holds none.

        Raises
        ------
        InputError
            If an event names a picture that is not there, or movies are shown.
        """
        if not isinstance(self.options, BIDSDataset):
            raise InputError("the data set shows no images", where=self.folder)
        shown = sorted(set(self._iterate_shown()))
        table_path = self.options.stimuli_table
        if table_path is None:
            return open_stimulus_folder(
                self.folder / "stimuli", shown, self.options.stimuli.max_pixels
            )
        collection = open_stimulus_table(
            expand_file(table_path, "stimuli_table"), self.options.stimuli.max_pixels
        )
        missing = sorted(set(shown) - set(collection.table.index))
        if missing:
            raise InputError(
                f"{len(missing)} stimuli of events are not in the table",
                where=table_path,
                found=", ".join(missing[:5]),
                remedy="Add them to stimuli_table, or list them as events.ignored_stimuli.",
            )
        return StimulusCollection(
            collection.table.loc[shown],
            collection.factors,
            collection.read_image,
            collection.check_image,
        )

    def _iterate_shown(self) -> Iterator[str]:
        for subject in self._subjects:
            # Raw events alone name the stimuli; preprocessing may not have run yet.
            for run in self.list_runs(subject, raw_only=True):
                header, tr_s = self.read_run_header(run)
                yield from self.read_run_events(run, header.n_volumes * tr_s)["stimulus"]

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with headers, volumes, events and tables of all runs at once.

        Notes
        -----
        Volumes are decompressed to their end, since only there their checksum stands, up to a
        limit of stored bytes in all; of the others the stated length is compared.
        """
        problems: list[BrainalignError] = []
        n_bytes = 0
        raw_only = self._derivatives is None
        for subject in self._subjects:
            try:
                runs = self.list_runs(subject, raw_only=raw_only)
            except BrainalignError as error:
                problems.append(error)
                continue
            for run in runs:
                n_bytes += run.bold.stat().st_size if run.bold.is_file() else 0
                verify = verify_stream if n_bytes <= _VERIFIED_BYTES else verify_length
                problems += self._find_run_problems(run, verify)
        self._is_verified = n_bytes <= _VERIFIED_BYTES
        return problems

    def _find_run_problems(
        self, run: BOLDRun, verify: Callable[[VolumeHeader], None]
    ) -> list[BrainalignError]:
        problems: list[BrainalignError] = []
        try:
            header, tr_s = self.read_run_header(run)
        except BrainalignError as error:
            # Without a header nothing says how long the scan is; the table is still read.
            problems.append(error)
            scan_s = float("inf")
        else:
            scan_s = header.n_volumes * tr_s
            for check in (verify, lambda one: check_confound_rows(run, one)):
                try:
                    check(header)
                except BrainalignError as error:
                    problems.append(error)
        try:
            self.read_run_events(run, scan_s)
        except BrainalignError as error:
            problems.append(error)
        return problems

    def summarise(self) -> str:
        """Say in a line what there is, after no problem was found."""
        runs = [
            run
            for subject in self._subjects
            for run in self.list_runs(subject, raw_only=self._derivatives is None)
        ]
        stimuli = list(self._iterate_shown())
        return (
            f"{len(self._subjects)} subjects, {len(runs)} runs, {len(stimuli)} presentations, "
            f"{len(set(stimuli))} stimuli"
            + ("" if self._is_verified else " (checksums of the first 200 MB of volumes only)")
        )


_VOLUMES = (".nii", ".nii.gz")


def _choose_subject(files: list[BIDSFile], subject: str) -> list[BIDSFile]:
    return [one for one in files if one.entities.get("sub", subject) == subject]


def _sort_key(label: str) -> tuple[int, str]:
    return (int(label), label) if label.isdigit() else (-1, label)


def _check_participants(path: Path) -> None:
    table = read_table(path)
    if "participant_id" not in table.columns:
        raise CorruptDataError("has no column participant_id", where=path)
    check_labels_differ([name.removeprefix("sub-") for name in table["participant_id"]], path)
