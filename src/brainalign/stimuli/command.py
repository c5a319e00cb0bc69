"""Decode the stimuli of a data set, check them and divide them into splits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_stimuli, read_dataset_options
from brainalign.progress import show_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign stimuli``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--recording", type=Path, help="folder of a simulated recording")
    parser.add_argument("--world", type=Path, help="folder of the simulated world")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the stimulus store."""
    from brainalign.errors import InputError
    from brainalign.raw.registry import open_raw_dataset
    from brainalign.stimuli.build import build_image_stimuli
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_stimuli, arguments.dataset)
    dataset_options = read_dataset_options(options)
    inputs = {
        role: path
        for role, path in (("recording", arguments.recording), ("world", arguments.world))
        if path is not None
    }
    recorder = ProvenanceRecorder("stimuli", options, inputs)
    dataset = open_raw_dataset(dataset_options, arguments.recording, arguments.world)
    if dataset_options.design == "movies":
        from brainalign.stimuli.movies import build_movie_stimuli, describe_videos

        collection = dataset.read_movies()
        for line in describe_videos(collection):
            print(line, file=sys.stderr, flush=True)
        stimuli = build_movie_stimuli(
            collection,
            dataset_options.stimuli,
            progress=lambda names: show_progress(names, "decoding movies"),
        )
        stimuli.attrs["dataset"] = arguments.dataset
        write_store(arguments.output, stimuli, "stimuli", recorder.finish())
        return
    collection = dataset.read_stimuli()
    if collection is None:
        raise InputError(
            "the data set holds no stimulus images",
            where=arguments.dataset,
            remedy="Name a table of images as stimuli_table (docs/own_data.md), or plan it without "
            "backbones and methods: responses need no images.",
        )
    stimuli = build_image_stimuli(
        collection,
        dataset_options.stimuli,
        progress=lambda names: show_progress(names, "decoding images"),
    )
    stimuli.attrs["dataset"] = arguments.dataset
    write_store(arguments.output, stimuli, "stimuli", recorder.finish())
