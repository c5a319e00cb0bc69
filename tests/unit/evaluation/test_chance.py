"""Chance: closed forms for one target, simulated random scores for several."""

import numpy as np
import pytest

from brainalign.evaluation.chance import (
    chance_of_identification,
    chance_of_rank,
    chance_of_reciprocal_rank,
    chance_of_top_k,
)
from brainalign.evaluation.identification import score_identification
from brainalign.evaluation.ranking import (
    QueryRanks,
    compute_mid_rank,
    compute_reciprocal_rank,
    count_better_and_tied,
    score_top_k,
)


def make_gallery(n_distractors, n_targets=1):
    counts = [np.array([count]) for count in (0, 0, n_distractors, n_targets)]
    return QueryRanks(np.array(["a"]), *counts)


@pytest.mark.parametrize("n_candidates", [1, 2, 7, 100])
def test_one_target_has_the_textbook_chance(n_candidates):
    ranks = make_gallery(n_candidates - 1)
    for k in (1, 5, 10):
        expected = min(k / n_candidates, 1.0)
        assert chance_of_top_k(ranks, k)[0] == pytest.approx(expected, abs=1e-13)
    assert chance_of_rank(ranks)[0] == (n_candidates + 1) / 2
    harmonic = sum(1 / rank for rank in range(1, n_candidates + 1))
    assert chance_of_reciprocal_rank(ranks)[0] == pytest.approx(harmonic / n_candidates, abs=1e-13)
    assert chance_of_identification(ranks, "all")[0] == pytest.approx(1 / n_candidates)


def test_identification_in_too_small_a_gallery_has_no_chance():
    assert np.isnan(chance_of_identification(make_gallery(3), 5)[0])
    assert chance_of_identification(make_gallery(4), 5)[0] == pytest.approx(0.2)


def test_random_scores_of_several_targets_reach_their_chance():
    generator = np.random.default_rng(0)
    gallery = np.array(["a"] * 3 + [f"b{item}" for item in range(11)])
    scores = generator.random((20_000, len(gallery)))
    ranks = count_better_and_tied(scores, ["a"] * len(scores), gallery)
    for k in (1, 5):
        assert score_top_k(ranks, k).mean() == pytest.approx(chance_of_top_k(ranks, k)[0], abs=0.01)
    for n_way in (2, 10):
        expected = chance_of_identification(ranks, n_way)[0]
        assert score_identification(ranks, n_way).mean() == pytest.approx(expected, abs=0.01)
    assert np.median(compute_mid_rank(ranks)) == chance_of_rank(ranks)[0]
    expected = chance_of_reciprocal_rank(ranks)[0]
    assert compute_reciprocal_rank(ranks).mean() == pytest.approx(expected, abs=0.01)
