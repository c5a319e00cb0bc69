"""Assemble the response store of one subject that watched movies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.movies import MovieCollection, MovieSession, MovieTrial, RawMovieDataset
from brainalign.responses.movie_counts import count_frame_bins, count_width_bins
from brainalign.responses.movie_fields import describe_receptive_fields
from brainalign.responses.movie_reliability import estimate_movie_reliability
from brainalign.responses.options import MovieResponseOptions
from brainalign.stimuli.read import FrameSplits

_DESCRIPTIONS = {
    "response": ("spikes per bin", "spikes"),
    "window": ("number of the recorded window, -1 outside", "1"),
    "unit_status": ("ok, or why the unit is left out of means", "1"),
    "split_half_correlation": ("correlation of the rates of random halves of the repeats", "1"),
    "reliability": ("split-half correlation, Spearman-Brown corrected to all repeats", "1"),
    "noise_ceiling": ("largest correlation of a model with the rate over all repeats", "1"),
    "oracle_correlation": ("correlation of single trials with the mean of the others", "1"),
    "explainable_variance": ("share of the variance of the mean that movies explain", "1"),
    "mean_rate": ("mean rate over all recorded bins", "Hz"),
    "movie": ("id of the movie", "1"),
    "repeat": ("number of the trial among those of its movie, from 0", "1"),
    "session": ("session of the trial", "1"),
    "onset": ("start of the first recorded frame on the clock of the session", "s"),
    "n_missing_triggers": ("frame triggers that were added", "1"),
    "n_double_triggers": ("frame triggers that were removed", "1"),
    "time": ("start of the bin from the movie's onset", "s"),
    "unit": ("unit id", "1"),
    "area": ("brain area of the unit", "1"),
    "recorded_in": ("sessions in which the unit was recorded", "1"),
}


def build_movie_responses(
    dataset: RawMovieDataset,
    subject: str,
    options: MovieResponseOptions,
    splits: FrameSplits | None,
) -> xr.Dataset:
    """Count, stack and describe the responses of one subject to movies.

    Parameters
    ----------
    dataset : RawMovieDataset
        Gives movies and the sessions of the subject.
    subject : str
        Id of the subject.
    options : MovieResponseOptions
        Bins, reliability and receptive fields.
    splits : FrameSplits or None
        Training frames; None for a data set without a stimulus store, where all frames train.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, movie design, see ``docs/retina.md``. ``response`` holds spike
        counts as they are. Reliability is over all bins: it describes the recording and chooses
        nothing.

    Raises
    ------
    InputError
        If there is no session, no unit or no trial of a movie for models, or a movie is not in
        the stimulus store.
    """
    collection = dataset.read_movies()
    sessions = list(dataset.read_movie_sessions(subject))
    units = _join_units(sessions)
    shown = set(collection.list_names("model"))
    trials = [
        (session, trial) for session in sessions for trial in session.trials if trial.movie in shown
    ]
    if not trials:
        raise InputError("no trial of a movie for models", where=f"subject '{subject}'")
    _check_movies({trial.movie for _, trial in trials}, splits)
    rate_hz = collection.movies[trials[0][1].movie].frame_rate_hz
    bin_s = 1 / rate_hz if options.bins == "frames" else float(options.bins) / 1000
    response, window = _stack_trials(trials, units, collection, options, bin_s)
    movie = np.array([trial.movie for _, trial in trials], dtype=np.str_)
    status = _classify(response, movie, splits, rate_hz * bin_s)
    reliability = estimate_movie_reliability(response, movie, options.n_half_splits, options.seed)
    usable = np.isin(status, ["silent", "constant", "too_few_repeats"], invert=True)
    fields, source = describe_receptive_fields(
        sessions, units, collection, options.receptive_fields, splits
    )
    responses = xr.Dataset(
        {
            "response": (("trial", "time", "unit"), response),
            "window": (("trial", "time"), window),
            "unit_status": ("unit", status),
            "mean_rate": ("unit", np.nanmean(response, axis=(0, 1)) / np.float32(bin_s)),
            **{
                name: ("unit", np.where(usable, values, np.nan).astype(np.float32))
                for name, values in vars(reliability).items()
            },
            **fields.data_vars,
        },
        coords={
            "unit": units.index.to_numpy(dtype=np.str_),
            **_list_unit_coordinates(units),
            "movie": ("trial", movie),
            "repeat": ("trial", _number_repeats(movie)),
            "session": ("trial", np.array([one.session for one, _ in trials], dtype=np.str_)),
            "onset": ("trial", np.array([np.nanmin(trial.start_s) for _, trial in trials])),
            "n_missing_triggers": ("trial", np.array([t.n_missing_triggers for _, t in trials])),
            "n_double_triggers": ("trial", np.array([t.n_double_triggers for _, t in trials])),
            "time": np.arange(response.shape[1]) * bin_s,
        },
        attrs={
            "design": "movies",
            "bin_s": bin_s,
            "bins": "frames" if options.bins == "frames" else "width",
            "frame_rate_hz": rate_hz,
            "rf_source": source,
        },
    )
    for name, variable in responses.variables.items():
        long_name, unit = _DESCRIPTIONS.get(
            str(name), (variable.attrs.get("long_name", str(name).replace("_", " ")), "1")
        )
        variable.attrs.setdefault("long_name", long_name)
        variable.attrs.setdefault("units", unit)
    return responses


def _join_units(sessions: list[MovieSession]) -> pd.DataFrame:
    """Join the units of all sessions by id."""
    if not sessions or not any(len(session.units) for session in sessions):
        raise InputError("no session with a unit; there is nothing to count")
    joined = pd.concat([session.units for session in sessions])
    units = joined[~joined.index.duplicated()].copy()
    units["recorded_in"] = [
        ";".join(one.session for one in sessions if unit in one.units.index) for unit in units.index
    ]
    return units


def _list_unit_coordinates(units: pd.DataFrame) -> dict[str, Any]:
    return {
        str(name): (
            "unit",
            column.to_numpy(dtype=None if column.dtype.kind in "fiub" else np.str_),
        )
        for name, column in units.items()
    }


def _check_movies(names: set[str], splits: FrameSplits | None) -> None:
    missing = sorted(names - set(splits.movie.tolist())) if splits is not None else []
    if missing:
        raise InputError(
            f"movie '{missing[0]}' of trials is not in the stimulus store",
            remedy="Run the stimuli stage again; its raw data may have changed.",
        )


def _stack_trials(
    trials: list[tuple[MovieSession, MovieTrial]],
    units: pd.DataFrame,
    collection: MovieCollection,
    options: MovieResponseOptions,
    bin_s: float,
) -> tuple[np.ndarray, np.ndarray]:
    counted = []
    for session, trial in trials:
        movie = collection.movies[trial.movie]
        if len(trial.start_s) != movie.n_frames:
            raise InputError(
                "frame times do not match the movie",
                where=f"{session.source} movie '{trial.movie}'",
                expected=f"{movie.n_frames} frames",
                found=len(trial.start_s),
            )
        if options.bins == "frames":
            count, window = count_frame_bins(session.spike_times, trial), trial.window
        else:
            count, window = count_width_bins(session.spike_times, trial, movie.frame_rate_hz, bin_s)
        counted.append((units.index.get_indexer(session.units.index), count, window))
    n_bins = max(len(window) for _, _, window in counted)
    response = np.full((len(trials), n_bins, len(units)), np.nan, dtype=np.float32)
    windows = np.full((len(trials), n_bins), -1, dtype=np.int32)
    for row, (columns, count, window) in enumerate(counted):
        response[row, : len(count), columns] = count.T
        windows[row, : len(window)] = window
    return response, windows


def _classify(
    response: np.ndarray, movie: np.ndarray, splits: FrameSplits | None, frames_per_bin: float
) -> np.ndarray:
    """Say per unit whether it can be scored, and if not, why."""
    n_units = response.shape[2]
    status = np.full(n_units, "ok", dtype="<U20")
    total = np.nansum(response, axis=(0, 1))
    spread = np.nanmax(response, axis=(0, 1)) - np.nanmin(response, axis=(0, 1))
    recorded = np.isfinite(response).any(axis=1)
    repeats = [recorded[movie == name].sum(axis=0) for name in np.unique(movie)]
    if splits is not None:
        for name, rows in (("test", splits.list_splits()), ("training", splits.list_splits())):
            part = "train" if name == "training" else name
            for split in rows:
                counted = _count_in_split(response, movie, splits, split == part, frames_per_bin)
                status[counted == 0] = f"silent_in_{name}"
    status[np.max(repeats, axis=0) < 2] = "too_few_repeats"
    status[spread == 0] = "constant"
    status[total == 0] = "silent"
    return status


def _count_in_split(
    response: np.ndarray,
    movie: np.ndarray,
    splits: FrameSplits,
    chosen: np.ndarray,
    frames_per_bin: float,
) -> np.ndarray:
    """Count the spikes of every unit in the bins that start in chosen frames."""
    total = np.zeros(response.shape[2])
    for name in np.unique(movie):
        rows = splits.movie == name
        is_chosen = np.zeros(int(splits.frame_number[rows].max()) + 1, dtype=bool)
        is_chosen[splits.frame_number[rows]] = chosen[rows]
        frame = (np.arange(response.shape[1]) * frames_per_bin + 1e-6).astype(int)
        inside = np.zeros(len(frame), dtype=bool)
        known = frame < len(is_chosen)
        inside[known] = is_chosen[frame[known]]
        total += np.nansum(response[movie == name][:, inside], axis=(0, 1))
    return total


def _number_repeats(movie: np.ndarray) -> np.ndarray:
    return pd.Series(movie).groupby(movie).cumcount().to_numpy(dtype=np.int32)
