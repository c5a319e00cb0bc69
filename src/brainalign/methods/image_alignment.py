"""Experiments of methods that pair images with responses and embed both in one space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.base import AlignmentMethod
from brainalign.methods.experiment import ExperimentJob, FittedExperiment
from brainalign.methods.pairs import ALL_AREAS, ImageExperiment, read_image_experiment
from brainalign.methods.prediction import compose_predictions, join_predictions
from brainalign.methods.registry import get_method
from brainalign.methods.weights import Weights, prefix_weights, select_weights


def fit_experiment(job: ExperimentJob) -> FittedExperiment:
    """Fit a method to every area, seed and fold.

    Parameters
    ----------
    job : ExperimentJob
        Names the stores; its options have ``seeds``, ``feature``, ``normalisation``, ``by_area``.
    """
    options = job.options
    experiment = read_image_experiment(
        job.stimuli, job.responses, job.features, options["feature"], options["normalisation"]
    )
    areas = experiment.divide_by_area() if options["by_area"] else {ALL_AREAS: experiment}
    weights: Weights = {}
    histories = []
    for area, part in areas.items():
        for fold in range(part.splits.n_folds):
            for fitted, history in _fit_seeds(job, part, area, fold):
                weights |= fitted
                histories.append(history)
    description = {
        "method": job.method,
        "options": job.method_options,
        "feature": options["feature"],
        "normalisation": options["normalisation"],
        "seeds": options["seeds"],
        "areas": list(areas),
        "n_folds": experiment.splits.n_folds,
        "units": {subject.subject: subject.unit.tolist() for subject in experiment.subjects},
    }
    return FittedExperiment(weights, description, pd.concat(histories, ignore_index=True))


def predict_experiment(job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
    """Embed test stimuli and responses with every fit.

    Returns
    -------
    predictions : xarray.DataTree
        Groups ``/{subject}/{area}/{matching}``.

    Raises
    ------
    InputError
        The model was fitted to other units.
    """
    description = fitted.description
    experiment = read_image_experiment(
        job.stimuli,
        job.responses,
        job.features,
        description["feature"],
        description["normalisation"],
    )
    _check_units(description["units"], experiment)
    areas = experiment.divide_by_area()
    parts: dict[str, dict[tuple[int, int], xr.Dataset]] = {}
    for area in description["areas"]:
        for seed in description["seeds"]:
            for fold in range(description["n_folds"]):
                weights = select_weights(fitted.weights, name_part(area, seed, fold))
                method = restore_method(job.method, description["options"], weights)
                predicted = _predict_part(method, areas[area], fold, job.options["n_half_splits"])
                for (subject, variant), part in predicted.items():
                    parts.setdefault(f"/{subject}/{area}/{variant}", {})[seed, fold] = part
    groups = {group: join_predictions(joined) for group, joined in parts.items()}
    return xr.DataTree.from_dict({"/": xr.Dataset(), **groups})


def name_part(area: str, seed: int, fold: int) -> str:
    """Name one fit of an experiment, as its weights and checkpoints are prefixed."""
    return f"area-{area}/seed-{seed}/fold-{fold}/"


def restore_method(name: str, options: dict[str, Any], weights: Weights) -> AlignmentMethod:
    """Make a fitted method of options and weights."""
    method_class = get_method(name)
    method = method_class(method_class.Options.model_validate(options))
    method.set_weights(weights)
    return method


def _fit_seeds(
    job: ExperimentJob, experiment: ImageExperiment, area: str, fold: int
) -> Iterator[tuple[Weights, pd.DataFrame]]:
    seeds = job.options["seeds"]
    parts = [name_part(area, seed, fold) for seed in seeds]
    method_class = get_method(job.method)
    options = method_class.Options.model_validate(job.method_options)
    methods = [method_class(options) for _ in seeds]
    histories = method_class.fit_together(
        methods,
        experiment.take_split(fold, "train"),
        experiment.take_split(fold, "validation"),
        seeds=seeds,
        device=job.device,
        scratches=[job.scratch / part if job.scratch else None for part in parts],
        reports=[job.watch(part) for part in parts],
    )
    for seed, part, method, history in zip(seeds, parts, methods, histories, strict=True):
        weights = prefix_weights(method.get_weights(), part)
        yield weights, history.assign(area=area, seed=seed, fold=fold)


def _check_units(units: dict[str, list[str]], experiment: ImageExperiment) -> None:
    for subject in experiment.subjects:
        if units.get(subject.subject) != subject.unit.tolist():
            raise InputError(
                f"the model was fitted to other units of subject '{subject.subject}'",
                expected=f"{len(units.get(subject.subject, []))} units as in options.json",
                found=f"{len(subject.unit)} units",
                remedy="Fit the model again.",
            )


def _predict_part(
    method: AlignmentMethod, experiment: ImageExperiment, fold: int, n_half_splits: int
) -> dict[tuple[str, str], xr.Dataset]:
    """Embed what each subject saw of the test split, by subject and variant of matching."""
    groups = {}
    for recorded in experiment.subjects:
        shown = np.isin(recorded.stimulus, experiment.splits.list_stimuli(fold, "test"))
        predictions = compose_predictions(
            method,
            subject=recorded.subject,
            stimulus=recorded.stimulus[shown],
            response=recorded.response[fold][shown],
            take_features=experiment.take_features,
            n_half_splits=n_half_splits,
        )
        for variant, dataset in predictions.items():
            groups[recorded.subject, variant] = dataset
    return groups
