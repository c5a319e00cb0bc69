from __future__ import annotations

import numpy as np
import pytest

from brainalign.evaluation.label_metrics import (
    compute_auc,
    compute_average_precision,
    compute_hamming,
    compute_label_metrics,
)

metrics = pytest.importorskip("sklearn.metrics")


def draw(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    # Rounded scores have ties.
    score = np.round(rng.random(n), 1)
    weight = rng.integers(0, 4, size=(5, n)).astype(float)
    return score, rng.random(n) < 0.4, weight


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_of_every_draw_equals_scikit_learn(seed: int):
    score, label, weight = draw(seed)
    found = compute_average_precision(score, label, weight)
    for row, one in enumerate(weight):
        expected = metrics.average_precision_score(label, score, sample_weight=one)
        assert found[row] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_auc_of_every_draw_equals_scikit_learn(seed: int):
    score, label, weight = draw(seed)
    found = compute_auc(score, label, weight)
    for row, one in enumerate(weight):
        expected = metrics.roc_auc_score(label, score, sample_weight=one)
        assert found[row] == pytest.approx(expected)


def test_a_constant_score_has_the_prevalence_and_one_half():
    _, label, weight = draw(0)
    constant = np.full(len(label), 0.3)
    prevalence = weight @ label / weight.sum(axis=1)
    np.testing.assert_allclose(compute_average_precision(constant, label, weight), prevalence)
    np.testing.assert_allclose(compute_auc(constant, label, weight), 0.5)


def test_absent_classes_are_left_out_unless_the_legacy_figure_is_asked_for():
    rng = np.random.default_rng(0)
    label = np.stack([rng.random(30) < 0.5, np.zeros(30, bool), np.ones(30, bool)], axis=1)
    score, weight = rng.random((30, 3)), np.ones((1, 30))
    honest, _ = compute_label_metrics(score, label, weight, legacy_auc=False)
    legacy, _ = compute_label_metrics(score, label, weight, legacy_auc=True)
    own = metrics.roc_auc_score(label[:, 0], score[:, 0])
    assert honest["auc"][0] == pytest.approx(own)
    assert legacy["auc"][0] == pytest.approx((own + 2) / 3)


def test_chance_of_precision_is_the_mean_prevalence_of_the_classes_that_are_there():
    label = np.array([[1, 0], [0, 0], [0, 0], [0, 0]], dtype=bool)
    _, chance = compute_label_metrics(np.zeros((4, 2)), label, np.ones((1, 4)), legacy_auc=False)
    assert chance["map"][0] == 0.25
    assert chance["hamming"][0] == 0.125


def test_random_scores_reach_the_chance_of_precision():
    rng = np.random.default_rng(0)
    label = rng.random((2000, 3)) < 0.3
    value, chance = compute_label_metrics(
        rng.random((2000, 3)), label, np.ones((1, 2000)), legacy_auc=False
    )
    assert value["map"][0] == pytest.approx(chance["map"][0], abs=0.03)


def test_hamming_counts_wrong_labels_at_one_half():
    score, label = np.array([[0.9, 0.1], [0.6, 0.5]]), np.array([[True, False], [False, True]])
    assert compute_hamming(score, label, np.ones((1, 2)))[0] == 0.25


def test_without_any_class_nothing_is_scored():
    value, _ = compute_label_metrics(
        np.zeros((3, 1)), np.zeros((3, 1), bool), np.ones((1, 3)), legacy_auc=False
    )
    assert np.isnan(value["map"][0])
    assert np.isnan(value["auc"][0])
