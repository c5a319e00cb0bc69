"""List the files of a BIDS data set once, so that no later job walks its folders."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_listing, read_dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign list-files``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--recording", type=Path, help="folder of a simulated recording")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the listing.

    Raises
    ------
    InputError
        If the data set is no BIDS data set.
    """
    from brainalign.errors import InputError
    from brainalign.raw.bids.dataset import BIDSFolder
    from brainalign.raw.registry import open_raw_dataset
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    options = read_job_options(arguments, describe_listing, arguments.dataset)
    inputs = {} if arguments.recording is None else {"recording": arguments.recording}
    recorder = ProvenanceRecorder("listing", options, inputs)
    dataset = open_raw_dataset(read_dataset_options(options), arguments.recording)
    if not isinstance(dataset, BIDSFolder):
        raise InputError(f"data set '{arguments.dataset}' is no BIDS data set")
    with publish_folder(arguments.output, "listing", recorder.record) as draft:
        dataset.write_listing(draft)
        recorder.finish()
