"""All yardsticks of a planted subject: the right layer wins, missing things are survived."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.evaluation.yardsticks.category_scores import Categories, collect_categories
from brainalign.evaluation.yardsticks.measure import Layers, measure_layers
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.recordings import FoldResponses, YardstickSubject

OPTIONS = YardstickOptions(n_permutations=99, n_bootstrap=60)
SPLITS = {"train": slice(0, 120), "validation": slice(120, 150), "test": slice(150, 200)}
STIMULUS = np.array([f"s{number:03d}" for number in range(200)])


def plant(seed: int = 0, noise_ceiling: float = 0.8) -> tuple[list[YardstickSubject], Layers]:
    """Area V1 follows the shallow layer, area IT the deep one, in two subjects."""
    generator = np.random.default_rng(seed)
    feature = {name: generator.normal(size=(200, 6)) for name in ("deep/mean", "shallow/mean")}
    subjects = []
    for name in ("a", "b"):
        parts = [feature[layer] @ generator.normal(size=(6, 5)) for layer in sorted(feature)]
        response = np.hstack(parts)
        response = response + 0.5 * generator.normal(size=response.shape) * response.std(axis=0)
        fold = FoldResponses(
            {split: STIMULUS[rows] for split, rows in SPLITS.items()},
            {split: response[rows] for split, rows in SPLITS.items()},
        )
        subjects.append(
            YardstickSubject(
                subject=name,
                unit=np.array([f"u{number}" for number in range(10)]),
                area=np.repeat(["IT", "V1"], 5),
                noise_ceiling=np.full(10, noise_ceiling),
                folds=[fold],
                n_left_out=0,
            )
        )
    return subjects, Layers(STIMULUS, feature)


def test_each_area_is_fitted_best_by_its_own_layer() -> None:
    scores, details = measure_layers(*plant(), OPTIONS)
    for metric in ("normalised_pearson", "rsa_spearman", "linear_cka"):
        rows = scores[(scores["metric"] == metric) & (scores["matching"] == "each layer")]
        value = rows.set_index(["subject", "area", "feature"])["value"]
        for subject in "ab":
            assert value[subject, "IT", "deep/mean"] > value[subject, "IT", "shallow/mean"] + 0.1
            assert value[subject, "V1", "shallow/mean"] > value[subject, "V1", "deep/mean"] + 0.1
    best = scores[scores["matching"] == "best layer on validation"]
    chosen = best.set_index(["subject", "area", "metric"])["feature"]
    assert chosen["a", "IT", "pearson"] == "deep/mean"
    assert chosen["b", "V1", "pearson"] == "shallow/mean"
    tests = details["permutation_tests"].set_index(["metric", "subject", "area", "feature"])
    assert tests.loc[("linear_cka", "a", "IT", "deep/mean"), "p_corrected"] <= 0.05
    assert set(details["rsa_ceilings"]["area"]) == {"all", "IT", "V1"}


def test_the_best_layer_is_chosen_without_a_look_at_test_responses() -> None:
    subjects, layers = plant()
    generator = np.random.default_rng(1)
    changed = []
    for subject in subjects:
        [fold] = subject.folds
        noise = generator.normal(size=fold.response["test"].shape)
        response = {**fold.response, "test": noise}
        other = dataclasses.replace(fold, response=response)
        changed.append(dataclasses.replace(subject, folds=[other]))
    keys = ["subject", "area", "task", "metric"]
    chosen, values = [], []
    for one in (subjects, changed):
        scores, _ = measure_layers(one, layers, OPTIONS)
        best = scores[scores["matching"] == "best layer on validation"].set_index(keys)
        chosen.append(best["feature"])
        values.append(best["value"])
    assert chosen[0].equals(chosen[1])
    assert not np.allclose(*values)


def test_intervals_hold_their_values_and_noise_normalises_to_about_one() -> None:
    scores, _ = measure_layers(*plant(), OPTIONS)
    assert (scores["ci_low"] <= scores["value"] + 1e-9).all()
    assert (scores["ci_high"] >= scores["value"] - 1e-9).all()
    best = scores[
        (scores["matching"] == "best layer on validation")
        & (scores["metric"] == "normalised_pearson")
        & (scores["area"] != "all")
    ]
    # Noise of half the signal's spread: 1 / 1.25 of the variance can be explained.
    assert best["value"].to_numpy() == pytest.approx(1.0, abs=0.08)


def test_a_subject_more_changes_no_other_subjects_score() -> None:
    subjects, layers = plant()
    both, _ = measure_layers(subjects, layers, OPTIONS)
    alone, _ = measure_layers(subjects[:1], layers, OPTIONS)
    columns = ["feature", "area", "metric", "matching", "value", "ci_low", "ci_high", "chance"]
    expected = both.loc[both["subject"] == "a", columns].reset_index(drop=True)
    assert expected.equals(alone[columns])


def test_recordings_without_repeats_have_plain_scores_only() -> None:
    scores, _ = measure_layers(*plant(noise_ceiling=float("nan")), OPTIONS)
    metric = scores.groupby("metric")["value"]
    assert metric.count()["normalised_pearson"] == 0
    assert metric.count()["pearson"] > 0


def test_stimuli_without_features_are_named() -> None:
    subjects, layers = plant()
    fewer = Layers(STIMULUS[:199], {name: x[:199] for name, x in layers.feature.items()})
    with pytest.raises(InputError, match="s199"):
        measure_layers(subjects, fewer, OPTIONS)


def _name_categories(layers: Layers) -> Categories:
    """Two categories that the deep layer tells apart."""
    deep = layers.feature["deep/mean"][:, 0]
    shown = {
        name: "cat" if value > 0 else "dog" for name, value in zip(STIMULUS, deep, strict=True)
    }
    shown[str(STIMULUS[190])] = "n/a"
    categories = collect_categories(shown)
    assert categories is not None
    return categories


def test_predicted_responses_find_measured_ones_both_ways() -> None:
    scores, _ = measure_layers(*plant(), OPTIONS)
    for task in ("response_retrieval", "stimulus_retrieval"):
        rows = scores[(scores["task"] == task) & (scores["metric"] == "top_1")]
        assert len(rows) == 6
        assert set(rows["matching"]) == {"best layer on validation"}
        np.testing.assert_allclose(rows["chance"], 1 / 50)
        assert (rows["ci_low"] > 2 * rows["chance"]).all()
        assert (rows["ci_low"] <= rows["value"]).all()
        assert (rows["value"] <= rows["ci_high"]).all()


def test_responses_to_other_stimuli_are_found_at_chance() -> None:
    subjects, layers = plant()
    generator = np.random.default_rng(1)
    shuffled = {
        name: generator.permutation(feature) for name, feature in sorted(layers.feature.items())
    }
    scores, _ = measure_layers(subjects, Layers(STIMULUS, shuffled), OPTIONS)
    rows = scores[scores["metric"] == "identification_2_way"]
    assert abs(rows["value"].mean() - 0.5) < 0.1
    np.testing.assert_allclose(rows["chance"], 0.5)


def test_categories_are_read_from_the_area_and_layer_that_hold_them() -> None:
    subjects, layers = plant()
    scores, _ = measure_layers(subjects, layers, OPTIONS, _name_categories(layers))
    rows = scores[scores["task"] == "category_decoding"]
    brain = rows[rows["metric"] == "accuracy_from_responses"].set_index(["subject", "area"])
    for subject in "ab":
        assert brain["value"][subject, "IT"] > brain["value"][subject, "V1"] + 0.1
        assert abs(brain["value"][subject, "V1"] - brain["chance"][subject, "V1"]) < 0.25
    model = rows[rows["metric"] == "accuracy_from_features"]
    best = model[model["matching"] == "best layer on validation"]
    assert set(best["feature"]) == {"deep/mean"}
    assert (best["value"] > 0.85).all()
    # One test stimulus has no category.
    assert set(rows["n_queries"]) == {49}


def test_categories_change_no_encoding_score() -> None:
    subjects, layers = plant()
    alone, _ = measure_layers(subjects, layers, OPTIONS)
    both, _ = measure_layers(subjects, layers, OPTIONS, _name_categories(layers))
    kept = both[both["task"] != "category_decoding"].reset_index(drop=True)
    np.testing.assert_allclose(kept["value"], alone["value"], atol=1e-9)


def test_the_order_of_stimuli_changes_no_yardstick() -> None:
    subjects, layers = plant()
    categories = _name_categories(layers)
    order = np.random.default_rng(2).permutation(200)
    shuffled = Layers(STIMULUS[order], {name: x[order] for name, x in layers.feature.items()})
    first, second = (
        measure_layers(subjects, one, OPTIONS, categories)[0] for one in (layers, shuffled)
    )
    np.testing.assert_allclose(first["value"], second["value"], atol=1e-9)


def test_one_category_is_nothing_to_decode() -> None:
    assert collect_categories({"a": "cat", "b": "n/a", "c": "cat"}) is None
