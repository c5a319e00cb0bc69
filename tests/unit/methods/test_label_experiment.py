"""From stores to predictions and scores, for CLIP-MUSED and its baselines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.methods.experiment import FittedExperiment
from brainalign.methods.labels.experiment import fit_experiment, predict_experiment
from brainalign.methods.labels.stores import join_levels
from brainalign.stores.contracts import find_contract_violations
from unit.methods.label_stores import LabelStores, write_label_stores
from unit.methods.label_world import LabelWorld, simulate_label_world

SHORT = {"epochs": 4, "width": 32, "patch_length": 12}
OPTIONS = EvaluationOptions(n_bootstrap=50, n_permutations=50, top_k=[1], n_way=[2])


@pytest.fixture(scope="module")
def world() -> LabelWorld:
    return simulate_label_world(n_shared=50, n_own=40, n_test=40)


@pytest.fixture(scope="module")
def stores(world: LabelWorld, tmp_path_factory: pytest.TempPathFactory) -> LabelStores:
    return write_label_stores(tmp_path_factory.mktemp("stores"), world)


def run(job) -> tuple[FittedExperiment, xr.DataTree]:
    fitted = fit_experiment(job)
    return fitted, predict_experiment(job, fitted)


def test_clip_mused_gives_labels_tokens_attention_and_controls(stores: LabelStores):
    _, tree = run(stores.make_job("clip_mused", (0, 1), new_subjects=["c"], **SHORT))
    assert find_contract_violations(tree, "predictions") == []
    for subject in "abc":
        group = tree[f"/{subject}/all/labels"]
        assert group["label_score"].dims == ("seed", "stimulus", "class")
        assert group["attention"].dims == ("seed", "level", "area")
        np.testing.assert_allclose(group["attention"].sum("area"), 1, rtol=1e-4)
        assert (tree[f"/{subject}/all/labels_swapped"]["label_score"] != group["label_score"]).any()
        assert tree[f"/{subject}/all/tokens"].attrs["similarity"] == "cosine"
    assert "labels_untuned" in tree["/c/all"].children
    assert "labels_untuned" not in tree["/a/all"].children


def test_scores_of_a_store_hold_labels_retrieval_similarities_and_attention(stores: LabelStores):
    _, tree = run(stores.make_job("clip_mused", (0,), **SHORT))
    scores, details = score_all(tree, OPTIONS)
    assert {"label_decoding", "token_retrieval", "token_rsa", "discriminative_decoding"} == set(
        scores["task"]
    ) - {"discriminative_encoding"}
    assert {"queries", "classes", "attention", "token_rsa"} <= set(details)
    pooled = scores[(scores["subject"] == "all") & (scores["task"] == "label_decoding")]
    assert set(pooled["matching"]) == {"labels", "labels_swapped"}


def test_test_truth_changes_no_prediction(world: LabelWorld, tmp_path: Path):
    turned = LabelWorld(
        world.training,
        world.validation,
        type(world.test)(
            world.test.stimulus,
            ~world.test.label,
            world.test.subjects,
            world.test.area,
            world.test.target,
            world.test.voxel_index,
        ),
    )
    scores = []
    for name, one in (("plain", world), ("turned", turned)):
        (tmp_path / name).mkdir()
        _, tree = run(
            write_label_stores(tmp_path / name, one).make_job("label_vit_pooled", **SHORT)
        )
        scores.append(tree["/a/all/labels"]["label_score"].values)
    np.testing.assert_array_equal(*scores)


def test_a_method_without_seeds_is_fitted_once_and_stands_for_all(stores: LabelStores):
    fitted, tree = run(stores.make_job("label_ridge", (0, 1, 2)))
    assert isinstance(fitted.history, pd.DataFrame)
    assert fitted.history["seed"].tolist() == [0, 0, 0]
    score = tree["/b/all/labels"]["label_score"]
    assert score["seed"].values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(score[0], score[2])


def test_missing_captions_are_replaced_by_their_images():
    image, text = np.eye(2, dtype=np.float32), np.array([[0, 3], [np.nan, np.nan]], np.float32)
    np.testing.assert_allclose(join_levels(image, text, "image_and_text"), [[0.5, 0.5], [0, 1]])
    np.testing.assert_allclose(join_levels(image, text, "text"), [[0, 1], [0, 1]])


def test_a_store_without_text_says_what_to_do(world: LabelWorld, tmp_path: Path):
    stores = write_label_stores(tmp_path, world, with_text=False)
    with pytest.raises(InputError, match=r"no features of captions.*guidance: image"):
        fit_experiment(stores.make_job("clip_mused", **SHORT))
    fitted = fit_experiment(stores.make_job("clip_mused", guidance="image", **SHORT))
    assert fitted.weights


def test_stimuli_without_labels_are_refused(world: LabelWorld, tmp_path: Path):
    stores = write_label_stores(tmp_path, world, with_labels=False)
    with pytest.raises(InputError, match="the stimuli have no labels"):
        fit_experiment(stores.make_job("label_logistic"))


def test_an_unknown_new_subject_is_refused(stores: LabelStores):
    with pytest.raises(InputError, match=r"new_subjects must name.*a, b, c.*zoe"):
        fit_experiment(stores.make_job("clip_mused", new_subjects=["zoe"], **SHORT))


def test_other_units_than_those_of_the_fit_are_refused(stores: LabelStores):
    job = stores.make_job("label_ridge")
    fitted = fit_experiment(job)
    fitted.description["units"]["a"] = ["other"]
    with pytest.raises(InputError, match="fitted to other units of subject 'a'"):
        predict_experiment(job, fitted)
