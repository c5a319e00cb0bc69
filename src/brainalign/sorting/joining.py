"""Publish all sessions of a data set: NWB files, curation tables and a summary."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.errors import InputError
from brainalign.progress import announce
from brainalign.sorting.job import SortingJob
from brainalign.sorting.nwb_writer import write_sorted_nwb
from brainalign.sorting.places import RECORDING
from brainalign.sorting.planted_rates import PLANTED_RATES
from brainalign.sorting.sessions import (
    CuratedSession,
    check_sessions,
    check_shared_units,
    curate_session,
    summarise,
)
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.publish import publish_folder


def publish_sorted(output: Path, job: SortingJob) -> None:
    """Sort and curate all sessions and publish their NWB files.

    Parameters
    ----------
    output : Path
        Folder to publish: ``sub-X/sub-X_ses-Y_ecephys.nwb``, ``units.csv`` (metrics and decision
        per unit), ``truth.csv`` (where cells are planted), ``summary.json``.
    job : SortingJob
        What to sort and how.

    Raises
    ------
    InputError, CorruptDataError
        If a session cannot be read or sessions do not fit each other, or no unit is left.
    """
    check_sessions(job.sessions)
    recorder = ProvenanceRecorder("sorted", job.options, job.inputs)
    with publish_folder(output, "sorted", recorder.record) as draft:
        curated = []
        for session in job.sessions:
            with announce(f"sub-{session.subject} ses-{session.session}"):
                curated.append(
                    curate_session(
                        session,
                        job.sorting,
                        job.places,
                        job.stimulus_column,
                        job.known_stimuli,
                    )
                )
        check_shared_units(curated, job.sorting)
        _refuse_empty(curated)
        for one in curated:
            _write_session(draft, one, job)
        _write_tables(draft, curated, job)
        recorder.finish(seeds=[job.sorting.seed])


def _refuse_empty(curated: list[CuratedSession]) -> None:
    for one in curated:
        if not one.curated["kept"].any():
            reasons = one.curated["reason"].value_counts().to_dict()
            raise InputError(
                "no unit is left after curation",
                where=f"sub-{one.options.subject} ses-{one.options.session}",
                found=", ".join(f"{count} x {why}" for why, count in reasons.items())
                or "no unit at all",
                remedy="Loosen the thresholds under sorting.curation, or leave the session out.",
            )


def _write_session(draft: Path, one: CuratedSession, job: SortingJob) -> None:
    home = draft / f"sub-{one.options.subject}"
    home.mkdir(exist_ok=True)
    name = f"sub-{one.options.subject}_ses-{one.options.session}_ecephys.nwb"
    write_sorted_nwb(
        home / name,
        one.options,
        one.found,
        one.curated,
        one.events,
        unit_names=[str(unit) for unit in one.curated["unit_name"]],
        duration_s=one.duration_s,
        frame_triggers=one.frame_triggers,
        species=job.sorting.species,
        provenance={
            "sorter": one.found.sorter,
            "options": job.sorting.model_dump(mode="json"),
            "bad_channels": one.found.bad_channels,
        },
    )


def _write_tables(draft: Path, curated: list[CuratedSession], job: SortingJob) -> None:
    units = [_label(one.curated, one) for one in curated]
    pd.concat(units, ignore_index=True).to_csv(draft / "units.csv", index=False)
    truth = [_label(one.truth, one) for one in curated if one.truth is not None]
    if truth:
        pd.concat(truth, ignore_index=True).to_csv(draft / "truth.csv", index=False)
    summary: dict[str, Any] = {
        "sessions": [summarise(one) for one in curated],
        "stimuli": _count_stimuli(curated, job.stimulus_column),
    }
    (draft / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    planted = job.places.get(RECORDING, Path()) / PLANTED_RATES
    if RECORDING in job.places and planted.is_file():
        shutil.copy(planted, draft / PLANTED_RATES)


def _label(table: pd.DataFrame, one: CuratedSession) -> pd.DataFrame:
    return table.assign(subject=one.options.subject, session=one.options.session)


def _count_stimuli(curated: list[CuratedSession], column: str) -> dict[str, dict[str, int]]:
    """Per animal: stimuli, and how many of them only one session shows."""
    counts: dict[str, dict[str, int]] = {}
    for subject in sorted({one.options.subject for one in curated}):
        shown = [set(one.events[column]) for one in curated if one.options.subject == subject]
        everything = set().union(*shown)
        once = sum(sum(name in names for names in shown) == 1 for name in everything)
        counts[subject] = {
            "n_sessions": len(shown),
            "n_stimuli": len(everything),
            "n_in_one_session_only": once if len(shown) > 1 else 0,
        }
    return counts
