"""One run of functional volumes: its files, its repetition time, and what must agree in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.bids.events import read_table
from brainalign.raw.bids.files import BIDSFile
from brainalign.raw.bids.volumes import VolumeHeader

_TR_TOLERANCE_S = 0.001
# Outside of this a header without a sidecar has most likely another unit than it says.
_SHORTEST_TR_S, _LONGEST_TR_S = 0.05, 60.0


@dataclass(frozen=True)
class BOLDRun:
    """One run of one subject.

    Parameters
    ----------
    subject, session, run, task : str
        Labels; the session is ``1`` where there is none, the run ``1`` likewise.
    bold : Path
        Volumes, preprocessed where that was done.
    sidecar : dict
        Merged sidecars of the volumes.
    events, confounds, mask : Path or None
        Tables and brain mask of the run, where there are any.
    """

    subject: str
    session: str
    run: str
    task: str
    bold: Path
    sidecar: dict[str, Any]
    events: Path | None
    confounds: Path | None
    mask: Path | None

    @property
    def name(self) -> str:
        """Name for messages."""
        return f"sub-{self.subject} ses-{self.session} run-{self.run}"


def check_runs_differ(bold: list[BIDSFile], subject: str, folder: Path) -> None:
    """Refuse a subject without runs, with several tasks, or with two files of the same run.

    Raises
    ------
    InputError
        With the files or tasks.
    """
    if not bold:
        raise InputError(
            f"no functional volumes of sub-{subject}",
            where=folder,
            expected="func/sub-*_task-*_bold.nii.gz",
            remedy="Check folder, task, sessions and runs of the data set.",
        )
    tasks = sorted({one.entities.get("task", "") for one in bold})
    if len(tasks) > 1:
        raise InputError(
            f"sub-{subject} has several tasks",
            where=folder,
            found=", ".join(tasks),
            remedy="Choose one with task.",
        )
    seen: dict[tuple[str, str], Path] = {}
    for one in bold:
        key = (one.entities.get("ses", ""), one.entities.get("run", "").lstrip("0"))
        if key in seen:
            raise InputError(
                "two files are the same run",
                where=one.path,
                found=seen[key].name,
                remedy="Several echoes or parts of a run cannot be combined here; keep one.",
            )
        seen[key] = one.path


def settle_repetition_time(run: BOLDRun, header: VolumeHeader, override_s: float | None) -> float:
    """Decide on the repetition time of a run.

    Raises
    ------
    InputError
        With both values if sidecar and header disagree; if neither states one.
    CorruptDataError
        If the sidecar's is no positive number.
    """
    if override_s is not None:
        return override_s
    stated = run.sidecar.get("RepetitionTime")
    if stated is None:
        if header.tr_s is None:
            raise InputError(
                "neither sidecar nor header state a repetition time",
                where=run.bold,
                found=f"a header in units of '{header.time_unit}'",
                remedy="Add RepetitionTime to the sidecar or set tr_s.",
            )
        if not _SHORTEST_TR_S <= header.tr_s <= _LONGEST_TR_S:
            raise InputError(
                "the header's repetition time is implausible",
                where=run.bold,
                expected=f"{_SHORTEST_TR_S:g} to {_LONGEST_TR_S:g} s",
                found=f"{header.tr_s:g} s",
                remedy="Milliseconds called seconds? Add a sidecar or set tr_s.",
            )
        return header.tr_s
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not stated > 0:
        raise CorruptDataError(
            "RepetitionTime is no positive number", where=run.bold, found=repr(stated)
        )
    if header.tr_s is not None and abs(header.tr_s - stated) > _TR_TOLERANCE_S:
        raise InputError(
            "sidecar and header disagree on the repetition time",
            where=run.bold,
            expected=f"{stated:g} s as in the sidecar",
            found=f"{header.tr_s:g} s in the header",
            remedy="Correct one of them, or set tr_s in the configuration.",
        )
    return float(stated)


def check_confound_rows(run: BOLDRun, header: VolumeHeader) -> None:
    """Refuse confounds that have another number of rows than the run has volumes.

    Raises
    ------
    InputError
        With both numbers.
    """
    if run.confounds is None:
        return
    n_rows = len(read_table(run.confounds))
    if n_rows != header.n_volumes:
        raise InputError(
            "confounds and volumes differ in number",
            where=run.confounds,
            expected=f"{header.n_volumes} rows, one per volume of {run.bold.name}",
            found=n_rows,
            remedy="Make the confounds again from these volumes.",
        )
