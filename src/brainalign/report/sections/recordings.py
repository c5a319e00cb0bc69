"""Recordings: how reliable the units are."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from brainalign.report.blocks import Block, Cell, FigureGroup, Heading, Row, Section, Table, Text
from brainalign.report.figures.sorting import draw_reliability_by_session
from brainalign.report.figures.unit_histograms import draw_unit_histograms
from brainalign.report.names import MISSING, describe_counts, make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.recordings import Recording

_READING = (
    "The noise ceiling is the share of the variance of a unit's mean response that stimuli can "
    "explain; the reliability correlates random halves of the repeats (Spearman-Brown corrected). "
    "Both describe the recording over all stimuli and choose nothing. Units that are silent, "
    "constant or have too few repeats have neither; they are counted, not hidden."
)


def compose_recordings(
    recordings: list[Recording], sorted_datasets: Collection[str] = ()
) -> Section | None:
    """Show noise ceilings and reliabilities of all subjects; None without a recording.

    Parameters
    ----------
    recordings : list of Recording
        What the response stores hold.
    sorted_datasets : collection of str
        Data sets whose sessions the section on sorting compares.
    """
    if not recordings:
        return None
    blocks: list[Block] = [Text(_READING)]
    for dataset in dict.fromkeys(one.dataset for one in recordings):
        own = [one for one in recordings if one.dataset == dataset]
        n_units = sum(one.n_units for one in own)
        n_missing = n_units - sum(one.n_usable for one in own)
        caption = (
            f"{dataset}: noise ceiling and split-half reliability of "
            f"{write_count(n_units, 'unit')}, one panel per subject. Dashed line: median."
        )
        if n_missing:
            caption += f" Hatched bar: {write_count(n_missing, 'unit')} without either."
        sessions = [
            _draw_sessions(one)
            for one in own
            if len(one.by_session) > 1 and dataset not in sorted_datasets
        ]
        blocks += [
            Heading(dataset),
            FigureGroup([_draw_subject(one) for one in own], caption),
            *([FigureGroup(sessions, _describe_sessions(dataset))] if sessions else []),
            Table(
                f"{dataset}: units and presentations by subject. Medians are over units that are "
                "ok, quartiles in brackets.",
                [
                    "Subject",
                    "Areas",
                    "Units",
                    "Noise ceiling",
                    "Reliability",
                    "Stimuli",
                    "Presentations",
                    "Sessions",
                ],
                [_compose_row(one) for one in own],
            ),
        ]
    return Section("recordings", "Recordings", blocks)


def _draw_subject(one: Recording) -> Picture:
    alt = (
        f"Histograms of noise ceiling and reliability of subject {one.subject}: "
        f"{write_count(one.n_units, 'unit')} ({describe_counts(one.status)}); median noise ceiling "
        f"{_write_quartiles(one.noise_ceiling)[0]}, median reliability "
        f"{_write_quartiles(one.reliability)[0]}."
    )
    title = f"{one.subject} · {write_count(one.n_units, 'unit')}"
    figure = draw_unit_histograms(one.noise_ceiling, one.reliability, title)
    return encode_figure(figure, make_slug("units", one.dataset, one.subject), alt)


def _draw_sessions(one: Recording) -> Picture:
    medians = ", ".join(
        f"session {name}: {np.median(values):.2f}" if len(values) else f"session {name}: none"
        for name, values in one.by_session.items()
    )
    alt = f"Split-half reliability of the units of {one.subject} by session. Medians: {medians}."
    figure = draw_reliability_by_session(one.by_session, one.subject)
    return encode_figure(figure, make_slug("reliability-by-session", one.dataset, one.subject), alt)


def _describe_sessions(dataset: str) -> str:
    return f"{dataset}: split-half reliability of every unit by session. Line: median."


def _compose_row(one: Recording) -> Row:
    return Row(
        (
            Cell(one.subject),
            Cell(", ".join(one.areas) or MISSING),
            Cell(f"{one.n_units:,}", details=(describe_counts(one.status),), sort=one.n_units),
            _compose_quartiles(one.noise_ceiling),
            _compose_quartiles(one.reliability),
            Cell(f"{one.n_stimuli:,}", sort=one.n_stimuli),
            Cell(f"{one.n_presentations:,}", sort=one.n_presentations),
            Cell(f"{one.n_sessions:,}", sort=one.n_sessions),
        )
    )


def _compose_quartiles(values: np.ndarray) -> Cell:
    median, quartiles = _write_quartiles(values)
    known = values[np.isfinite(values)]
    return Cell(median, details=(quartiles,), sort=float(np.median(known)) if len(known) else None)


def _write_quartiles(values: np.ndarray) -> tuple[str, str]:
    known = values[np.isfinite(values)]
    if not len(known):
        return MISSING, "no unit is ok"
    low, median, high = np.percentile(known, [25, 50, 75])
    return f"{median:.2f}", f"[{low:.2f}, {high:.2f}]"
