"""Fit one method to one data set and backbone, with all seeds and folds in one job."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainalign.config.arguments import read_job_options
from brainalign.config.job_options import describe_fit, read_method_options
from brainalign.methods.experiment_arguments import add_experiment_arguments, list_inputs

if TYPE_CHECKING:
    import pandas as pd

    from brainalign.methods.pairs import ImageExperiment
    from brainalign.methods.weights import Weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign fit``."""
    add_experiment_arguments(parser)
    parser.add_argument(
        "--scratch",
        type=Path,
        help="folder for resume checkpoints; a killed fit goes on from there",
    )


def run(arguments: argparse.Namespace) -> None:
    """Publish the model folder."""
    from brainalign.methods.pairs import ALL_AREAS, read_image_experiment
    from brainalign.methods.weights import write_weights
    from brainalign.stores.provenance import ProvenanceRecorder, compute_options_digest
    from brainalign.stores.publish import publish_folder
    from brainalign.training.device import resolve_device

    options = read_job_options(
        arguments, describe_fit, arguments.method, arguments.dataset, arguments.backbone
    )
    name, method_options = read_method_options(options)
    recorder = ProvenanceRecorder("models", options, list_inputs(arguments))
    device = str(resolve_device(options["device"]))
    experiment = read_image_experiment(
        arguments.stimuli,
        arguments.responses,
        arguments.features,
        options["feature"],
        options["normalisation"],
    )
    # Another configuration or other data must never resume from these checkpoints.
    identity = {"options": options, "inputs": recorder.record["inputs"]}
    scratch = arguments.scratch / compute_options_digest(identity) if arguments.scratch else None
    parts = experiment.divide_by_area() if options["by_area"] else {ALL_AREAS: experiment}
    weights, history = _fit_all(name, method_options, parts, options["seeds"], device, scratch)
    description = {
        "method": name,
        "options": method_options,
        "feature": options["feature"],
        "normalisation": options["normalisation"],
        "seeds": options["seeds"],
        "areas": list(parts),
        "n_folds": experiment.splits.n_folds,
        "units": {subject.subject: subject.unit.tolist() for subject in experiment.subjects},
    }
    with publish_folder(arguments.output, "model", recorder.record) as draft:
        write_weights(draft, weights, description)
        history.to_csv(draft / "training.csv", index=False)
        recorder.finish(seeds=options["seeds"], device=device)
    _remove_scratch(scratch)


def _fit_all(
    name: str,
    method_options: dict[str, Any],
    parts: dict[str, ImageExperiment],
    seeds: list[int],
    device: str,
    scratch: Path | None,
) -> tuple[Weights, pd.DataFrame]:
    import pandas as pd

    from brainalign.methods.experiment_arguments import name_part
    from brainalign.methods.registry import get_method
    from brainalign.methods.weights import prefix_weights
    from brainalign.training.progress import ProgressReport

    method_class = get_method(name)
    weights: Weights = {}
    histories = []
    for area, experiment in parts.items():
        for fold in range(experiment.splits.n_folds):
            training = experiment.take_split(fold, "train")
            validation = experiment.take_split(fold, "validation")
            for seed in seeds:
                part = name_part(area, seed, fold)
                method = method_class(method_class.Options.model_validate(method_options))
                history = method.fit(
                    training,
                    validation,
                    seed=seed,
                    device=device,
                    scratch=scratch / part if scratch else None,
                    report=ProgressReport(f"{name} {part}"),
                )
                weights |= prefix_weights(method.get_weights(), part)
                histories.append(history.assign(area=area, seed=seed, fold=fold))
    return weights, pd.concat(histories, ignore_index=True)


def _remove_scratch(scratch: Path | None) -> None:
    import shutil

    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
