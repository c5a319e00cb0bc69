"""Train the image prior of a data set, once for all methods, seeds and variants."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_prior, read_image_prior_options

# The prior is the same for all seeds of the fits that use it.
_SEED = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign train-prior``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--prior", required=True, help="name of the prior")
    parser.add_argument("--stimuli", type=Path, required=True, help="stimulus store")
    parser.add_argument(
        "--scratch", type=Path, help="folder for resume checkpoints; a killed training goes on"
    )
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the folder of the trained prior."""
    import shutil

    from brainalign.methods.image_prior.fit import fit_prior
    from brainalign.methods.image_prior.folder import write_prior
    from brainalign.methods.image_prior.network import count_parameters
    from brainalign.stores.provenance import ProvenanceRecorder, compute_options_digest
    from brainalign.stores.publish import publish_folder
    from brainalign.training.device import resolve_device

    options = read_job_options(arguments, describe_prior, arguments.prior)
    recorder = ProvenanceRecorder("priors", options, {"stimuli": arguments.stimuli})
    identity = {"options": options, "inputs": recorder.record["inputs"]}
    scratch = arguments.scratch / compute_options_digest(identity) if arguments.scratch else None
    device = str(resolve_device(options["device"]))
    prior, history = fit_prior(
        arguments.stimuli,
        read_image_prior_options(options),
        seed=_SEED,
        device=device,
        scratch=scratch,
    )
    print(f"parameters of the noise predictor: {count_parameters(prior.predictor):,}")
    for name, value in prior.quality.items():
        print(f"attribute predictor, held-out stimuli: {name} {value:.3f}")
    with publish_folder(arguments.output, "prior", recorder.record) as draft:
        write_prior(draft, prior)
        history.to_csv(draft / "training.csv", index=False)
        recorder.finish(seeds=[_SEED], device=device, evaluation=prior.quality)
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)
