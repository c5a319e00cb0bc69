"""Simulate recordings of macaque IT that watches the world's objects, as NWB files."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_recording, read_dataset_options
from brainalign.progress import announce


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign simulate-it``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--world", type=Path, required=True, help="folder of the simulated world")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the folder of the recording."""
    from brainalign.errors import InputError
    from brainalign.raw.options import SimulatedITDataset
    from brainalign.raw.simulate.it_recording import write_it_recording
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    options = read_job_options(arguments, describe_recording, arguments.dataset)
    dataset = read_dataset_options(options)
    if not isinstance(dataset, SimulatedITDataset):
        raise InputError(
            "is no simulated IT recording", where=arguments.dataset, expected="kind: simulated_it"
        )
    read_manifest(arguments.world)
    recorder = ProvenanceRecorder("raw", options, {"world": arguments.world})
    with publish_folder(arguments.output, "raw", recorder.record) as draft:
        with announce("simulating spikes"):
            write_it_recording(draft, arguments.world, dataset.simulation)
        recorder.finish(seeds=[dataset.simulation.seed])
