"""Sorting: what the sorter found, what curation kept, and how well planted cells were found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.report.artifacts import Run
from brainalign.report.blocks import (
    Block,
    Cell,
    Details,
    FigureGroup,
    Heading,
    Row,
    Section,
    Table,
    Text,
)
from brainalign.report.figures.sorting import (
    draw_accuracy,
    draw_autocorrelograms,
    draw_probe,
    draw_raster,
    draw_rdm_pair,
    draw_reliability_by_session,
    draw_session_raster,
    draw_waveforms,
)
from brainalign.report.names import MISSING, make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.sorted_recordings import (
    SortedSession,
    read_geometry,
    read_session_reliability,
    read_sorted_sessions,
)

WELL_ISOLATED_SNR = 8.0  # as the sorting stage marks planted cells
N_EXAMPLES = 2  # units with rasters
MAX_UNITS = 12  # in grids of small panels
_READING = (
    "Units come from spike sorters' folders or from raw recordings that were sorted here; "
    "thresholds of the configuration decide which are kept. Multi-unit activity is marked mua. "
    "Where cells were planted, accuracy is the share of hits among hits, misses and false "
    "positives of the unit that matches a cell best."
)


def compose_sorting(run: Run) -> Section | None:
    """Show all sorted sessions; None where nothing was sorted.

    Parameters
    ----------
    run : Run
        Published folders.
    """
    sessions = read_sorted_sessions(run)
    if not sessions:
        return None
    blocks: list[Block] = [Text(_READING)]
    geometry, reliability = read_geometry(run), read_session_reliability(run)
    for dataset in dict.fromkeys(one.dataset for one in sessions):
        own = [one for one in sessions if one.dataset == dataset]
        blocks += [Heading(dataset), _compose_table(dataset, own)]
        accuracy = [_draw_accuracy(one) for one in own if one.truth is not None]
        if accuracy:
            caption = (
                f"{dataset}: accuracy of sorted units for every planted cell. Dashed: 0.9; cells "
                f"right of the dotted line count as well isolated."
            )
            blocks.append(FigureGroup(accuracy, caption))
        for one in own:
            blocks += _compose_session(one)
        for subject in [entry for entry in reliability if entry.dataset == dataset]:
            blocks.append(
                _compose_reliability(subject.dataset, subject.subject, subject.by_session)
            )
        for entry in [entry for entry in geometry if entry.dataset == dataset]:
            alt = (
                f"Dissimilarity matrices of {len(entry.recorded)} stimuli"
                f" for {entry.subject}: recorded and planted correlate with rank correlation "
                f"{entry.agreement:.2f}."
            )
            figure = draw_rdm_pair(entry.recorded, entry.planted, entry.subject)
            name = make_slug("rdm", dataset, entry.subject)
            caption = (
                f"{dataset}, {entry.subject}: dissimilarity (1 - correlation over units) of all "
                f"pairs of stimuli, recorded by all sorted units of all sessions and planted. "
                f"Spearman correlation over pairs {entry.agreement:.2f}."
            )
            blocks.append(FigureGroup([encode_figure(figure, name, alt)], caption))
    return Section("sorting", "Spike sorting", blocks)


def _compose_table(dataset: str, sessions: list[SortedSession]) -> Table:
    return Table(
        f"{dataset}: sessions, what their sorter found and what curation kept. Accuracy is the "
        "mean over well isolated planted cells.",
        [
            "Subject",
            "Session",
            "Sorter",
            "Length",
            "Channels",
            "Units found",
            "Units kept",
            "Accuracy",
            "Sorting time",
        ],
        [_compose_row(one) for one in sessions],
        n_headings=2,
    )


def _compose_row(one: SortedSession) -> Row:
    summary = one.summary
    n_bad = len(summary["bad_channels"])
    dropped = one.metrics.loc[~one.metrics["kept"], "reason"].value_counts()
    share = summary["sorting_cpu_s"] / summary["duration_s"]
    accuracy = summary.get("truth", {}).get("mean_accuracy_well_isolated")
    n_multi = int((one.metrics["kept"] & (one.metrics["quality"] == "mua")).sum())
    return Row(
        (
            Cell(one.subject),
            Cell(one.session),
            Cell(str(summary["sorter"]["name"]), details=(str(summary["sorter"]["version"]),)),
            Cell(f"{summary['duration_s']:.1f} s", sort=summary["duration_s"]),
            Cell(f"{summary['n_channels']}", details=(f"{n_bad} bad",) if n_bad else ()),
            Cell(
                f"{summary['n_units_found']}",
                details=tuple(f"{count} {why}" for why, count in dropped.items()),
                sort=summary["n_units_found"],
            ),
            Cell(f"{len(one.unit)}", details=(f"{n_multi} mua",), sort=len(one.unit)),
            Cell(MISSING if accuracy is None else f"{accuracy:.2f}", sort=accuracy),
            Cell(f"{share:.0%} of length", details=(f"{summary['sorting_cpu_s']:.1f} CPU-s",)),
        )
    )


def _compose_session(one: SortedSession) -> list[Block]:
    label = f"{one.subject} · session {one.session}"
    slug = (one.dataset, one.subject, one.session)
    blocks: list[Block] = []
    if np.isfinite(one.waveform).any() and (one.main_channel >= 0).all():
        alt = f"{write_count(len(one.unit), 'unit')} of {label} at their contacts on the probe."
        figure = draw_probe(one.channel_um, one.main_channel, one.waveform, label)
        pictures = [encode_figure(figure, make_slug("probe", *slug), alt)]
        pictures += _draw_examples(one, label)
        caption = (
            f"{one.dataset}, {label}: contacts (grey) with the mean waveform of every unit at its "
            "main contact"
        )
        if len(pictures) > 1:
            caption += (
                "; rasters of the units with the strongest modulation, trials grouped by stimulus "
                "(the strongest on top), with the PSTH over all trials"
            )
        blocks.append(FigureGroup(pictures, caption + "."))
    folded: list[Block] = []
    shown = one.unit[:MAX_UNITS]
    if np.isfinite(one.waveform).any():
        alt = f"Mean waveforms of {write_count(len(shown), 'unit')} of {label}."
        figure = draw_waveforms(one.waveform[:MAX_UNITS], one.sampling_rate_hz, shown, label)
        folded.append(
            FigureGroup(
                [encode_figure(figure, make_slug("waveforms", *slug), alt)],
                f"{one.dataset}, {label}: mean waveforms on main contacts, each on its own scale.",
            )
        )
    alt = f"Autocorrelograms of {write_count(len(shown), 'unit')} of {label}, up to 50 ms."
    figure = draw_autocorrelograms(one.spike_times[:MAX_UNITS], shown, label)
    folded.append(
        FigureGroup(
            [encode_figure(figure, make_slug("autocorrelograms", *slug), alt)],
            f"{one.dataset}, {label}: autocorrelograms in bins of 1 ms. A single neuron has a gap "
            "around 0.",
        )
    )
    if not _has_stimuli(one):
        alt = f"Spikes of {write_count(len(one.unit), 'unit')} of {label} over the session."
        figure = draw_session_raster(
            one.spike_times, one.onset_s, float(one.summary["duration_s"]), label
        )
        blocks.append(
            FigureGroup(
                [encode_figure(figure, make_slug("raster", *slug), alt)],
                f"{one.dataset}, {label}: spikes of all kept units; lines: "
                f"{'starts of movies' if one.shows_movies else 'onsets of stimuli'}.",
            )
        )
    blocks.append(Details(f"Waveforms and autocorrelograms of {label}", folded))
    return blocks


def _draw_examples(one: SortedSession, label: str) -> list[Picture]:
    """Draw the units whose counts differ most between stimuli."""
    if not _has_stimuli(one):
        return []
    modulation = [_measure_modulation(times, one.onset_s, one.shown) for times in one.spike_times]
    pictures = []
    for row in np.argsort(modulation)[::-1][:N_EXAMPLES]:
        name = one.unit[row]
        alt = f"Raster and PSTH of unit {name} of {label}."
        figure = draw_raster(one.spike_times[row], one.onset_s, one.shown, f"unit {name}")
        slug = make_slug("unit", one.dataset, one.subject, one.session, name)
        pictures.append(encode_figure(figure, slug, alt))
    return pictures


def _has_stimuli(one: SortedSession) -> bool:
    """Whether stimuli were flashed again and again: movies fill no raster around their onset."""
    return not one.shows_movies and len(one.shown) >= 2 * len(np.unique(one.shown))


def _measure_modulation(
    times: np.ndarray,
    onset_s: np.ndarray,
    shown: np.ndarray,
    window_s: tuple[float, float] = (0.05, 0.2),
) -> float:
    count = np.searchsorted(times, onset_s + window_s[1]) - np.searchsorted(
        times, onset_s + window_s[0]
    )
    return float(pd.Series(count).groupby(shown).mean().std())


def _draw_accuracy(one: SortedSession) -> Picture:
    truth = one.truth
    if truth is None:
        raise ValueError("no planted cells")
    label = f"{one.subject} · session {one.session}"
    isolated = truth[truth["snr"] >= WELL_ISOLATED_SNR]
    alt = (
        f"Accuracy against planted signal-to-noise ratio of {write_count(len(truth), 'cell')} of "
        f"{label}; mean over {len(isolated)} well isolated ones {isolated['accuracy'].mean():.2f}."
    )
    figure = draw_accuracy(
        truth["snr"].to_numpy(float), truth["accuracy"].to_numpy(float), WELL_ISOLATED_SNR, label
    )
    return encode_figure(figure, make_slug("accuracy", one.dataset, one.subject, one.session), alt)


def _compose_reliability(
    dataset: str, subject: str, by_session: dict[str, np.ndarray]
) -> FigureGroup:
    medians = ", ".join(
        f"session {name}: {np.median(values):.2f}" if len(values) else f"session {name}: none"
        for name, values in by_session.items()
    )
    alt = f"Split-half reliability of the units of {subject} by session. Medians: {medians}."
    figure = draw_reliability_by_session(by_session, subject)
    return FigureGroup(
        [encode_figure(figure, make_slug("reliability-by-session", dataset, subject), alt)],
        f"{dataset}, {subject}: split-half reliability of every unit by session. Line: median.",
    )
