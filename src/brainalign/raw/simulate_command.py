"""Simulate a recording of the world's stimuli, in the files that a laboratory would have."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_recording, read_dataset_options
from brainalign.progress import announce


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign simulate``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--world", type=Path, required=True, help="folder of the simulated world")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the folder of the recording."""
    from brainalign.raw.registry import get_simulator
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    options = read_job_options(arguments, describe_recording, arguments.dataset)
    dataset = read_dataset_options(options)
    write_recording = get_simulator(dataset)
    simulation = dataset.get_simulation()
    read_manifest(arguments.world)
    recorder = ProvenanceRecorder("raw", options, {"world": arguments.world})
    with publish_folder(arguments.output, "raw", recorder.record) as draft:
        with announce(f"simulating {arguments.dataset}"):
            write_recording(draft, arguments.world, simulation)
        recorder.finish(seeds=[simulation.seed])
