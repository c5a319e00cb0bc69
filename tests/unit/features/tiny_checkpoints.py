"""Tiny checkpoints with random weights, saved as published ones are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    PreTrainedModel,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTForImageClassification,
)

from brainalign.features.quiet import quiet_transformers

N_LAYERS = 3
SHAPE = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": N_LAYERS}
VISION = {"image_size": 32, "patch_size": 8}
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"height": 32, "width": 32},
    "resample": 3,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.4, 0.5, 0.6],
    "image_std": [0.2, 0.3, 0.25],
}


def build_clip(hidden_size: int = 16) -> CLIPModel:
    tower = {**SHAPE, "hidden_size": hidden_size, "intermediate_size": 32, "projection_dim": 8}
    return CLIPModel(
        CLIPConfig(
            text_config={**tower, "vocab_size": 20, "max_position_embeddings": 8},
            vision_config={**tower, **VISION},
            projection_dim=8,
        )
    )


BUILDERS: dict[str, Callable[[], PreTrainedModel]] = {
    "clip": build_clip,
    "dinov2": lambda: Dinov2Model(Dinov2Config(**SHAPE, **VISION)),
    "dinov2_with_registers": lambda: Dinov2WithRegistersModel(
        Dinov2WithRegistersConfig(**SHAPE, **VISION, num_register_tokens=4)
    ),
    # A classifier, as most published ViT checkpoints are.
    "vit": lambda: ViTForImageClassification(ViTConfig(**SHAPE, **VISION, intermediate_size=32)),
    "resnet": lambda: ResNetModel(
        ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16, 24], depths=[1, 1, 1], layer_type="basic"
        )
    ),
}


def save_checkpoint(model: PreTrainedModel, folder: Path) -> Path:
    with quiet_transformers():
        model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    return folder
