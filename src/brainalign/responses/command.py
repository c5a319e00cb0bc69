"""Turn the recording of one subject into responses with reliability and noise ceilings."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_responses, read_dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign responses``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--subject", required=True, help="id of the subject")
    parser.add_argument(
        "--stimuli",
        type=Path,
        help="stimulus store, whose training split sets means and SDs; leave it out only for data "
        "without images",
    )
    parser.add_argument("--recording", type=Path, help="folder of a simulated recording")
    parser.add_argument("--world", type=Path, help="folder of the simulated world")
    parser.add_argument("--listing", type=Path, help="listing of the files of a BIDS data set")
    parser.add_argument("--preprocessed", type=Path, help="preprocessed volumes of the subject")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the response store of one subject."""
    from brainalign.raw.registry import open_raw_dataset
    from brainalign.responses.registry import get_response_builder
    from brainalign.stimuli.read import read_frame_splits, read_splits
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_responses, arguments.dataset)
    dataset_options = read_dataset_options(options)
    inputs = {
        "stimuli": arguments.stimuli,
        "recording": arguments.recording,
        "listing": arguments.listing,
        "preprocessed": arguments.preprocessed,
    }
    recorder = ProvenanceRecorder(
        "responses", options, {role: path for role, path in inputs.items() if path is not None}
    )
    dataset = open_raw_dataset(
        dataset_options,
        arguments.recording,
        arguments.world,
        listing=arguments.listing,
        preprocessed=arguments.preprocessed,
    )
    read = read_frame_splits if dataset_options.design == "movies" else read_splits
    splits = read(arguments.stimuli) if arguments.stimuli is not None else None
    build = get_response_builder(dataset_options.modality, dataset_options.design)
    responses = build(dataset, arguments.subject, dataset_options.responses, splits)
    responses.attrs.update({"dataset": arguments.dataset, "subject": arguments.subject})
    write_store(arguments.output, responses, "responses", recorder.finish())
