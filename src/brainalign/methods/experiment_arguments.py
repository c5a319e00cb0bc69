"""Arguments that fitting and predicting share."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments
from brainalign.errors import InputError
from brainalign.methods.registry import get_method_options
from brainalign.methods.requirements import NO_BACKBONE, Requirements


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the names and stores of one experiment: method, data set and backbone."""
    parser.add_argument("--method", required=True, help="name of the method")
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--backbone", required=True, help="name of the backbone")
    parser.add_argument("--stimuli", type=Path, required=True, help="stimulus store")
    parser.add_argument(
        "--responses", type=Path, required=True, nargs="+", help="response stores, one per subject"
    )
    parser.add_argument(
        "--features", type=Path, help="feature store; left out for methods that read no features"
    )
    parser.add_argument("--prior", type=Path, help="folder of the image prior, where one is used")
    parser.add_argument(
        "--conditional", type=Path, help="folder of the conditional image prior, where one is used"
    )
    add_job_arguments(parser)


def list_inputs(arguments: argparse.Namespace) -> dict[str, Path]:
    """List the stores of an experiment by role, for its provenance."""
    responses = {f"responses/{path.stem}": path for path in arguments.responses}
    inputs = {"stimuli": arguments.stimuli, **responses}
    optional = {
        "features": arguments.features,
        "prior": arguments.prior,
        "conditional": arguments.conditional,
    }
    return inputs | {role: path for role, path in optional.items() if path is not None}


def locate_features(arguments: argparse.Namespace, method: str) -> Path:
    """Find the feature store of a job; for a method without backbone a path where nothing is.

    Raises
    ------
    InputError
        If the method reads features and no store is given.
    """
    if arguments.features is not None:
        return Path(arguments.features)
    requirements = getattr(get_method_options(method), "requirements", None)
    if not isinstance(requirements, Requirements) or requirements.needs_backbone:
        raise InputError(
            f"method '{method}' reads features of the stimuli",
            where="--features",
            found="nothing",
            remedy="Give the feature store of a backbone.",
        )
    return Path(NO_BACKBONE)
