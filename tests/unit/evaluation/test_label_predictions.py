from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import CorruptDataError
from brainalign.evaluation.label_predictions import score_labels
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.table import complete_scores

OPTIONS = EvaluationOptions(n_bootstrap=60, n_permutations=30)
N_STIMULI, N_CLASSES = 50, 3


def make_group(seed: int, quality: float, n_folds: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    label = rng.random((N_STIMULI, N_CLASSES)) < 0.4
    noise = rng.random((2, N_STIMULI, N_CLASSES))
    return xr.Dataset(
        {
            "label_score": (("seed", "stimulus", "class"), quality * label + (1 - quality) * noise),
            "label": (("stimulus", "class"), label),
        },
        coords={
            "seed": [0, 1],
            "stimulus": [f"s{number:02d}" for number in range(N_STIMULI)],
            "class": ["cat", "dog", "house"],
            "fold": ("stimulus", np.arange(N_STIMULI) % n_folds),
        },
    )


def score(**groups: xr.Dataset):
    tree = xr.DataTree.from_dict(
        {"/": xr.Dataset(), **{f"/{name}/all/labels": group for name, group in groups.items()}}
    )
    scores, details = score_labels(tree, OPTIONS)
    return complete_scores(scores), details


def take(scores, subject: str, seed: str, metric: str):
    rows = scores[
        (scores["subject"] == subject) & (scores["seed"] == seed) & (scores["metric"] == metric)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_pooled_rows_are_means_over_subjects_and_seeds():
    scores, _ = score(a=make_group(0, 0.5), b=make_group(1, 0.2))
    parts = [take(scores, name, seed, "map")["value"] for name in "ab" for seed in "01"]
    assert take(scores, "all", "all", "map")["value"] == pytest.approx(np.mean(parts))


def test_intervals_hold_their_score_and_pooling_narrows_them():
    scores, _ = score(a=make_group(0, 0.3), b=make_group(1, 0.3))
    one, pooled = take(scores, "a", "0", "auc"), take(scores, "all", "all", "auc")
    assert one["ci_low"] < one["value"] < one["ci_high"]
    assert pooled["ci_high"] - pooled["ci_low"] < one["ci_high"] - one["ci_low"]


def test_chance_stands_beside_every_score_and_there_is_no_ceiling():
    scores, _ = score(a=make_group(0, 0.3))
    assert scores["chance"].notna().all()
    assert scores["ceiling"].isna().all()


def test_perfect_scores_are_perfect_in_every_draw():
    scores, _ = score(a=make_group(0, 1.0))
    for metric, value in (("map", 1.0), ("auc", 1.0), ("hamming", 0.0)):
        row = take(scores, "a", "all", metric)
        assert row[["value", "ci_low", "ci_high"]].tolist() == pytest.approx([value] * 3)


def test_the_order_of_stimuli_changes_no_score():
    group = make_group(0, 0.3)
    order = np.random.default_rng(1).permutation(N_STIMULI)
    first, second = score(a=group)[0], score(a=group.isel(stimulus=order))[0]
    np.testing.assert_allclose(first["value"], second["value"])
    np.testing.assert_allclose(first["ci_low"], second["ci_low"])


def test_folds_are_never_compared_with_each_other():
    group = make_group(0, 1.0, n_folds=2)
    shifted = group["label_score"] / 4 + 0.5 * group["fold"]
    scores, _ = score(a=group.assign(label_score=shifted))
    assert take(scores, "a", "all", "map")["value"] == pytest.approx(1)


def test_each_class_has_its_own_precision():
    _, details = score(a=make_group(0, 1.0))
    assert set(details["classes"]["class"]) == {"cat", "dog", "house"}
    np.testing.assert_allclose(details["classes"]["average_precision"], 1)


def test_scores_that_are_not_finite_are_refused():
    group = make_group(0, 0.5)
    group["label_score"][0, 0, 0] = np.nan
    with pytest.raises(CorruptDataError, match="label scores are not finite"):
        score(a=group)
