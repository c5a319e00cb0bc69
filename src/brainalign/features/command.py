"""Extract the features of a data set's stimuli with one backbone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_features, read_backbone_options

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


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
    is_movie = "frame" in stimuli.variables
    features = extract_features(
        stimuli.variables["frame" if is_movie else "image"].values,
        backbone,
        backbone_options.layers,
        backbone_options.frame_outputs if is_movie else backbone_options.outputs,
        batch_size=backbone_options.batch_size,
        precision=backbone_options.precision,
        progress=True,
    )
    if is_movie:
        tree = _compose_movie_tree(features, stimuli)
    else:
        tree = _compose_tree(features, read_labels(stimuli, "stimulus"))
    tree.attrs.update(
        {
            "dataset": arguments.dataset,
            "backbone": arguments.backbone,
            **{f"backbone_{name}": value for name, value in backbone.describe().items()},
        }
    )
    write_store(arguments.output, tree, "features", recorder.finish(device=str(device)))


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


def _compose_movie_tree(features: dict[str, np.ndarray], stimuli: xr.DataTree) -> xr.DataTree:
    """Rows are the frames of the stimulus store, known by movie and number."""
    import numpy as np
    import xarray as xr

    from brainalign.stores.read import read_labels

    groups = {}
    for path, values in features.items():
        is_token = values.ndim == 3
        name = "token" if is_token else "feature"
        dimensions = ("frame", "patch", "dimension") if is_token else ("frame", "dimension")
        if is_token:
            # Tokens of every frame are the largest arrays of all; half precision is theirs.
            values = values.astype(np.float16)
        attributes = {"long_name": f"{path.replace('/', ', ')} of each frame", "units": "1"}
        groups[f"/{path}"] = xr.Dataset({name: (dimensions, values, attributes)})
    root = xr.Dataset(
        coords={
            "movie": ("frame", read_labels(stimuli, "movie"), {"long_name": "id of the movie"}),
            "frame_number": ("frame", stimuli.variables["frame_number"].values),
            "time": ("frame", stimuli.variables["time"].values, {"units": "s"}),
        }
    )
    return xr.DataTree.from_dict({"/": root, **groups})
