"""All yardsticks of a planted subject: the right layer wins, missing things are survived."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
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
