"""What the page shows of sorted recordings, read from the folders that sorting publishes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.errors import CorruptDataError
from brainalign.raw.nwb import open_nwb, read_spike_times
from brainalign.report.artifacts import Artifact, Run, load_group
from brainalign.responses.normalisation import apply_session_statistics
from brainalign.sorting.planted_rates import read_planted_rates
from brainalign.stores.read import open_store, read_labels


@dataclass(frozen=True)
class SortedSession:
    """Curated units of one session.

    Attributes
    ----------
    dataset, subject, session : str
        Whose they are.
    summary : dict
        The session's entry in ``summary.json``.
    metrics : pandas.DataFrame
        All units of the sorter with metrics and decision.
    truth : pandas.DataFrame or None
        Planted cells and how well each was found.
    unit : list of str
        Kept units.
    spike_times : list of array of shape (n_spikes,)
        Of kept units, in s.
    main_channel : array of shape (n_units,)
        Row of the channel with the largest waveform; -1 where nothing tells.
    channel_um : array of shape (n_channels, 2)
        Places of the channels.
    waveform : array of shape (n_units, n_times)
        Mean waveform on the main channel, in volts or arbitrary units; NaN where unknown.
    sampling_rate_hz : float
        Of the waveforms; NaN where unknown.
    onset_s : array of shape (n_trials,)
        Onsets of what was shown.
    shown : array of str of shape (n_trials,)
        Ids of stimuli or movies.
    shows_movies : bool
        Which of both.
    """

    dataset: str
    subject: str
    session: str
    summary: dict[str, Any]
    metrics: pd.DataFrame
    truth: pd.DataFrame | None
    unit: list[str]
    spike_times: list[NDArray[np.float64]]
    main_channel: NDArray[np.int64]
    channel_um: NDArray[np.float64]
    waveform: NDArray[np.float64]
    sampling_rate_hz: float
    onset_s: NDArray[np.float64]
    shown: NDArray[np.str_]
    shows_movies: bool


@dataclass(frozen=True)
class PopulationGeometry:
    """Dissimilarities of stimuli, recorded and planted.

    Attributes
    ----------
    dataset, subject : str
        Whose they are.
    recorded, planted : array of shape (n_stimuli, n_stimuli)
        1 - Pearson correlation over units; NaN for pairs that no unit saw both of.
    agreement : float
        Spearman correlation over the pairs known in both.
    """

    dataset: str
    subject: str
    recorded: NDArray[np.float64]
    planted: NDArray[np.float64]
    agreement: float


@dataclass(frozen=True)
class SessionReliability:
    """Reliability of the units of one subject by the sessions that recorded them.

    Attributes
    ----------
    dataset, subject : str
        Whose it is.
    by_session : dict of str to array of shape (n_units,)
        Only units that have a reliability.
    """

    dataset: str
    subject: str
    by_session: dict[str, NDArray[np.float64]]


def read_sorted_sessions(run: Run) -> list[SortedSession]:
    """Read all sessions of all sorted data sets.

    Raises
    ------
    CorruptDataError
        If a folder lacks what sorting publishes.
    """
    return [
        session for name, artifact in run.sorted.items() for session in _read_folder(artifact, name)
    ]


def _read_folder(artifact: Artifact, dataset: str) -> list[SortedSession]:
    try:
        text = (artifact.path / "summary.json").read_text(encoding="utf-8")
        summaries = json.loads(text)["sessions"]
        ids = {"subject": str, "session": str, "unit": str, "unit_name": str}
        metrics = pd.read_csv(artifact.path / "units.csv", dtype=ids)
        path = artifact.path / "truth.csv"
        truth = pd.read_csv(path, dtype=ids, keep_default_na=False) if path.is_file() else None
    except (OSError, ValueError, KeyError) as error:
        raise CorruptDataError(
            "is no folder of sorted units", where=artifact.path, found=str(error)
        ) from error
    return [_read_session(artifact, dataset, one, metrics, truth) for one in summaries]


def _read_session(
    artifact: Artifact,
    dataset: str,
    summary: dict[str, Any],
    metrics: pd.DataFrame,
    truth: pd.DataFrame | None,
) -> SortedSession:
    subject, session = str(summary["subject"]), str(summary["session"])
    path = artifact.path / f"sub-{subject}" / f"sub-{subject}_ses-{session}_ecephys.nwb"
    with open_nwb(path) as nwb:
        unit = [str(name) for name in nwb.units["unit_name"].data[:]]
        places = np.zeros((0, 2))
        main = np.full(len(unit), -1)
        waveform, rate = np.full((len(unit), 1), np.nan), np.nan
        if nwb.electrodes is not None:
            places = np.column_stack([nwb.electrodes[key].data[:] for key in ("rel_x", "rel_y")])
        if "waveform_mean" in nwb.units.colnames:
            waveform = np.asarray(nwb.units["waveform_mean"].data[:])[:, :, 0]
            rate = float(nwb.units.waveform_rate)
            index = nwb.units["electrodes"]
            starts = np.concatenate([[0], np.asarray(index.data[:-1])]).astype(int)
            main = np.asarray(index.target.data[:])[starts]
        names = [name for name in ("stimulus", "movie") if name in nwb.trials.colnames]
        shown = np.asarray([str(value) for value in nwb.trials[names[0]].data[:]])
        onset = np.asarray(nwb.trials["start_time"].data[:], dtype=float)
        spike_times = read_spike_times(nwb, path.name)
    return SortedSession(
        dataset=dataset,
        subject=subject,
        session=session,
        summary=summary,
        metrics=_select(metrics, subject, session),
        truth=None
        if truth is None or not summary.get("truth")
        else _select(truth, subject, session),
        unit=unit,
        spike_times=spike_times,
        main_channel=main,
        channel_um=places,
        waveform=waveform,
        sampling_rate_hz=rate,
        onset_s=onset,
        shown=shown,
        shows_movies=names[0] == "movie",
    )


def _select(table: pd.DataFrame, subject: str, session: str) -> pd.DataFrame:
    own = (table["subject"] == subject) & (table["session"] == session)
    return table[own].reset_index(drop=True)


def read_geometry(run: Run) -> list[PopulationGeometry]:
    """Compare recorded and planted dissimilarities wherever rates are planted."""
    found = []
    for (dataset, subject), artifact in run.responses.items():
        if dataset not in run.sorted:
            continue
        planted = read_planted_rates(run.sorted[dataset].path, subject)
        if planted is None:
            continue
        store = load_group(open_store(artifact.path, "responses").to_dataset(), artifact.path)
        standardised = apply_session_statistics(
            store["response"].values,
            read_labels(store, "session"),
            read_labels(store, "session_name"),
            store["training_mean"].values[0],
            store["training_sd"].values[0],
        )
        stimulus, mean = average_by_stimulus(read_labels(store, "stimulus"), standardised)
        row_of = {str(name): row for row, name in enumerate(planted[0])}
        rates = planted[1][[row_of[str(name)] for name in stimulus]]
        rates = (rates - rates.mean(axis=0)) / rates.std(axis=0)
        recorded, truth = compute_rdm(mean), compute_rdm(rates)
        found.append(
            PopulationGeometry(dataset, subject, recorded, truth, _compare(recorded, truth))
        )
    return found


def read_session_reliability(run: Run) -> list[SessionReliability]:
    """Read the reliabilities of sorted recordings by session."""
    found = []
    for (dataset, subject), artifact in run.responses.items():
        if dataset not in run.sorted:
            continue
        store = open_store(artifact.path, "responses")
        sessions = read_labels(store, "recorded_in")
        reliability = np.asarray(store["reliability"].values, dtype=float)
        known = np.isfinite(reliability)
        found.append(
            SessionReliability(
                dataset,
                subject,
                {
                    str(name): reliability[known & (sessions == name)]
                    for name in np.unique(sessions)
                },
            )
        )
    return found


def average_by_stimulus(
    stimulus: NDArray[np.str_], response: NDArray[np.floating]
) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Average responses over the presentations of each stimulus.

    Parameters
    ----------
    stimulus : array of str of shape (n_presentations,)
        Ids.
    response : array of shape (n_presentations, n_units)
        NaN where a unit was not recorded.

    Returns
    -------
    names : array of str of shape (n_stimuli,)
        Sorted ids.
    mean : array of shape (n_stimuli, n_units)
        NaN where a unit never saw the stimulus.
    """
    names, position = np.unique(stimulus, return_inverse=True)
    known = np.isfinite(response)
    total = np.zeros((len(names), response.shape[1]))
    count = np.zeros_like(total)
    np.add.at(total, position, np.where(known, response, 0.0))
    np.add.at(count, position, known)
    with np.errstate(invalid="ignore"):
        return names, total / np.where(count, count, np.nan)


def compute_rdm(mean: NDArray[np.floating]) -> NDArray[np.float64]:
    """Compute 1 - Pearson correlation over the units that saw both stimuli of a pair.

    Parameters
    ----------
    mean : array of shape (n_stimuli, n_units)
        NaN where a unit did not see a stimulus.

    Returns
    -------
    rdm : array of shape (n_stimuli, n_stimuli)
        NaN with fewer than three common units.
    """
    n_stimuli = len(mean)
    rdm = np.full((n_stimuli, n_stimuli), np.nan)
    for row in range(n_stimuli):
        for column in range(row, n_stimuli):
            both = np.isfinite(mean[row]) & np.isfinite(mean[column])
            if both.sum() < 3:
                continue
            one, other = mean[row, both], mean[column, both]
            one, other = one - one.mean(), other - other.mean()
            scale = np.sqrt((one**2).sum() * (other**2).sum())
            if scale > 0:
                rdm[row, column] = rdm[column, row] = 1 - float(one @ other) / scale
    return rdm


def _compare(recorded: NDArray[np.float64], planted: NDArray[np.float64]) -> float:
    pairs = np.triu_indices(len(recorded), k=1)
    both = pd.DataFrame({"recorded": recorded[pairs], "planted": planted[pairs]}).dropna()
    return float(both["recorded"].corr(both["planted"], method="spearman"))
