from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.arrays import locate_stimuli
from brainalign.methods.label_baselines.linear import LogisticLabels, SharedResponseLabels
from brainalign.methods.label_baselines.readout import fit_logistic, fit_ridge
from brainalign.methods.label_baselines.shared_response import fit_shared_response
from brainalign.methods.labels.precision import compute_mean_average_precision
from brainalign.methods.registry import METHODS, get_method
from unit.methods.label_world import LabelWorld, simulate_label_world

BASELINES = sorted(name for name in METHODS if name.startswith("label_"))
SHORT = {"epochs": 8}


@cache
def make_world() -> LabelWorld:
    return simulate_label_world(n_own=60)


def fit(name: str):
    method_class = get_method(name)
    options = SHORT if "epochs" in method_class.Options.model_fields else {}
    method = method_class(method_class.Options.model_validate(options))
    world = make_world()
    kept = ["a"] if method.requirements.subjects == "one" else ["a", "b", "c"]
    method.fit(world.training.select_subjects(kept), world.validation.select_subjects(kept), seed=0)
    return method


@pytest.mark.parametrize("name", BASELINES)
def test_each_baseline_beats_chance_and_restores_bitwise(name: str):
    method = fit(name)
    test = make_world().test
    responses = test.get_subject("a")
    rows = locate_stimuli(responses.stimulus, test.stimulus, where="test")
    score = method.predict("a", responses.response).score
    label = test.label[rows]
    prevalence = label.mean(axis=0).mean()
    assert compute_mean_average_precision(score, label) > prevalence + 0.05
    assert score.min() >= 0
    assert score.max() <= 1
    restored = get_method(name)(method.options)
    restored.set_weights(method.get_weights())
    np.testing.assert_array_equal(restored.predict("a", responses.response).score, score)


def test_ridge_equals_its_closed_form():
    rng = np.random.default_rng(0)
    values, label = rng.normal(size=(40, 6)), (rng.random((40, 3)) < 0.4).astype(float)
    [(weights, intercept)] = fit_ridge(values, label, [0.1])
    centred = values - values.mean(0)
    penalty = 0.1 * np.sum(centred**2)
    expected = np.linalg.solve(centred.T @ centred + penalty * np.eye(6), centred.T @ label)
    np.testing.assert_allclose(weights, expected)
    np.testing.assert_allclose(intercept, label.mean(0) - values.mean(0) @ weights)


def test_logistic_equals_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    values, label = rng.normal(size=(80, 5)), (rng.random((80, 2)) < 0.4).astype(float)
    [(weights, intercept)] = fit_logistic(values, label, [0.02])
    strength = 0.02 * float(np.mean(values**2)) * 5
    for column in range(2):
        reference = linear_model.LogisticRegression(C=1 / (strength * 80), tol=1e-8, max_iter=1000)
        reference.fit(values, label[:, column])
        np.testing.assert_allclose(weights[:, column], reference.coef_[0], atol=1e-3)
        assert abs(intercept[column] - reference.intercept_[0]) < 1e-3


def test_shared_features_of_rotated_copies_are_the_same():
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(60, 4))
    responses = {
        name: latent @ np.linalg.qr(rng.normal(size=(n, 4)))[0].T
        for name, n in (("a", 9), ("b", 7))
    }
    basis = fit_shared_response(responses, 4, 50, seed=0)
    mapped = [(values - values.mean(0)) @ basis[name] for name, values in responses.items()]
    np.testing.assert_allclose(mapped[0], mapped[1], atol=1e-3)


def test_without_shared_stimuli_the_shared_response_model_is_refused():
    world = simulate_label_world(n_shared=0, n_own=60)
    with pytest.raises(InputError, match="stimuli that all subjects saw"):
        SharedResponseLabels().fit(world.training, world.validation, seed=0)


def test_an_unfitted_baseline_says_so():
    with pytest.raises(InputError, match="not fitted"):
        LogisticLabels().predict("a", np.zeros((1, 2)))
