"""Parity with the PIL processors of `transformers`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from brainalign.errors import InputError
from brainalign.features.preprocessing import read_preprocessing

MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]
NORMALISE = {"image_mean": MEAN, "image_std": STD}

CLIP = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 48},
    "crop_size": {"height": 40, "width": 40},
    "do_center_crop": True,
    "resample": 3,
}
VIT = {
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": 32, "width": 32},
    "resample": 2,
}
CONVNEXT = {
    "image_processor_type": "ConvNextImageProcessor",
    "size": {"shortest_edge": 56},
    "crop_pct": 0.875,
    "resample": 3,
}


def draw_images(height: int, width: int) -> np.ndarray:
    """Smooth and noisy images, saturated ones among them."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    edges = np.zeros((2, height, width, 3), np.uint8)
    edges[:, :, width // 3 :] = 255
    edges[1, height // 2 :] = (250, 10, 90)
    return np.concatenate([noise, edges])


@pytest.mark.parametrize(
    ("processor", "configuration"),
    [
        (CLIPImageProcessorPil, CLIP),
        (CLIPImageProcessorPil, {**CLIP, "size": {"shortest_edge": 36}}),
        (CLIPImageProcessorPil, {**CLIP, "do_resize": False}),
        (CLIPImageProcessorPil, {**CLIP, "do_normalize": False}),
        (ViTImageProcessorPil, VIT),
        (ViTImageProcessorPil, {**VIT, "resample": 0}),
        (ConvNextImageProcessorPil, CONVNEXT),
    ],
)
@pytest.mark.parametrize("size", [(96, 96), (70, 51), (30, 45)])
def test_tensors_equal_those_of_the_pil_processor(processor, configuration, size):
    configuration = {**configuration, **NORMALISE}
    images = draw_images(*size)
    expected = processor(**configuration)(list(images), return_tensors="pt")["pixel_values"]
    found = read_preprocessing(configuration, "test").apply(torch.from_numpy(images))
    assert found.shape == expected.shape
    # One 8-bit step: Pillow rounds between its two passes.
    step = 1.01 / 255 / (min(STD) if configuration.get("do_normalize", True) else 1)
    difference = (found - expected).abs()
    assert difference.max() <= step
    assert (difference > 1e-3).float().mean() < 0.05


def test_the_float_path_of_gpus_equals_the_8_bit_path(monkeypatch):
    preprocessing = read_preprocessing({**VIT, **NORMALISE}, "test")
    images = torch.from_numpy(draw_images(96, 96))
    pixels = images.permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        pixels.float(), size=(32, 32), mode="bilinear", antialias=True
    )
    by_float = resized.round().clamp(0, 255)
    by_bytes = preprocessing._resize(pixels).float()
    assert (by_float - by_bytes).abs().max() <= 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            {**CLIP, "size": 48, "crop_size": 40},
            CLIP,
        ),
        ({**VIT, "image_processor_type": "ViTFeatureExtractor", "size": 32}, VIT),
    ],
)
def test_old_files_with_one_number_mean_the_same(old, new):
    assert read_preprocessing({**old, **NORMALISE}, "a") == read_preprocessing(
        {**new, **NORMALISE}, "b"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resample": 1}, "resampling filter"),
        ({"size": {"longest_edge": 5}}, "size is not understood"),
        ({"image_mean": [0.5]}, "image_mean is wrong"),
    ],
)
def test_what_is_not_supported_is_named(change, message):
    with pytest.raises(InputError, match=message):
        read_preprocessing({**CLIP, **NORMALISE, **change}, "preprocessor_config.json")
