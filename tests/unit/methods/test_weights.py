"""Saving and loading, for all methods that embed stimuli and responses in one space."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.methods.base import AlignmentMethod
from brainalign.methods.registry import METHODS, get_method
from unit.methods.linear_world import LinearWorld, score_matrix, simulate_linear_world

EMBEDDING = sorted(
    name
    for name, entry in METHODS.items()
    if entry.experiment == "brainalign.methods.image_alignment"
)


@pytest.fixture(scope="module")
def world() -> LinearWorld:
    return simulate_linear_world(1, 1, 60, seed=0, n_test=12, n_validation=12)


@pytest.fixture(scope="module")
def fitted(world: LinearWorld) -> dict[str, AlignmentMethod]:
    methods = {}
    for name in EMBEDDING:
        method_class = get_method(name)
        options = (
            method_class.Options() if name.endswith("ridge") else method_class.Options(epochs=2)
        )
        methods[name] = method_class(options)
        methods[name].fit(world.training, world.validation, seed=0)
    return methods


@pytest.mark.parametrize("name", EMBEDDING)
def test_a_saved_method_embeds_bitwise_the_same(
    name: str, world: LinearWorld, fitted: dict[str, AlignmentMethod], tmp_path: Path
):
    method = fitted[name]
    method.save(tmp_path)
    loaded = type(method).load(tmp_path)
    for variant, expected in method.embed(
        "monkey", world.test.feature, world.test_response()
    ).items():
        found = loaded.embed("monkey", world.test.feature, world.test_response())[variant]
        np.testing.assert_array_equal(score_matrix(found), score_matrix(expected))


@pytest.mark.parametrize("name", EMBEDDING)
def test_weights_are_numeric_arrays_only(name: str, fitted: dict[str, AlignmentMethod]):
    for key, value in fitted[name].get_weights().items():
        assert value.dtype.kind in "fiu", key


@pytest.mark.parametrize("name", EMBEDDING)
def test_a_missing_or_an_unexpected_weight_is_named(name: str, fitted: dict[str, AlignmentMethod]):
    weights = fitted[name].get_weights()
    victim = next(key for key in weights if "module/" in key or "map/" in key)
    missing = {key: value for key, value in weights.items() if key != victim}
    unexpected = {**weights, victim + "_too_much": np.zeros(3)}
    last = victim.rpartition("/")[2]
    for wrong in (missing, unexpected):
        with pytest.raises(InputError, match=last):
            type(fitted[name])(fitted[name].options).set_weights(wrong)


@pytest.mark.parametrize("name", EMBEDDING)
def test_weights_of_another_width_are_refused_with_both_widths(
    name: str, fitted: dict[str, AlignmentMethod]
):
    narrow = simulate_linear_world(1, 1, 40, seed=1, n_test=12, n_validation=12)
    feature = narrow.training.feature[:, :99]
    training = type(narrow.training)(narrow.training.stimulus, feature, narrow.training.subjects)
    feature = narrow.validation.feature[:, :99]
    validation = type(training)(narrow.validation.stimulus, feature, narrow.validation.subjects)
    other = type(fitted[name])(fitted[name].options)
    other.fit(training, validation, seed=0)
    with pytest.raises(InputError, match=r"expected \(256.*found \(99"):
        fitted[name].set_weights(other.get_weights())


def test_options_of_another_width_are_refused_with_both_widths(
    fitted: dict[str, AlignmentMethod], tmp_path: Path
):
    fitted["vna"].save(tmp_path)
    path = tmp_path / "options.json"
    description = json.loads(path.read_text())
    description["options"]["embedding_dimension"] = 32
    path.write_text(json.dumps(description))
    with pytest.raises(InputError, match=r"expected \(32.*found \(64"):
        type(fitted["vna"]).load(tmp_path)


def test_the_folder_of_another_method_is_refused(
    fitted: dict[str, AlignmentMethod], tmp_path: Path
):
    fitted["vna"].save(tmp_path)
    with pytest.raises(InputError, match="expected direct_encoding_ridge, found vna"):
        get_method("direct_encoding_ridge").load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no fitted model"):
        get_method("vna").load(tmp_path)


def test_cut_weights_are_told_apart_from_missing_ones(
    fitted: dict[str, AlignmentMethod], tmp_path: Path
):
    fitted["vna"].save(tmp_path)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptDataError, match="damaged"):
        get_method("vna").load(tmp_path)
