"""Extract the features of a data set's stimuli with one backbone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_features, read_backbone_options

if TYPE_CHECKING:
    import numpy as np
    import torch
    import xarray as xr

    from brainalign.features.options import ExtractionOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign features``."""
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--backbone", required=True, help="name of the backbone")
    parser.add_argument("--stimuli", type=Path, required=True, help="stimulus store")
    parser.add_argument(
        "--weights", type=Path, help="folder of a backbone that was trained on the world"
    )
    parser.add_argument(
        "--shard", type=int, help="compute only this share of the stimuli, from 0 (option shards)"
    )
    parser.add_argument(
        "--parts", type=Path, nargs="+", help="join these shares, in their order, and compute none"
    )
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the feature store."""
    from brainalign.features.shards import join_parts
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.read import open_store
    from brainalign.stores.write import write_store

    options = read_job_options(arguments, describe_features, arguments.backbone)
    inputs = {"stimuli": arguments.stimuli}
    if arguments.weights is not None:
        read_manifest(arguments.weights)
        inputs["weights"] = arguments.weights
    for number, path in enumerate(arguments.parts or []):
        inputs[f"parts/{number}"] = path
    recorder = ProvenanceRecorder("features", options, inputs)
    if arguments.parts is not None:
        stimuli = open_store(arguments.stimuli, "stimuli")
        tree = join_parts(arguments.parts, _compose_rows(stimuli, slice(None)))
        write_store(arguments.output, tree, "features", recorder.finish())
        return
    tree, facts, run_facts = _extract(arguments, options)
    write_store(arguments.output, tree, "features", recorder.finish(run_facts=run_facts, **facts))


def _extract(
    arguments: argparse.Namespace, options: dict[str, Any]
) -> tuple[xr.DataTree, dict[str, object], dict[str, object]]:
    """Compute the features of all stimuli or of one shard; also facts for the provenance."""
    from brainalign.features.extraction import extract_features
    from brainalign.features.registry import load_backbone
    from brainalign.features.shards import choose_shard_rows
    from brainalign.stores.read import open_store, read_labels
    from brainalign.training.cards import claim_device, measure_gpu_memory

    backbone_options = read_backbone_options(options)
    stimuli = open_store(arguments.stimuli, "stimuli")
    is_movie = "frame" in stimuli.variables
    image = stimuli.variables["frame" if is_movie else "image"]
    rows = slice(None)
    if arguments.shard is not None:
        rows = choose_shard_rows(
            image.shape[0], arguments.shard, backbone_options.shards, backbone_options.batch_size
        )
    with claim_device(options["device"]) as device:
        backbone = load_backbone(backbone_options, arguments.weights, device)
        features = extract_features(
            image[rows].values,
            backbone,
            backbone_options.layers,
            backbone_options.frame_outputs if is_movie else backbone_options.outputs,
            batch_size=backbone_options.batch_size,
            precision=backbone_options.precision,
            progress=True,
        )
        if getattr(backbone_options, "text", False) and "caption" in stimuli.variables:
            captions = read_labels(stimuli, "caption")[rows]
            features |= _embed_captions(backbone_options, arguments.weights, captions, device)
        run_facts = measure_gpu_memory(device)
    tree = _compose_tree(features, _compose_rows(stimuli, rows))
    tree.attrs.update(
        {
            "dataset": arguments.dataset,
            "backbone": arguments.backbone,
            **{f"backbone_{name}": value for name, value in backbone.describe().items()},
        }
    )
    return tree, {"device": device.type}, run_facts


def _embed_captions(
    options: ExtractionOptions, weights: Path | None, captions: np.ndarray, device: torch.device
) -> dict[str, np.ndarray]:
    from brainalign.features.checkpoint import find_checkpoint
    from brainalign.features.options import PretrainedOptions
    from brainalign.features.text import TEXT_PATH, embed_captions

    if isinstance(options, PretrainedOptions):
        folder = find_checkpoint(options.model, options.revision)
    elif weights is not None:
        folder = weights
    else:
        return {}
    if not any(text.strip() for text in captions.tolist()):
        return {}
    return {TEXT_PATH: embed_captions(folder, captions.tolist(), device)}


def _compose_rows(stimuli: xr.DataTree, rows: slice) -> xr.Dataset:
    """Name the rows of a feature store: stimuli by id, frames by movie and number."""
    import xarray as xr

    from brainalign.stores.read import read_labels

    if "frame" not in stimuli.variables:
        stimulus = read_labels(stimuli, "stimulus")[rows]
        return xr.Dataset(coords={"stimulus": ("stimulus", stimulus, {"long_name": "stimulus id"})})
    movie = read_labels(stimuli, "movie")[rows]
    return xr.Dataset(
        coords={
            "movie": ("frame", movie, {"long_name": "id of the movie"}),
            "frame_number": ("frame", stimuli.variables["frame_number"].values[rows]),
            "time": ("frame", stimuli.variables["time"].values[rows], {"units": "s"}),
        }
    )


def _compose_tree(features: dict[str, np.ndarray], rows: xr.Dataset) -> xr.DataTree:
    import numpy as np
    import xarray as xr

    (row,) = (str(name) for name in rows.sizes)
    groups = {}
    for path, values in features.items():
        is_token = values.ndim == 3
        name = "token" if is_token else "feature"
        dimensions = (row, "patch", "dimension") if is_token else (row, "dimension")
        if is_token and row == "frame":
            # Tokens of every frame are the largest arrays of all; half precision is theirs.
            values = values.astype(np.float16)
        attributes = {"long_name": f"{path.replace('/', ', ')} of each {row}", "units": "1"}
        groups[f"/{path}"] = xr.Dataset({name: (dimensions, values, attributes)})
    return xr.DataTree.from_dict({"/": rows, **groups})
