"""Extract the features of a data set's stimuli with one backbone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

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
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the feature store."""
    from brainalign.features.extraction import extract_features
    from brainalign.features.registry import load_backbone
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder
    from brainalign.stores.read import open_store, read_labels
    from brainalign.stores.write import write_store
    from brainalign.training.device import resolve_device

    options = read_job_options(arguments, describe_features, arguments.backbone)
    backbone_options = read_backbone_options(options)
    inputs = {"stimuli": arguments.stimuli}
    if arguments.weights is not None:
        read_manifest(arguments.weights)
        inputs["weights"] = arguments.weights
    recorder = ProvenanceRecorder("features", options, inputs)
    device = resolve_device(options["device"])
    backbone = load_backbone(backbone_options, arguments.weights, device)
    stimuli = open_store(arguments.stimuli, "stimuli")
    features = extract_features(
        stimuli.variables["image"].values,
        backbone,
        backbone_options.layers,
        backbone_options.outputs,
        batch_size=backbone_options.batch_size,
        precision=backbone_options.precision,
        progress=True,
    )
    if getattr(backbone_options, "text", False) and "caption" in stimuli.variables:
        features |= _embed_captions(
            backbone_options, arguments.weights, read_labels(stimuli, "caption"), device
        )
    tree = _compose_tree(features, read_labels(stimuli, "stimulus"))
    tree.attrs.update(
        {
            "dataset": arguments.dataset,
            "backbone": arguments.backbone,
            **{f"backbone_{name}": value for name, value in backbone.describe().items()},
        }
    )
    write_store(arguments.output, tree, "features", recorder.finish(device=str(device)))


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


def _compose_tree(features: dict[str, np.ndarray], stimulus: np.ndarray) -> xr.DataTree:
    import xarray as xr

    groups = {}
    for path, values in features.items():
        is_token = values.ndim == 3
        name = "token" if is_token else "feature"
        dimensions = ("stimulus", "patch", "dimension") if is_token else ("stimulus", "dimension")
        attributes = {"long_name": f"{path.replace('/', ', ')} of each stimulus", "units": "1"}
        groups[f"/{path}"] = xr.Dataset({name: (dimensions, values, attributes)})
    root = xr.Dataset(coords={"stimulus": ("stimulus", stimulus, {"long_name": "stimulus id"})})
    return xr.DataTree.from_dict({"/": root, **groups})
