"""The planted latents: standardised, balanced, and means over the objects of a scene."""

import numpy as np
import pytest

from brainalign.raw.simulate.categories import draw_objects
from brainalign.raw.simulate.factors import draw_object_stimuli
from brainalign.raw.simulate.latents import (
    LATENT_GROUPS,
    compute_stimulus_latents,
    make_category_code,
    slice_group,
)
from brainalign.raw.simulate.options import WorldOptions
from brainalign.raw.simulate.streams import draw_stratified

OPTIONS = WorldOptions()
EXEMPLARS = draw_objects(0, 6)
ROW_OF = {exemplar.name: row for row, exemplar in enumerate(EXEMPLARS)}
CODE = make_category_code(0, EXEMPLARS)


def compute(objects) -> np.ndarray:
    return compute_stimulus_latents(OPTIONS, CODE, ROW_OF, objects)


def test_groups_partition_the_latents():
    columns = [index for group in LATENT_GROUPS for index in range(13)[slice_group(group)]]
    assert columns == list(range(13))


def test_latents_of_single_objects_are_standardised():
    latent = np.stack(
        [
            compute([(item.exemplar, item.view)])
            for exemplar in EXEMPLARS
            for item in draw_object_stimuli(OPTIONS, exemplar)
        ]
    )
    assert np.abs(latent.mean(axis=0)).max() < 0.15
    assert latent.std(axis=0) == pytest.approx(np.ones(13), abs=0.15)


def test_all_categories_are_equally_far_apart():
    difference = CODE.category[:, None] - CODE.category[None]
    distance = np.linalg.norm(difference, axis=-1)[~np.eye(8, dtype=bool)]
    assert np.ptp(distance) < 1e-9


def test_objects_lie_nearest_to_their_own_category():
    distance = np.linalg.norm(CODE.exemplar[:, None] - CODE.category[None], axis=-1)
    assert np.array_equal(distance.argmin(axis=1), np.repeat(np.arange(8), 6))


def test_a_scene_has_the_mean_latents_of_its_objects():
    items = [draw_object_stimuli(OPTIONS, EXEMPLARS[index])[0] for index in (0, 20)]
    pairs = [(item.exemplar, item.view) for item in items]
    assert np.allclose(compute(pairs), (compute(pairs[:1]) + compute(pairs[1:])) / 2)


def test_stratified_draws_fill_every_bin_once():
    design = draw_stratified(np.random.default_rng(0), 20, 3)
    bins = np.sort(np.floor(design * 20).astype(int), axis=0)
    assert np.array_equal(bins, np.tile(np.arange(20)[:, None], 3))
