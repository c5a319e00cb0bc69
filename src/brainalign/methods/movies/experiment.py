"""Experiments of methods that predict rates during movies."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.experiment import ExperimentJob, FittedExperiment
from brainalign.methods.movies.arrays import Movies
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.movies.stores import (
    MovieExperiment,
    MovieResponses,
    read_movie_experiment,
)
from brainalign.methods.registry import get_method
from brainalign.methods.weights import Weights, prefix_weights, select_weights
from brainalign.training.progress import ProgressReport

ALL_AREAS = "all"
_CONTROL_SEED = 0
"""The shuffled stimulus is the same for all methods and seeds."""


def fit_experiment(job: ExperimentJob) -> FittedExperiment:
    """Fit a method to every subject, protocol, fold and seed.

    Parameters
    ----------
    job : ExperimentJob
        Names the stores; its options have ``seeds`` and ``feature``.

    Notes
    -----
    A method without randomness is fitted once and shared by all seeds.
    """
    experiment = _read(job, job.method_options, job.options["feature"])
    weights: Weights = {}
    histories = []
    for recorded in experiment.subjects:
        for protocol, split in experiment.split.items():
            for fold in range(len(split)):
                for seed in _list_fitted_seeds(job.method, job.options["seeds"]):
                    fitted, history = _fit_part(job, experiment, recorded, protocol, fold, seed)
                    weights |= fitted
                    histories.append(history)
    description = {
        "method": job.method,
        "options": job.method_options,
        "feature": job.options["feature"],
        "seeds": job.options["seeds"],
        "n_folds": {protocol: len(split) for protocol, split in experiment.split.items()},
        "units": {one.subject: one.cells.unit.tolist() for one in experiment.subjects},
    }
    return FittedExperiment(weights, description, pd.concat(histories, ignore_index=True))


def predict_experiment(job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
    """Predict the test frames with every fit, also from reversed and shuffled movies.

    Returns
    -------
    predictions : xarray.DataTree
        Groups ``/{subject}/all/{protocol}``.

    Raises
    ------
    InputError
        The model was fitted to other units.
    """
    description = fitted.description
    experiment = _read(job, description["options"], description["feature"])
    groups: dict[str, xr.Dataset] = {"/": xr.Dataset()}
    for recorded in experiment.subjects:
        if description["units"].get(recorded.subject) != recorded.cells.unit.tolist():
            raise InputError(
                f"the model was fitted to other units of subject '{recorded.subject}'",
                remedy="Fit the model again.",
            )
        for protocol, n_folds in description["n_folds"].items():
            folds = [
                _predict_fold(job, fitted, experiment, recorded, protocol, fold)
                for fold in range(n_folds)
            ]
            joined = xr.concat(
                folds, dim="frame", data_vars="minimal", coords="minimal", compat="override"
            )
            groups[f"/{recorded.subject}/{ALL_AREAS}/{protocol}"] = _describe(joined)
    return xr.DataTree.from_dict(groups)


def name_part(subject: str, protocol: str, fold: int, seed: int) -> str:
    """Name one fit, as its weights and checkpoints are prefixed."""
    return f"subject-{subject}/{protocol}/fold-{fold}/seed-{seed}/"


def restore_method(name: str, options: dict[str, Any], weights: Weights) -> RateMethod:
    """Make a fitted method of options and weights."""
    method = _make_method(name, options)
    method.set_weights(weights)
    return method


def _make_method(name: str, options: dict[str, Any]) -> RateMethod:
    method_class = cast(type[RateMethod], get_method(name))
    return method_class(method_class.Options.model_validate(options))


def _list_fitted_seeds(name: str, seeds: list[int]) -> list[int]:
    return seeds if cast(type[RateMethod], get_method(name)).is_random else seeds[:1]


def _read(job: ExperimentJob, options: dict[str, Any], feature: str) -> MovieExperiment:
    return read_movie_experiment(
        job.stimuli,
        job.responses,
        job.features,
        options["token_path"] or feature,
        options["protocols"],
    )


def _fit_part(
    job: ExperimentJob,
    experiment: MovieExperiment,
    recorded: MovieResponses,
    protocol: str,
    fold: int,
    seed: int,
) -> tuple[Weights, pd.DataFrame]:
    part = name_part(recorded.subject, protocol, fold, seed)
    method = _make_method(job.method, job.method_options)
    history = method.fit(
        experiment.movies,
        recorded.cells,
        experiment.take_split(recorded, protocol, fold, "train"),
        experiment.take_split(recorded, protocol, fold, "validation"),
        seed=seed,
        device=job.device,
        scratch=job.scratch / part if job.scratch else None,
        report=ProgressReport(f"{job.method} {part}"),
    )
    history = history.assign(
        subject=recorded.subject, area=ALL_AREAS, protocol=protocol, seed=seed, fold=fold
    )
    return prefix_weights(method.get_weights(), part), history


def _predict_fold(
    job: ExperimentJob,
    fitted: FittedExperiment,
    experiment: MovieExperiment,
    recorded: MovieResponses,
    protocol: str,
    fold: int,
) -> xr.Dataset:
    description = fitted.description
    test = experiment.take_split(recorded, protocol, fold, "test")
    frames = test.frames
    shown = {
        "predicted_response": experiment.movies,
        "predicted_response_reversed": reverse_movies(experiment.movies),
        "predicted_response_shuffled": shuffle_movies(experiment.movies),
    }
    seeds = description["seeds"]
    predicted: dict[str, list[np.ndarray]] = {name: [] for name in shown}
    for seed in _list_fitted_seeds(description["method"], seeds):
        part = name_part(recorded.subject, protocol, fold, seed)
        method = restore_method(
            description["method"], description["options"], select_weights(fitted.weights, part)
        )
        for name, movies in shown.items():
            predicted[name].append(method.predict(movies, recorded.cells, job.device)[frames])
    axes = ("seed", "frame", "unit")
    shape = (len(seeds), len(frames), len(recorded.cells.unit))
    train = experiment.take_split(recorded, protocol, fold, "train")
    return xr.Dataset(
        {
            **{
                name: (axes, np.broadcast_to(np.stack(rates), shape).copy())
                for name, rates in predicted.items()
            },
            "recorded_response": (("repeat", "frame", "unit"), recorded.count[:, frames]),
            "mean_rate": (
                ("frame", "unit"),
                np.tile(train.rate[train.frames].mean(0), (len(frames), 1)),
            ),
            "fold": ("frame", np.full(len(frames), fold, np.int32)),
            "movie": ("frame", experiment.movies.movie[frames]),
            "time": ("frame", experiment.time[frames]),
            "split": ("frame", experiment.split[protocol][fold][frames]),
            "stretch": ("frame", test.stretch[frames]),
        },
        coords={"seed": np.asarray(seeds), "unit": recorded.cells.unit},
        attrs={"frame_rate_hz": experiment.movies.frame_rate},
    )


def reverse_movies(movies: Movies) -> Movies:
    """Show each movie backwards: a control that keeps every frame and loses their order."""
    return movies.rearrange(
        np.concatenate([np.arange(s.stop - 1, s.start - 1, -1) for s in movies.list_spans()])
    )


def shuffle_movies(movies: Movies) -> Movies:
    """Show the frames of each movie in a random order, the same for all methods."""
    generator = np.random.default_rng(_CONTROL_SEED)
    return movies.rearrange(
        np.concatenate(
            [s.start + generator.permutation(s.stop - s.start) for s in movies.list_spans()]
        )
    )


def _describe(dataset: xr.Dataset) -> xr.Dataset:
    descriptions = {
        "predicted_response": ("predicted rate at the test frames", "Hz"),
        "predicted_response_reversed": ("predicted from the movies shown backwards", "Hz"),
        "predicted_response_shuffled": ("predicted from the movies' frames in random order", "Hz"),
        "recorded_response": ("recorded spikes per frame of each repeat", "1"),
        "mean_rate": ("mean rate in the training split of the frame's fold", "Hz"),
        "fold": ("tested fold of each frame", "1"),
        "movie": ("movie of each frame", "1"),
        "time": ("time from the movie's onset", "s"),
        "split": ("split of each frame", "1"),
        "stretch": ("contiguous recorded stretch of each frame, within its fold", "1"),
    }
    for name, (long_name, units) in descriptions.items():
        dataset[name].attrs.update({"long_name": long_name, "units": units})
    return dataset
