"""Build the environment of spike sorting from its pins, unless it is there already."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign sorting-environment``."""
    parser.add_argument(
        "--pins", type=Path, required=True, help="file of exact pins: envs/sorting.txt"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the environment")


def run(arguments: argparse.Namespace) -> None:
    """Build the environment."""
    from brainalign.progress import announce
    from brainalign.sorting.environment import build_environment

    with announce("installing the packages of spike sorting"):
        build_environment(arguments.pins, arguments.output)
