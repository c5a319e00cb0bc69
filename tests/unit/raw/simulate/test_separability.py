"""Categories can be told apart, but not by pixels alone."""

import numpy as np
import pytest

from brainalign.raw.simulate.backgrounds import BACKGROUNDS, draw_background
from brainalign.raw.simulate.categories import build_object, draw_objects
from brainalign.raw.simulate.factors import draw_object_stimuli
from brainalign.raw.simulate.options import WorldOptions
from brainalign.raw.simulate.render import draw_object, to_uint8

CHANCE = 1 / 8


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    options = WorldOptions(image_size=48, exemplars_per_category=3, views_per_exemplar=20)
    places = {name: draw_background(0, name, 48) for name in BACKGROUNDS}
    images, labels, held_out = [], [], []
    for exemplar in draw_objects(0, 3):
        mesh = build_object(exemplar)
        for index, item in enumerate(draw_object_stimuli(options, exemplar)):
            picture = draw_object(places[item.background], mesh, item.view, item.lighting)
            images.append(to_uint8(picture) / 255)
            labels.append(exemplar.category)
            held_out.append(index % 4 == 0)
    return np.stack(images), np.unique(labels, return_inverse=True)[1], np.array(held_out)


def classify(features: np.ndarray, label: np.ndarray, held_out: np.ndarray) -> float:
    """Held-out accuracy of ridge regression onto one-hot labels."""
    mean, spread = features[~held_out].mean(0), features[~held_out].std(0) + 1e-6
    scaled = (features - mean) / spread
    train = scaled[~held_out]
    kernel = train @ train.T / train.shape[1]
    dual = np.linalg.solve(kernel + 0.3 * np.eye(len(kernel)), np.eye(8)[label[~held_out]] - CHANCE)
    guess = (scaled[held_out] @ train.T / train.shape[1] @ dual).argmax(axis=1)
    return float((guess == label[held_out]).mean())


def shrink(images: np.ndarray, factor: int) -> np.ndarray:
    n, height, width, _ = images.shape
    blocks = images.reshape(n, height // factor, factor, width // factor, factor, 3)
    return blocks.mean(axis=(2, 4)).reshape(n, -1)


def pool_edges(images: np.ndarray) -> np.ndarray:
    """Oriented edge energy, 8 orientations in 6 x 6 cells."""
    rows, columns = np.gradient(images.mean(axis=-1), axis=(1, 2))
    angle = np.floor((np.arctan2(rows, columns) % np.pi) / np.pi * 8).astype(int) % 8
    energy = np.hypot(rows, columns)[..., None] * (angle[..., None] == np.arange(8))
    n = len(images)
    return np.sqrt(energy.reshape(n, 6, 8, 6, 8, 8).sum(axis=(2, 4))).reshape(n, -1)


def test_linear_pixels_are_above_chance_but_far_from_solving_it(pictures):
    images, label, held_out = pictures
    assert 1.5 * CHANCE < classify(shrink(images, 4), label, held_out) < 0.6


def test_edges_tell_categories_apart_better_than_pixels(pictures):
    images, label, held_out = pictures
    edges = classify(pool_edges(images), label, held_out)
    assert edges > classify(shrink(images, 4), label, held_out) + 0.1
    assert edges > 4 * CHANCE


def test_the_background_says_nothing_about_the_category(pictures):
    images, label, held_out = pictures
    corners = np.concatenate([images[:, :4, :4].reshape(len(images), -1)], axis=1)
    assert classify(corners, label, held_out) < 2 * CHANCE
