"""Golden values of luminance and contrast."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.features.extraction import extract_features
from brainalign.features.options import PixelsOptions
from brainalign.features.pixels import PixelsBackbone
from brainalign.features.registry import load_backbone


def compute(images: np.ndarray, grid: int) -> np.ndarray:
    backbone = PixelsBackbone(grid, torch.device("cpu"))
    return extract_features(images, backbone, ["grid"])["grid/feature"]


@pytest.mark.parametrize(
    ("colour", "luminance"),
    [
        ((255, 255, 255), 1.0),
        ((0, 0, 0), 0.0),
        ((255, 0, 0), 0.2126),
        ((0, 255, 0), 0.7152),
        ((0, 0, 255), 0.0722),
        # IEC 61966-2-1: mid grey, then a value on the linear part near black.
        ((128, 128, 128), 0.21586),
        ((10, 10, 10), 0.0030353),
    ],
)
def test_luminance_of_known_colours(colour, luminance):
    image = np.full((1, 4, 4, 3), colour, np.uint8)
    np.testing.assert_allclose(compute(image, 1), [[luminance, 0.0]], rtol=1e-4, atol=1e-7)


def test_contrast_is_the_standard_deviation_within_a_cell():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[:, :, ::2] = 255
    np.testing.assert_allclose(compute(image, 1), [[0.5, 0.5]], rtol=1e-6)


def test_cells_are_ordered_row_by_row_and_luminance_precedes_contrast():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, :2, 2:] = 255
    np.testing.assert_allclose(compute(image, 2), [[0, 1, 0, 0, 0, 0, 0, 0]], atol=1e-7)


def test_a_flat_image_has_no_contrast():
    image = np.full((1, 32, 32, 3), 77, np.uint8)
    np.testing.assert_array_less(compute(image, 8)[:, 64:], 1e-6)


def test_an_image_smaller_than_the_grid_is_refused():
    with pytest.raises(InputError, match="smaller than the grid"):
        compute(np.zeros((1, 4, 4, 3), np.uint8), 8)


def test_the_default_has_64_luminances_and_64_contrasts():
    features = extract_features(
        np.zeros((2, 16, 16, 3), np.uint8), load_backbone(PixelsOptions()), ["grid"]
    )
    assert features["grid/feature"].shape == (2, 128)


def test_pixels_have_no_other_layer():
    with pytest.raises(InputError, match="no layer 'layer_1'"):
        PixelsBackbone(8, torch.device("cpu")).list_paths(["layer_1"], ["cls"])
