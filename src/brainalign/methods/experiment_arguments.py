"""Arguments that fitting and predicting share."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments


def add_experiment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the names and stores of one experiment: method, data set and backbone."""
    parser.add_argument("--method", required=True, help="name of the method")
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--backbone", required=True, help="name of the backbone")
    parser.add_argument("--stimuli", type=Path, required=True, help="stimulus store")
    parser.add_argument(
        "--responses", type=Path, required=True, nargs="+", help="response stores, one per subject"
    )
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument("--prior", type=Path, help="folder of the image prior, where one is used")
    add_job_arguments(parser)


def list_inputs(arguments: argparse.Namespace) -> dict[str, Path]:
    """List the stores of an experiment by role, for its provenance."""
    responses = {f"responses/{path.stem}": path for path in arguments.responses}
    inputs = {"stimuli": arguments.stimuli, "features": arguments.features, **responses}
    return inputs if arguments.prior is None else {**inputs, "prior": arguments.prior}
