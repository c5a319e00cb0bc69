"""Embed test stimuli and responses with a fitted method: predictions for the evaluation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainalign.config.arguments import read_job_options
from brainalign.config.job_options import describe_prediction, read_method_options
from brainalign.methods.experiment_arguments import (
    add_experiment_arguments,
    list_inputs,
    name_part,
)

if TYPE_CHECKING:
    import xarray as xr

    from brainalign.methods.base import AlignmentMethod
    from brainalign.methods.pairs import ImageExperiment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign predict``."""
    parser.add_argument("--model", type=Path, required=True, help="fitted model folder")
    add_experiment_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the prediction store."""
    import xarray as xr

    from brainalign.methods.pairs import read_image_experiment
    from brainalign.methods.prediction import join_predictions
    from brainalign.methods.weights import read_weights, select_weights
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.write import write_store

    options = read_job_options(
        arguments, describe_prediction, arguments.method, arguments.dataset, arguments.backbone
    )
    name, _ = read_method_options(options)
    read_manifest(arguments.model)
    recorder = ProvenanceRecorder(
        "predictions", options, {"model": arguments.model, **list_inputs(arguments)}
    )
    weights, description = read_weights(arguments.model)
    experiment = read_image_experiment(
        arguments.stimuli,
        arguments.responses,
        arguments.features,
        description["feature"],
        description["normalisation"],
    )
    _check_units(description["units"], experiment, arguments.model)
    areas = experiment.divide_by_area()
    parts: dict[str, dict[tuple[int, int], xr.Dataset]] = {}
    for area in description["areas"]:
        for seed in description["seeds"]:
            for fold in range(description["n_folds"]):
                prefix = name_part(area, seed, fold)
                method = _restore(name, description["options"], select_weights(weights, prefix))
                predicted = _predict(method, areas[area], fold, options["n_half_splits"])
                for (subject, variant), part in predicted.items():
                    parts.setdefault(f"/{subject}/{area}/{variant}", {})[seed, fold] = part
    groups = {group: join_predictions(joined) for group, joined in parts.items()}
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), **groups})
    tree.attrs.update(
        {
            "method": arguments.method,
            "dataset": arguments.dataset,
            "backbone": arguments.backbone,
            "feature": description["feature"],
            "prediction": "embedding",
        }
    )
    write_store(arguments.output, tree, "predictions", recorder.finish(seeds=description["seeds"]))


def _restore(name: str, options: dict[str, Any], weights: dict[str, Any]) -> AlignmentMethod:
    from brainalign.methods.registry import get_method

    method_class = get_method(name)
    method = method_class(method_class.Options.model_validate(options))
    method.set_weights(weights)
    return method


def _check_units(units: dict[str, list[str]], experiment: ImageExperiment, model: Path) -> None:
    from brainalign.errors import InputError

    for subject in experiment.subjects:
        if units.get(subject.subject) != subject.unit.tolist():
            raise InputError(
                f"the model was fitted to other units of subject '{subject.subject}'",
                where=model,
                expected=f"{len(units.get(subject.subject, []))} units as in options.json",
                found=f"{len(subject.unit)} units",
                remedy="Fit the model again.",
            )


def _predict(
    method: AlignmentMethod, experiment: ImageExperiment, fold: int, n_half_splits: int
) -> dict[tuple[str, str], xr.Dataset]:
    """Embed what each subject saw of the test split, by subject and variant of matching."""
    import numpy as np

    from brainalign.methods.prediction import compose_predictions

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
