"""Train a small backbone on the simulated world's training images and captions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from brainalign.config.arguments import add_job_arguments, read_job_options
from brainalign.config.job_options import describe_backbone_training, read_backbone_options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from brainalign.raw.recording import StimulusCollection

# Weights must not depend on the seeds of the fits that read their features.
_SEED = 0
_MAX_PIXELS = 1 << 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign train-backbone``."""
    parser.add_argument("--backbone", required=True, help="name of the backbone")
    parser.add_argument("--world", type=Path, required=True, help="folder of the simulated world")
    parser.add_argument(
        "--scratch",
        type=Path,
        help="folder for resume checkpoints; a killed training goes on from there",
    )
    add_job_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Publish the folder of the trained backbone."""
    import shutil

    import pandas as pd

    from brainalign.errors import InputError
    from brainalign.features.options import WorldCLIPOptions, WorldDINOOptions
    from brainalign.features.world_backbones.clip import train_world_clip
    from brainalign.features.world_backbones.dino import train_world_dino
    from brainalign.features.world_backbones.evaluation import evaluate_world_backbone
    from brainalign.raw.stimulus_table import open_stimulus_table
    from brainalign.stores.manifest import read_manifest
    from brainalign.stores.provenance import ProvenanceRecorder, compute_options_digest
    from brainalign.stores.publish import publish_folder
    from brainalign.training.cards import claim_device, measure_gpu_memory

    options = read_job_options(arguments, describe_backbone_training, arguments.backbone)
    backbone = read_backbone_options(options)
    if not isinstance(backbone, WorldCLIPOptions | WorldDINOOptions):
        raise InputError(
            "this backbone is not trained here", where=arguments.backbone, expected="world_…"
        )
    read_manifest(arguments.world)
    recorder = ProvenanceRecorder("backbones", options, {"world": arguments.world})
    collection = open_stimulus_table(arguments.world / "stimuli.tsv", _MAX_PIXELS)
    training = collection.table[collection.table["split"] == "train"]
    images = _read_images(collection, training)
    captions = _read_captions(arguments.world, training)
    # Another configuration or another world must never resume from these checkpoints.
    identity = {"options": options, "inputs": recorder.record["inputs"]}
    scratch = arguments.scratch / compute_options_digest(identity) if arguments.scratch else None
    with (
        claim_device(options["device"]) as device,
        publish_folder(arguments.output, "backbone", recorder.record) as draft,
    ):
        if isinstance(backbone, WorldCLIPOptions):
            train_world_clip(
                images,
                captions,
                backbone.training,
                _SEED,
                draft,
                device,
                progress=True,
                scratch=scratch,
            )
        else:
            train_world_dino(
                images, backbone.training, _SEED, draft, device, progress=True, scratch=scratch
            )
        objects = collection.table[collection.table["kind"] == "object"]
        known, heldout = (objects[objects["split"] == split] for split in ("train", "test"))
        evaluation = evaluate_world_backbone(
            draft,
            _read_images(collection, known),
            known["category"].tolist(),
            _read_images(collection, heldout),
            heldout["category"].tolist(),
            [text for texts in captions for text in texts]
            if isinstance(backbone, WorldCLIPOptions)
            else None,
        )
        print(pd.Series(evaluation).round(3).to_string())
        recorder.finish(
            run_facts=measure_gpu_memory(device),
            seeds=[_SEED],
            device=device.type,
            evaluation=evaluation,
        )
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)


def _read_images(collection: StimulusCollection, table: pd.DataFrame) -> np.ndarray:
    import numpy as np

    return np.stack([collection.read_image(str(stimulus)) for stimulus in table.index])


def _read_captions(world: Path, table: pd.DataFrame) -> list[list[str]]:
    import pandas as pd

    rows = pd.read_csv(world / "captions.tsv", sep="\t", dtype=str, keep_default_na=False)
    by_stimulus = rows.groupby("stimulus")["caption"].agg(list)
    return [by_stimulus[stimulus] for stimulus in table.index]
