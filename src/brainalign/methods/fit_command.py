"""Fit one method to one data set and backbone, with all seeds and folds in one job."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import read_job_options
from brainalign.config.job_options import (
    describe_fit,
    read_method_options,
    read_tracking_options,
)
from brainalign.methods.experiment_arguments import (
    add_experiment_arguments,
    list_inputs,
    locate_features,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign fit``."""
    add_experiment_arguments(parser)
    parser.add_argument(
        "--scratch",
        type=Path,
        help="folder for resume checkpoints; a killed fit goes on from there",
    )
    parser.add_argument(
        "--tracking", type=Path, help="folder that the trackers of all jobs write to"
    )


def run(arguments: argparse.Namespace) -> None:
    """Publish the model folder."""
    import shutil

    from brainalign.methods.experiment import ExperimentJob, load_experiment_module
    from brainalign.methods.weights import write_weights
    from brainalign.stores.provenance import ProvenanceRecorder, compute_options_digest
    from brainalign.stores.publish import publish_folder
    from brainalign.training.cards import claim_device, measure_gpu_memory
    from brainalign.training.distributed import join_processes
    from brainalign.training.tracking import check_tracking, open_trackers
    from brainalign.training.tracking_options import TrackingOptions

    options = read_job_options(
        arguments, describe_fit, arguments.method, arguments.dataset, arguments.backbone
    )
    name, method_options = read_method_options(options)
    tracking = read_tracking_options(options)
    check_tracking(tracking, arguments.tracking)
    recorder = ProvenanceRecorder("models", options, list_inputs(arguments))
    # Another configuration or other data must never resume from these checkpoints.
    identity = {"options": options, "inputs": recorder.record["inputs"]}
    digest = compute_options_digest(identity)
    scratch = arguments.scratch / digest if arguments.scratch else None
    with (
        claim_device(options["device"]) as device,
        join_processes(device) as processes,
        open_trackers(
            tracking if processes.is_first else TrackingOptions(),
            arguments.tracking,
            f"{name}/{arguments.dataset}/{arguments.backbone}",
            digest,
        ) as trackers,
    ):
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
            scratch=scratch,
            trackers=trackers,
        )
        fitted = load_experiment_module(name).fit_experiment(job)
        if not processes.is_first:
            return
        with publish_folder(arguments.output, "model", recorder.record) as draft:
            write_weights(draft, fitted.weights, fitted.description)
            if fitted.history is not None:
                fitted.history.to_csv(draft / "training.csv", index=False)
            recorder.finish(
                run_facts={"processes": processes.count, **measure_gpu_memory(device)},
                seeds=options["seeds"],
                device=device.type,
            )
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
