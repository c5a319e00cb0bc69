"""Fit a linear encoding model per unit of one subject, of any number of units."""

from __future__ import annotations

import argparse
from pathlib import Path

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_encoding, read_array_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign encode``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--backbone", required=True, help="name of the backbone")
    parser.add_argument("--stimuli", type=Path, required=True, help="stimulus store")
    parser.add_argument("--responses", type=Path, required=True, help="response store")
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="folder for a copy of the responses by units"
    )
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the encoding store."""
    import shutil

    import numpy as np
    import xarray as xr

    from brainalign.methods.pairs import read_feature
    from brainalign.methods.voxelwise import VoxelwiseJob, encode_block
    from brainalign.stimuli.read import read_splits
    from brainalign.stores.blocks import divide_by_units, map_unit_blocks
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.read import open_store
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_encoding, arguments.dataset, arguments.backbone)
    arrays = read_array_options(options)
    inputs = {
        "stimuli": arguments.stimuli,
        "responses": arguments.responses,
        "features": arguments.features,
    }
    recorder = ProvenanceRecorder("encoding", options, inputs)
    responses = open_store(arguments.responses, "responses").to_dataset()
    stimulus, feature = read_feature(arguments.features, options["feature"])
    needed = ["stimulus", "session", "session_name", "training_mean", "training_sd"]
    job = VoxelwiseJob(
        described=responses[[name for name in needed if name in responses.variables]]
        .drop_vars("unit", errors="ignore")
        .load(),
        splits=read_splits(arguments.stimuli),
        stimulus=stimulus,
        feature=feature,
        normalisation=options["normalisation"],
        alphas=options["alphas"],
        seed=options["seeds"][0],
        n_half_splits=options["n_half_splits"],
        min_repeated_stimuli=options["min_repeated_stimuli"],
    )
    scratch = arguments.scratch / recorder.record["options_digest"]
    with divide_by_units(arguments.responses, scratch, arrays) as blocks:
        results = map_unit_blocks(encode_block, blocks, job, arrays)
    # After an error it stays, with what the workers of SLURM have logged.
    shutil.rmtree(scratch, ignore_errors=True)
    texts = {
        "correlation": "correlation of prediction and mean test response",
        "penalty": "ridge penalty, for z-scored columns",
        "noise_ceiling": "explainable share of the variance of mean responses",
        "reliability": "split-half reliability of mean responses",
    }
    dataset = xr.Dataset(
        {
            name: (
                ("fold", "unit") if results[name].ndim == 2 else ("unit",),
                results[name].astype(np.float32),
                {"long_name": text, "units": "1"},
            )
            for name, text in texts.items()
        },
        coords={"unit": responses["unit"]},
        attrs={
            "dataset": arguments.dataset,
            "backbone": arguments.backbone,
            "subject": str(responses.attrs["subject"]),
            "feature": options["feature"],
        },
    )
    dataset["area"] = responses["area"]
    provenance = recorder.finish(seeds=options["seeds"][:1])
    write_store(arguments.output, dataset, "encoding", provenance)
