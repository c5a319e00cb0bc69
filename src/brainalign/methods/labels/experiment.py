"""Experiments of methods that predict labels from the responses of one or several subjects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.clip_mused.model import CLIPMused
from brainalign.methods.experiment import ExperimentJob, FittedExperiment
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.labels.base import LabelMethod
from brainalign.methods.labels.prediction import compose_predictions, join_predictions
from brainalign.methods.labels.stores import LabelExperiment, read_label_experiment
from brainalign.methods.registry import get_method
from brainalign.methods.weights import Weights, prefix_weights, select_weights
from brainalign.training.progress import ProgressReport

AREA = "all"
"""Label methods see the units of all areas."""

_SCORES = ["label_score", "label"]
"""What controls are scored by; their tokens say nothing of interest."""

EVERYONE = "all"
"""Name of the fit that holds all subjects together."""


def fit_experiment(job: ExperimentJob) -> FittedExperiment:
    """Fit a method to every seed and fold, and to every subject where it takes one at a time.

    Parameters
    ----------
    job : ExperimentJob
        Names the stores; its options have ``seeds``, ``feature`` and ``normalisation``.

    Raises
    ------
    InputError
        The stimuli have no labels, a split is too small, or features of a level are missing.
    """
    options = job.options
    experiment = read_label_experiment(job, options["feature"], options["normalisation"])
    subjects = [recorded.subject for recorded in experiment.images.subjects]
    new_subjects = _check_new_subjects(job, subjects)
    weights: Weights = {}
    histories = []
    # What does not depend on the seed is fitted once.
    seeds = options["seeds"] if _get_class(job.method).uses_seed else options["seeds"][:1]
    n_folds = experiment.images.splits.n_folds
    for fold in range(n_folds):
        training = experiment.take_split(fold, "train")
        validation = experiment.take_split(fold, "validation")
        for seed in seeds:
            for part, members in _list_parts(job.method, subjects):
                kept = [name for name in members if name not in new_subjects]
                fitted, history = _fit_part(
                    job,
                    name_part(part, seed, fold),
                    (training, validation),
                    kept,
                    new_subjects,
                    seed,
                )
                weights |= fitted
                histories.append(history.assign(area=AREA, subject=part, seed=seed, fold=fold))
    description = {
        "method": job.method,
        "options": job.method_options,
        "feature": options["feature"],
        "normalisation": options["normalisation"],
        "seeds": options["seeds"],
        "fitted_seeds": seeds,
        "n_folds": n_folds,
        "classes": experiment.class_name.tolist(),
        "new_subjects": new_subjects,
        "units": {one.subject: one.unit.tolist() for one in experiment.images.subjects},
    }
    return FittedExperiment(weights, description, pd.concat(histories, ignore_index=True))


def predict_experiment(job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
    """Predict the labels of test stimuli with every fit.

    Returns
    -------
    predictions : xarray.DataTree
        Groups ``/{subject}/all/labels``; ``labels_swapped`` with what was learned of another
        subject, a control, where a method knows its subjects; ``labels_untuned`` for subjects
        that were added without a fit; ``tokens`` with the embeddings behind token retrieval.

    Raises
    ------
    InputError
        The model was fitted to other units or other classes.
    """
    description = fitted.description
    experiment = read_label_experiment(job, description["feature"], description["normalisation"])
    _check_fitted_to(description, experiment)
    subjects = [recorded.subject for recorded in experiment.images.subjects]
    groups: dict[str, dict[tuple[int, int], xr.Dataset]] = {}
    for fold in range(description["n_folds"]):
        test = experiment.take_split(fold, "test")
        training = experiment.take_split(fold, "train")
        for seed in description["fitted_seeds"]:
            for part, members in _list_parts(job.method, subjects):
                weights = select_weights(fitted.weights, name_part(part, seed, fold))
                for path, dataset in _predict_part(
                    job, description, weights, members, (training, test)
                ):
                    groups.setdefault(path, {})[seed, fold] = dataset
    joined = {
        path: join_predictions(parts, description["seeds"], experiment.class_name)
        for path, parts in groups.items()
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(), **joined})


def name_part(part: str, seed: int, fold: int) -> str:
    """Name one fit of an experiment, as its weights and checkpoints are prefixed."""
    return f"part-{part}/seed-{seed}/fold-{fold}/"


def restore_method(name: str, options: dict[str, Any], weights: Weights) -> LabelMethod:
    """Make a fitted method of options and weights."""
    method_class = _get_class(name)
    method = method_class(method_class.Options.model_validate(options))
    method.set_weights(weights)
    return method


def _get_class(name: str) -> type[LabelMethod]:
    return cast(type[LabelMethod], get_method(name))


def _list_parts(method: str, subjects: list[str]) -> list[tuple[str, list[str]]]:
    """List the fits of one seed: everyone together, or each subject alone."""
    if _get_class(method).requirements.subjects == "many":
        return [(EVERYONE, subjects)]
    return [(subject, [subject]) for subject in subjects]


def _check_new_subjects(job: ExperimentJob, subjects: list[str]) -> list[str]:
    new = list(job.method_options.get("new_subjects", []))
    unknown = sorted(set(new) - set(subjects))
    if unknown or len(new) >= len(subjects):
        raise InputError(
            "new_subjects must name some of the subjects, and leave some to train on",
            where=job.method,
            expected=f"some of {', '.join(subjects)}",
            found=", ".join(new),
        )
    return new


def _fit_part(
    job: ExperimentJob,
    part: str,
    splits: tuple[LabelledResponses, LabelledResponses],
    subjects: list[str],
    new_subjects: list[str],
    seed: int,
) -> tuple[Weights, pd.DataFrame]:
    training, validation = splits
    method_class = _get_class(job.method)
    method = method_class(method_class.Options.model_validate(job.method_options))
    scratch = job.scratch / part if job.scratch else None
    history = method.fit(
        training.select_subjects(subjects),
        validation.select_subjects(subjects),
        seed=seed,
        device=job.device,
        scratch=scratch,
        report=ProgressReport(f"{job.method} {part}"),
    )
    weights: Weights = {}
    if isinstance(method, CLIPMused) and new_subjects:
        for subject in new_subjects:
            method.add_subject(training, subject)
        weights = prefix_weights(method.get_weights(), f"{part}untuned/")
        for subject in new_subjects:
            method.tune_subject(
                training,
                validation,
                subject,
                seed=seed,
                device=job.device,
                scratch=scratch / subject if scratch else None,
            )
    weights |= prefix_weights(method.get_weights(), f"{part}tuned/")
    return weights, history


def _predict_part(
    job: ExperimentJob,
    description: dict[str, Any],
    weights: Weights,
    subjects: list[str],
    splits: tuple[LabelledResponses, LabelledResponses],
) -> Iterator[tuple[str, xr.Dataset]]:
    training, test = splits
    method = restore_method(job.method, description["options"], select_weights(weights, "tuned/"))
    for position, subject in enumerate(subjects):
        yield from (
            (f"/{subject}/{AREA}/{variant}", dataset)
            for variant, dataset in compose_predictions(method, subject, training, test).items()
        )
        if method.knows_subjects and len(subjects) > 1:
            other = subjects[(position + 1) % len(subjects)]
            swapped = compose_predictions(method, subject, training, test, as_subject=other)
            yield f"/{subject}/{AREA}/labels_swapped", swapped["labels"][_SCORES]
    untuned = select_weights(weights, "untuned/")
    if untuned:
        method = restore_method(job.method, description["options"], untuned)
        for subject in description["new_subjects"]:
            composed = compose_predictions(method, subject, training, test)
            yield f"/{subject}/{AREA}/labels_untuned", composed["labels"][_SCORES]


def _check_fitted_to(description: dict[str, Any], experiment: LabelExperiment) -> None:
    for recorded in experiment.images.subjects:
        if description["units"].get(recorded.subject) != recorded.unit.tolist():
            raise InputError(
                f"the model was fitted to other units of subject '{recorded.subject}'",
                expected=f"{len(description['units'].get(recorded.subject, []))} units as in "
                "options.json",
                found=f"{len(recorded.unit)} units",
                remedy="Fit the model again.",
            )
    if description["classes"] != experiment.class_name.tolist():
        raise InputError(
            "the model was fitted to other classes",
            expected=", ".join(description["classes"]),
            found=", ".join(experiment.class_name.tolist()),
            remedy="Fit the model again.",
        )
