"""Scores of a prediction store: planted embeddings give known scores."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.predictions import ALL, score_predictions

OPTIONS = EvaluationOptions(top_k=[1], n_way=[2], n_bootstrap=50)
N_STIMULI, DIMENSION = 12, 6


def make_group(noise: float, n_seeds: int = 2, n_folds: int = 1, seed: int = 0) -> xr.Dataset:
    """Embed stimuli at random and responses at their stimulus plus noise."""
    generator = np.random.default_rng(seed)
    stimulus = [f"s{number:02d}" for number in range(N_STIMULI)]
    presented = np.repeat(stimulus, 2)
    embedding = generator.normal(size=(n_seeds, N_STIMULI, DIMENSION))
    fold = np.arange(N_STIMULI) % n_folds
    halves = embedding[:, None, None] + noise * generator.normal(
        size=(n_seeds, 3, 2, N_STIMULI, DIMENSION)
    )
    return xr.Dataset(
        {
            "stimulus_embedding": (("seed", "stimulus", "dimension"), embedding),
            "response_embedding": (
                ("seed", "stimulus", "dimension"),
                embedding + noise * generator.normal(size=embedding.shape),
            ),
            "presentation_embedding": (
                ("seed", "presentation", "dimension"),
                np.repeat(embedding, 2, axis=1),
            ),
            "half_embedding": (("seed", "half_split", "half", "stimulus", "dimension"), halves),
        },
        coords={
            "seed": np.arange(n_seeds),
            "stimulus": stimulus,
            "fold": ("stimulus", fold),
            "presented_stimulus": ("presentation", presented),
            "presentation_fold": ("presentation", np.repeat(fold, 2)),
        },
        attrs={"similarity": "cosine"},
    )


def score(groups: dict[str, xr.Dataset]):
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), **groups})
    scores, details = score_predictions(tree, OPTIONS)
    return scores, details["queries"]


def take(scores, **wanted):
    for name, value in wanted.items():
        scores = scores[scores[name] == value]
    return scores


def test_perfect_embeddings_score_one_with_a_ceiling_of_one():
    scores, _ = score({"/a/all/cosine": make_group(0.0)})
    rows = take(scores, metric="top_1", response="mean", seed=ALL)
    assert rows["value"].tolist() == [1.0, 1.0]
    assert rows["ceiling"].tolist() == [1.0, 1.0]


def test_unrelated_embeddings_score_near_chance():
    scores, _ = score({"/a/all/cosine": make_group(1e6, n_seeds=40)})
    rows = take(scores, metric="identification_2_way", response="mean", seed=ALL)
    assert rows["value"].between(0.4, 0.6).all()


def test_each_fold_is_a_gallery_of_its_own():
    scores, _ = score({"/a/all/cosine": make_group(0.3, n_folds=3)})
    rows = take(scores, metric="top_1", response="mean")
    assert set(rows["n_candidates"]) == {N_STIMULI / 3}
    assert np.allclose(rows["chance"], 3 / N_STIMULI)


def test_a_dimension_that_a_fold_lacks_does_not_enter():
    group = make_group(0.3, n_folds=2).drop_vars("half_embedding")
    expected, _ = score({"/a/all/cosine": group})
    found, _ = score({"/a/all/cosine": group.pad(dimension=(0, 2))})
    assert np.allclose(found["value"], expected["value"], equal_nan=True)


def test_pooled_rows_hold_the_queries_of_all_subjects_and_seeds():
    scores, queries = score(
        {"/a/all/cosine": make_group(0.3), "/b/all/cosine": make_group(0.3, seed=1)}
    )
    pooled = take(scores, subject=ALL, seed=ALL, metric="top_1", response="mean")
    single = take(scores, metric="top_1", response="mean")
    single = single[(single["subject"] != ALL) & (single["seed"] != ALL)]
    assert set(pooled["n_queries"]) == {2 * 2 * N_STIMULI}
    assert np.allclose(pooled["value"].mean(), single["value"].mean())
    assert len(queries) == 2 * 2 * 2 * N_STIMULI


def test_a_subject_added_changes_no_other_subjects_score():
    alone, _ = score({"/a/all/cosine": make_group(0.3)})
    together, _ = score(
        {"/a/all/cosine": make_group(0.3), "/b/all/cosine": make_group(0.9, seed=5)}
    )
    columns = ["task", "metric", "seed", "response", "value", "ci_low", "ci_high", "ceiling"]
    first = take(alone, subject="a")[columns].reset_index(drop=True)
    second = take(together, subject="a")[columns].reset_index(drop=True)
    assert first.equals(second)


def test_areas_are_scored_apart():
    scores, _ = score(
        {"/a/all/cosine": make_group(0.0), "/a/V1/cosine": make_group(1e6, n_seeds=20)}
    )
    rows = take(scores, metric="top_1", response="mean", subject="a", seed=ALL)
    by_area = rows.groupby("area")["value"].mean()
    assert by_area["all"] == 1.0
    assert by_area["V1"] < 0.4


def test_order_of_stimuli_changes_no_score():
    group = make_group(0.5)
    order = np.random.default_rng(3).permutation(N_STIMULI)
    expected, _ = score({"/a/all/cosine": group})
    found, _ = score({"/a/all/cosine": group.isel(stimulus=order)})
    for name in ("value", "ci_low", "ci_high", "ceiling"):
        assert np.allclose(found[name], expected[name], equal_nan=True), name


def test_single_presentations_have_no_half_split_ceiling():
    scores, _ = score({"/a/all/cosine": make_group(0.3)})
    assert take(scores, response="single")["ceiling"].isna().all()


@pytest.mark.parametrize("column", ["seed_sd"])
def test_spread_over_seeds_stands_in_pooled_rows_only(column):
    scores, _ = score({"/a/all/cosine": make_group(0.5)})
    assert scores[scores["seed"] != ALL][column].isna().all()
    pooled = take(scores, seed=ALL, metric="mean_reciprocal_rank", response="mean")
    assert (pooled[column] > 0).all()
