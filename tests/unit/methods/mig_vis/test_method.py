"""MIG-Vis on a user's own arrays: edits with a prior, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.methods.image_prior.folder import ImagePrior
from brainalign.methods.image_prior.network import NoisePredictor
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.image_prior.reader import AttributeReader
from brainalign.methods.mig_vis.described import DescribedResponses
from brainalign.methods.saved import load_method
from tiny_methods import make_described, make_method

SMALL = {
    "critic": {"epochs": 1, "shift_pixels": 0, "n_estimates": 1, "n_negatives": 8},
    "editing": {"edit_level": 0.5, "n_steps": 2, "n_corrections": 0},
    "strengths": [0.5, 1.0],
}


def make_prior(channels: str = "colour") -> ImagePrior:
    """Make a prior that has learned nothing."""
    options = ImagePriorOptions(
        image_size=16,
        channels=channels,
        block_channels=[8, 8],
        norm_groups=4,
        attention_blocks=[False, False],
        n_levels=10,
    )
    torch.manual_seed(0)
    return ImagePrior(
        options,
        NoisePredictor(options).eval(),
        AttributeReader(options.n_channels, 2, 0).eval(),
        ("face", "house"),
        (),
        np.empty(0),
        np.empty(0),
        {},
    )


def test_a_loaded_method_edits_bit_for_bit_as_before(tmp_path: Path):
    prior, training, test = make_prior(), make_described(1), make_described(3)
    method = make_method("mig_vis", **SMALL)
    method.fit(training, make_described(2), seed=0, prior=prior)
    method.save(tmp_path / "model")
    references = test.image[:2], test.response[:2], test.response[2:4], training.response
    edited = method.edit(prior, *references)
    assert edited.shape == (2, 3, 2, 16, 16, 3)
    assert edited.dtype == np.uint8
    np.testing.assert_array_equal(load_method(tmp_path / "model").edit(prior, *references), edited)
    with pytest.raises(InputError, match="critics"):
        method.edit(make_prior("grey"), *references)


def test_edits_need_critics_and_critics_need_images():
    method = make_method("mig_vis", **SMALL)
    training, validation = make_described(1), make_described(2)
    method.fit(training, validation, seed=0)
    with pytest.raises(InputError, match="no critics"):
        method.edit(
            make_prior(),
            training.image[:1],
            training.response[:1],
            training.response[1:2],
            training.response,
        )
    blind = dataclasses.replace(training, image=None)
    with pytest.raises(InputError, match="fitted to images, and there are none"):
        method.fit(blind, validation, seed=0, prior=make_prior())


def test_splits_that_do_not_fit_together_are_refused():
    training, validation = make_described(1), make_described(2)
    method = make_method("mig_vis")
    with pytest.raises(InputError, match="other units"):
        method.fit(
            training, dataclasses.replace(validation, response=validation.response[:, :5]), seed=0
        )
    with pytest.raises(InputError, match="other factors"):
        method.fit(training, dataclasses.replace(validation, factor={}), seed=0)


def test_rows_that_do_not_fit_together_are_refused():
    response = np.ones((4, 3))
    with pytest.raises(InputError, match="one row of category"):
        DescribedResponses.from_arrays(response, category=np.array(["face"]))
    with pytest.raises(InputError, match="no filled matrix"):
        DescribedResponses.from_arrays(np.ones(4))
    with pytest.raises(InputError, match="id may come once"):
        DescribedResponses.from_arrays(response, stimulus=np.array(["a", "a", "b", "c"]))
