"""Sort recordings or read sorts, curate units, join sessions and write NWB files.

Runs in the sorting environment, with options as the workflow passes them.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign sort``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--recording", type=Path, help="folder of a simulated recording")
    parser.add_argument("--electrodes", type=Path, help="folder of its simulated electrodes")
    parser.add_argument("--world", type=Path, help="folder of the simulated world")
    parser.add_argument(
        "--options", metavar="JSON", required=True, help="the job's options as JSON"
    )
    parser.add_argument("--output", type=Path, required=True, help="what to publish")


def run(arguments: argparse.Namespace) -> None:
    """Publish the NWB files of all sessions of a data set."""
    from brainalign.errors import ResourceError
    from brainalign.sorting.job import read_sorting_job

    try:
        import spikeinterface  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            "SpikeInterface is not installed in this environment",
            found=str(error),
            remedy="Run it through snakemake, which builds the sorting environment, or install "
            "envs/sorting.txt into one and start its Python with src/brainalign/sorting.",
        ) from error
    from brainalign.sorting.joining import publish_sorted

    places = {
        name: folder
        for name, folder in (
            ("recording", arguments.recording),
            ("electrodes", arguments.electrodes),
            ("world", arguments.world),
        )
        if folder is not None
    }
    job = read_sorting_job(arguments.options, places)
    publish_sorted(arguments.output, job)
