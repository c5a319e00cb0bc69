"""Preprocess the functional volumes of one subject, in Python or with fMRIPrep's container."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_preprocessing, read_dataset_options
from brainalign.progress import announce


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign preprocess``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--subject", required=True, help="label of the subject")
    parser.add_argument("--recording", type=Path, help="folder of a simulated recording")
    parser.add_argument("--listing", type=Path, help="listing of the data set's files")
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish a folder of derivatives.

    Raises
    ------
    InputError
        If the data set holds no volumes or is not to be preprocessed.
    """
    from brainalign.errors import InputError
    from brainalign.raw.bids.dataset import BIDSFolder
    from brainalign.raw.fmri_options import FMRIPrepPreprocessing, LightPreprocessing
    from brainalign.raw.preprocessing.fmriprep import run_fmriprep
    from brainalign.raw.preprocessing.light import preprocess_lightly
    from brainalign.raw.registry import open_raw_dataset
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.publish import publish_folder

    options = read_job_options(arguments, describe_preprocessing, arguments.dataset)
    dataset_options = read_dataset_options(options)
    inputs = {"recording": arguments.recording, "listing": arguments.listing}
    recorder = ProvenanceRecorder(
        "preprocessing", options, {role: path for role, path in inputs.items() if path is not None}
    )
    dataset = open_raw_dataset(dataset_options, arguments.recording, listing=arguments.listing)
    if not isinstance(dataset, BIDSFolder):
        raise InputError(f"data set '{arguments.dataset}' holds no volumes to preprocess")
    ways = dataset.options.preprocessing
    with publish_folder(arguments.output, "preprocessed", recorder.record) as draft:
        if isinstance(ways, LightPreprocessing):
            with announce(f"preprocessing sub-{arguments.subject}"):
                preprocess_lightly(dataset, arguments.subject, ways, draft)
        elif isinstance(ways, FMRIPrepPreprocessing):
            run_fmriprep(ways, dataset.folder, draft, arguments.subject)
        else:
            raise InputError(
                f"data set '{arguments.dataset}' is not to be preprocessed",
                found="preprocessing.kind: none",
            )
        recorder.finish()
