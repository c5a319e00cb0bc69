"""Assemble the response store of one subject from its sessions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.recording import RawDataset, SpikeSession
from brainalign.responses.counts import count_spikes, number_repeats, subtract_baseline
from brainalign.responses.normalisation import (
    apply_session_statistics,
    compute_session_statistics,
)
from brainalign.responses.options import SpikeResponseOptions
from brainalign.responses.reliability import (
    classify_units,
    estimate_noise_ceiling,
    split_half_reliability,
)
from brainalign.stimuli.read import StimulusSplits
from brainalign.stores.read import read_labels


@dataclass(frozen=True)
class CountedSession:
    """One session of one subject, counted.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units), float32
        Counts or rates; NaN where a unit was not recorded.
    presentations : pandas.DataFrame
        ``stimulus``, ``onset_s`` and ``session`` of each row.
    units : pandas.DataFrame
        Indexed by unit id; column ``area`` and whatever else places a unit.
    """

    response: np.ndarray
    presentations: pd.DataFrame
    units: pd.DataFrame


def build_spike_responses(
    dataset: RawDataset, subject: str, options: SpikeResponseOptions, splits: StimulusSplits | None
) -> xr.Dataset:
    """Build the responses of one subject of a data set of spikes and images.

    Parameters
    ----------
    dataset : RawDataset
        Gives the sessions of the subject.
    subject : str
        Id of the subject.
    options, splits
        As :func:`build_image_responses` takes them.
    """
    return build_image_responses(dataset.read_sessions(subject), options, splits)


def build_image_responses(
    sessions: Iterable[SpikeSession],
    options: SpikeResponseOptions,
    splits: StimulusSplits | None,
) -> xr.Dataset:
    """Count, stack and describe the responses of one subject to images.

    Parameters
    ----------
    sessions : iterable of SpikeSession
        All sessions of the subject.
    options : SpikeResponseOptions
        Windows, normalisation and reliability.
    splits : StimulusSplits or None
        Training stimuli per fold; None for data without a stimulus store, where every
        presentation counts as training.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, image design. ``response`` holds spike counts as they are;
        ``training_mean`` and ``training_sd`` hold what :func:`normalise_responses` needs.
        Reliability and ceiling are of z-scored counts over all stimuli: they describe the
        recording and choose nothing.

    Raises
    ------
    InputError
        If there is no session, no unit or no presentation, or stimuli lack a split.
    """
    counted = [_count_session(session, options) for session in sessions]
    responses = compose_image_responses(counted, options, splits)
    responses.attrs["window_ms"] = options.window_ms
    baseline = f", above the baseline of {options.baseline_ms} ms" if options.baseline_ms else ""
    describe_responses(
        responses, f"spike count from {options.window_ms} ms after onset{baseline}", "spikes"
    )
    return responses


def compose_image_responses(
    counted: list[CountedSession], options: SpikeResponseOptions, splits: StimulusSplits | None
) -> xr.Dataset:
    """Stack the counted sessions of one subject and add statistics, reliability and ceilings.

    Parameters
    ----------
    counted : list of CountedSession
        All sessions of the subject.
    options : SpikeResponseOptions
        Normalisation and reliability.
    splits : StimulusSplits or None
        As :func:`build_image_responses` takes them.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, image design; see :func:`describe_responses` for its descriptions.

    Raises
    ------
    InputError
        If there is no unit or no presentation, or stimuli lack a split.
    """
    if not counted or sum(session.response.shape[1] for session in counted) == 0:
        raise InputError("no session with a unit; there is nothing to count")
    unit_table, response = _stack_units(counted)
    presentations = pd.concat([session.presentations for session in counted], ignore_index=True)
    if not len(presentations):
        raise InputError("no presentation of a stimulus in any session")
    stimulus = presentations["stimulus"].to_numpy(dtype=np.str_)
    session = presentations["session"].to_numpy(dtype=np.str_)
    names = np.unique(session)
    training = mark_training(stimulus, splits)
    statistics = [compute_session_statistics(response, session, names, row) for row in training]
    everything = np.ones(len(stimulus), dtype=bool)
    described = apply_session_statistics(
        response, session, names, *compute_session_statistics(response, session, names, everything)
    )
    summary = _summarise_units(response, described, stimulus, options)
    return _compose_dataset(response, unit_table, presentations, names, statistics, summary)


def normalise_responses(responses: xr.Dataset, fold: int, normalisation: str) -> np.ndarray:
    """Give the responses as methods see them.

    Parameters
    ----------
    responses : xarray.Dataset
        A response store, image design.
    fold : int
        The fold whose training stimuli set mean and SD; 0 where there is one split.
    normalisation : {"session_zscore", "none"}
        See :class:`SpikeResponseOptions`.

    Returns
    -------
    response : array of shape (n_presentations, n_units), float32
        Z-scores, or the counts.
    """
    response = responses["response"].values
    if normalisation == "none":
        return response
    return apply_session_statistics(
        response,
        read_labels(responses, "session"),
        read_labels(responses, "session_name"),
        responses["training_mean"].values[fold],
        responses["training_sd"].values[fold],
    )


def _count_session(session: SpikeSession, options: SpikeResponseOptions) -> CountedSession:
    onset_s = session.presentations["onset_s"].to_numpy(dtype=np.float64)
    count = count_spikes(session.spike_times, onset_s, options.window_ms)
    if options.baseline_ms is not None:
        baseline = count_spikes(session.spike_times, onset_s, options.baseline_ms)
        count = subtract_baseline(count, baseline, options.window_ms, options.baseline_ms)
    presentations = session.presentations[["stimulus", "onset_s"]].assign(session=session.session)
    return CountedSession(count, presentations, session.units)


def _stack_units(counted: list[CountedSession]) -> tuple[pd.DataFrame, np.ndarray]:
    """Join units by id; a unit that was not recorded in a session is NaN there."""
    joined = pd.concat([session.units for session in counted])
    units = joined[~joined.index.duplicated()].copy()
    sessions_of_unit: dict[str, list[str]] = {unit: [] for unit in units.index}
    blocks = []
    for session in counted:
        block = np.full((len(session.response), len(units)), np.nan, dtype=np.float32)
        block[:, units.index.get_indexer(session.units.index)] = session.response
        blocks.append(block)
        if len(session.presentations):
            for unit in session.units.index:
                sessions_of_unit[unit].append(str(session.presentations["session"].iloc[0]))
    units["recorded_in"] = [";".join(names) for names in sessions_of_unit.values()]
    return units, np.concatenate(blocks)


def mark_training(stimulus: np.ndarray, splits: StimulusSplits | None) -> np.ndarray:
    """Mark the presentations of training stimuli, shape (n_folds, n_presentations), bool.

    Raises
    ------
    InputError
        If a presented stimulus is not in the stimulus store.
    """
    if splits is None:
        return np.ones((1, len(stimulus)), dtype=bool)
    position = {str(name): row for row, name in enumerate(splits.stimulus)}
    missing = sorted(set(stimulus.tolist()) - set(position))
    if missing:
        raise InputError(
            f"{len(missing)} presented stimuli are not in the stimulus store",
            found=", ".join(missing[:5]),
            remedy="Run the stimuli stage again; its raw data may have changed.",
        )
    return splits.split[:, [position[name] for name in stimulus.tolist()]] == "train"


def _summarise_units(
    count: np.ndarray, described: np.ndarray, stimulus: np.ndarray, options: SpikeResponseOptions
) -> dict[str, np.ndarray]:
    # Silence and constancy are facts about counts; z-scores of a silent unit would hide them.
    status = classify_units(count, stimulus, options.min_repeated_stimuli)
    reliability = split_half_reliability(
        described,
        stimulus,
        n_splits=options.n_half_splits,
        seed=options.seed,
        min_repeated_stimuli=options.min_repeated_stimuli,
    )
    ceiling = estimate_noise_ceiling(
        described, stimulus, min_repeated_stimuli=options.min_repeated_stimuli
    )
    shares = {
        "reliability": reliability,
        "noise_ceiling": ceiling.repeat_mean,
        "single_trial_ceiling": ceiling.single_trial,
    }
    usable = status == "ok"
    return {
        "unit_status": status,
        **{
            name: np.where(usable, share, np.nan).astype(np.float32)
            for name, share in shares.items()
        },
    }


def _compose_dataset(
    response: np.ndarray,
    unit_table: pd.DataFrame,
    presentations: pd.DataFrame,
    sessions: np.ndarray,
    statistics: list[tuple[np.ndarray, np.ndarray]],
    summary: dict[str, np.ndarray],
) -> xr.Dataset:
    stimulus = presentations["stimulus"].to_numpy(dtype=np.str_)
    unit_coordinates = {
        str(name): (
            "unit",
            column.to_numpy(
                dtype=np.str_
                if column.dtype == object or str(column.dtype).startswith("str")
                else None
            ),
        )
        for name, column in unit_table.items()
    }
    return xr.Dataset(
        {
            "response": (("presentation", "unit"), response),
            "training_mean": (
                ("fold", "session_name", "unit"),
                np.stack([mean for mean, _ in statistics]),
            ),
            "training_sd": (
                ("fold", "session_name", "unit"),
                np.stack([sd for _, sd in statistics]),
            ),
            **{name: ("unit", values) for name, values in summary.items()},
        },
        coords={
            "unit": unit_table.index.to_numpy(dtype=np.str_),
            **unit_coordinates,
            "stimulus": ("presentation", stimulus),
            "repeat": ("presentation", number_repeats(stimulus)),
            "session": ("presentation", presentations["session"].to_numpy(dtype=np.str_)),
            "onset": ("presentation", presentations["onset_s"].to_numpy(dtype=np.float64)),
            "session_name": sessions,
        },
        attrs={"design": "images"},
    )


def describe_responses(dataset: xr.Dataset, response_name: str, unit_name: str) -> None:
    """Give every variable of composed responses its description and units, in place.

    Parameters
    ----------
    dataset : xarray.Dataset
        From :func:`compose_image_responses`.
    response_name : str
        What a response is.
    unit_name : str
        Units of responses.
    """
    descriptions = {
        "response": (response_name, unit_name),
        "training_mean": ("mean over presentations of training stimuli", unit_name),
        "training_sd": ("standard deviation over presentations of training stimuli", unit_name),
        "unit_status": ("ok, or why the unit is left out of means", "1"),
        "reliability": ("split-half reliability, Spearman-Brown corrected", "1"),
        "noise_ceiling": ("explainable share of the variance of the mean over repeats", "1"),
        "single_trial_ceiling": ("explainable share of the variance of one presentation", "1"),
        "stimulus": ("id of the presented stimulus", "1"),
        "repeat": ("number of the presentation among those of its stimulus, from 0", "1"),
        "session": ("session of the presentation", "1"),
        "onset": ("stimulus onset on the clock of the session", "s"),
        "session_name": ("sessions, for the training statistics", "1"),
        "unit": ("unit id", "1"),
        "area": ("brain area of the unit", "1"),
        "recorded_in": ("sessions in which the unit was recorded", "1"),
    }
    for name, variable in dataset.variables.items():
        long_name, units = descriptions.get(str(name), (str(name).replace("_", " "), "1"))
        if str(name).endswith("_px"):
            units = "pixel"
        variable.attrs.update({"long_name": long_name, "units": units})
