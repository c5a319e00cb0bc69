"""Command-line arguments that all jobs share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from brainalign.config.job_options import JobOptions, parse_job_options

DEFAULT_CONFIG = "config.yaml"


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where a job's options come from and where its output goes."""
    add_option_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="what to publish")


def add_option_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where a job's options come from."""
    parser.add_argument(
        "--options",
        metavar="JSON",
        help="the job's options as JSON; the workflow passes them so (default: from --config)",
        default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        metavar="FILE",
        help=f"configuration file, repeatable, later ones win (default: {DEFAULT_CONFIG})",
        default=argparse.SUPPRESS,
    )


def read_job_options(
    arguments: argparse.Namespace, describe: Callable[..., JobOptions], *names: str
) -> JobOptions:
    """Take a job's options from ``--options``, or from the configuration files.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.
    describe : callable
        Function of :mod:`brainalign.config.job_options` that picks a job's options out of a
        configuration.
    *names : str
        Data set, backbone or method that `describe` needs.
    """
    if getattr(arguments, "options", None) is not None:
        return parse_job_options(arguments.options)
    # Models of all parts are needed only here; a job with --options starts without them.
    from brainalign.config.load import load_config

    return describe(
        load_config(getattr(arguments, "config", None) or [Path(DEFAULT_CONFIG)]), *names
    )
