"""Predict for test stimuli with a fitted method: what the evaluation reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import read_job_options
from brainalign.config.job_options import describe_prediction, read_method_options
from brainalign.methods.experiment_arguments import (
    add_experiment_arguments,
    list_inputs,
    locate_features,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign predict``."""
    parser.add_argument("--model", type=Path, required=True, help="fitted model folder")
    add_experiment_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the prediction store."""
    from brainalign.methods.experiment import (
        ExperimentJob,
        FittedExperiment,
        load_experiment_module,
    )
    from brainalign.methods.weights import read_weights
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.write import write_store
    from brainalign.training.cards import claim_device, measure_gpu_memory

    options = read_job_options(
        arguments, describe_prediction, arguments.method, arguments.dataset, arguments.backbone
    )
    name, method_options = read_method_options(options)
    read_manifest(arguments.model)
    recorder = ProvenanceRecorder(
        "predictions", options, {"model": arguments.model, **list_inputs(arguments)}
    )
    fitted = FittedExperiment(*read_weights(arguments.model))
    with claim_device(options["device"]) as device:
        job = ExperimentJob(
            method=name,
            method_options=method_options,
            options=options,
            stimuli=arguments.stimuli,
            responses=tuple(arguments.responses),
            features=locate_features(arguments, name),
            device=str(device),
            prior=arguments.prior,
            conditional_prior=arguments.conditional,
        )
        tree = load_experiment_module(name).predict_experiment(job, fitted)
        run_facts = measure_gpu_memory(device)
    tree.attrs.update(
        {
            "method": arguments.method,
            "dataset": arguments.dataset,
            "backbone": arguments.backbone,
            "feature": options["feature"],
        }
    )
    seeds = fitted.description["seeds"]
    provenance = recorder.finish(run_facts=run_facts, seeds=seeds, device=device.type)
    write_store(arguments.output, tree, "predictions", provenance)
