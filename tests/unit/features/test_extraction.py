"""Each distinct image once, in the right order, whatever the batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from brainalign.errors import CorruptDataError, InputError, ResourceError
from brainalign.features.backbone import Backbone
from brainalign.features.extraction import _read_ahead, extract_features
from brainalign.features.pretrained import load_pretrained


class CountingBackbone(Backbone):
    """Its feature is the first pixel; it counts what it is shown."""

    architecture = "counting"
    n_layers = 0
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def describe(self) -> dict[str, Any]:
        return {}

    def list_paths(self, layers: Sequence[int | str], outputs: Sequence[str]) -> list[str]:
        return ["layer_0/cls"]

    def move(self, device: torch.device) -> None:
        self.device = device

    def compute(self, images, paths, dtype):
        self.batch_sizes.append(len(images))
        return {"layer_0/cls": images[:, 0, 0].float()}


@pytest.fixture
def backbone():
    return CountingBackbone()


def test_duplicates_are_computed_once_and_scattered_back(backbone, images):
    order = [3, 0, 3, 3, 1, 0, 6]
    features = extract_features(images[order], backbone, [0], batch_size=2)
    assert backbone.batch_sizes == [2, 2]
    np.testing.assert_array_equal(features["layer_0/cls"], images[order][:, 0, 0])


def test_images_that_differ_in_one_value_of_one_pixel_are_both_computed(backbone, images):
    pair = np.stack([images[0], images[0]])
    pair[1, -1, -1, 2] ^= 1
    extract_features(pair, backbone, [0])
    assert backbone.batch_sizes == [2]


def test_features_follow_the_images_when_these_are_permuted(checkpoints, images):
    backbone = load_pretrained(str(checkpoints["vit"]), None, torch.device("cpu"))
    order = np.random.default_rng(1).permutation(len(images))
    straight = extract_features(images, backbone, [2], ["cls"])["layer_2/cls"]
    permuted = extract_features(images[order], backbone, [2], ["cls"])["layer_2/cls"]
    np.testing.assert_allclose(permuted, straight[order], atol=1e-6)
    assert np.abs(straight[0] - straight[1]).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 3, 7, 50])
def test_the_batch_size_does_not_change_features(batch_size, checkpoints, images):
    backbone = load_pretrained(str(checkpoints["clip"]), None, torch.device("cpu"))
    layers = [1, "projection"]
    expected = extract_features(images, backbone, layers, batch_size=4)
    found = extract_features(images, backbone, layers, batch_size=batch_size)
    assert list(found) == ["layer_1/cls", "layer_1/mean", "projection/embedding"]
    for path in expected:
        np.testing.assert_allclose(found[path], expected[path], atol=1e-5)


def test_an_iterable_is_read_once_and_in_order(backbone, images):
    n_reads = []

    def decode():
        for image in images:
            n_reads.append(1)
            yield image[None]

    features = extract_features(decode(), backbone, [0], batch_size=3)
    assert len(n_reads) == len(images)
    assert backbone.batch_sizes == [3, 3, 1]
    np.testing.assert_array_equal(features["layer_0/cls"], images[:, 0, 0])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
    ],
)
def test_arrays_that_are_no_rgb_images_are_refused(wrong, backbone):
    with pytest.raises(InputError, match="no RGB images"):
        extract_features(wrong, backbone, [0])


def test_no_images_are_refused(backbone):
    with pytest.raises(InputError, match="no images"):
        extract_features(np.zeros((0, 8, 8, 3), np.uint8), backbone, [0])


def test_images_of_two_sizes_are_refused(backbone):
    chunks = [np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 9, 3), np.uint8)]
    with pytest.raises(InputError, match="differ in size"):
        extract_features(chunks, backbone, [0])


def test_an_unknown_precision_is_refused(backbone, images):
    with pytest.raises(InputError, match="auto, fp32 or bf16"):
        extract_features(images, backbone, [0], precision="fp16")


def test_features_that_are_not_finite_are_corrupt_data(backbone, images):
    backbone.compute = lambda images, paths, dtype: {
        "layer_0/cls": torch.full((len(images), 2), torch.nan)
    }
    with pytest.raises(CorruptDataError, match=r"layer_0/cls.*not finite"):
        extract_features(images, backbone, [0])


def test_too_little_device_memory_names_the_batch_size(backbone, images):
    def fail(images, paths, dtype):
        raise torch.OutOfMemoryError("CUDA out of memory")

    backbone.compute = fail
    with pytest.raises(ResourceError, match="batch_size"):
        extract_features(images, backbone, [0])


def test_reading_ahead_keeps_the_order():
    batches = [torch.tensor([number]) for number in range(9)]
    assert [int(batch) for batch in _read_ahead(iter(batches))] == list(range(9))


def test_an_error_while_reading_ahead_reaches_the_caller():
    def read():
        yield torch.zeros(1)
        raise CorruptDataError("image 2 is damaged")

    with pytest.raises(CorruptDataError, match="image 2"):
        list(_read_ahead(read()))


def test_progress_is_told_in_plain_lines_where_there_is_no_terminal(backbone, images, capsys):
    extract_features(images[[0, 1, 2]], backbone, [0], batch_size=1, progress=True)
    assert "3 of 3" in capsys.readouterr().err
