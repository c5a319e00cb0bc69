from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from brainalign.evaluation.token_metrics import (
    correlate_ranks,
    draw_retrieval_hits,
    permute_correlation,
    rank_dissimilarities,
)


def cosine_distances(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (1 - unit @ unit.T)[np.triu_indices(len(rows), 1)]


def test_the_whole_sample_has_the_spearman_correlation():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(20, 5)), rng.normal(size=(20, 4))
    found = correlate_ranks(
        rank_dissimilarities(first), rank_dissimilarities(second), np.ones((1, 20))
    )
    expected = spearmanr(cosine_distances(first), cosine_distances(second)).statistic
    assert found[0] == pytest.approx(expected)


def test_scaled_and_rotated_tokens_correlate_perfectly():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(15, 6))
    turned = 3 * rows @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    ranks = rank_dissimilarities(rows), rank_dissimilarities(turned)
    weight = rng.integers(0, 3, size=(4, 15)).astype(float)
    np.testing.assert_allclose(correlate_ranks(*ranks, weight), 1)


def test_copies_of_a_stimulus_are_not_compared_with_each_other():
    rng = np.random.default_rng(0)
    first, second = (rank_dissimilarities(rng.normal(size=(6, 4))) for _ in range(2))
    doubled = correlate_ranks(first, second, np.full((1, 6), 2.0))
    np.testing.assert_allclose(doubled, correlate_ranks(first, second, np.ones((1, 6))))


def test_equal_tokens_have_no_correlation():
    rng = np.random.default_rng(0)
    constant = rank_dissimilarities(np.ones((8, 3)))
    other = rank_dissimilarities(rng.normal(size=(8, 3)))
    assert np.isnan(correlate_ranks(constant, other, np.ones((1, 8)))[0])


def test_permutations_are_centred_on_nothing():
    rng = np.random.default_rng(0)
    ranks = rank_dissimilarities(rng.normal(size=(30, 5)))
    null = permute_correlation(ranks, ranks, 200, rng)
    assert abs(null.mean()) < 0.03
    assert null.max() < 0.9


def test_a_gallery_that_holds_all_stimuli_is_scored_exactly():
    similarity = np.array([[1.0, 0.0, 0.0], [0.9, 0.5, 0.1], [0.3, 0.3, 0.3]])
    hits = draw_retrieval_hits(similarity, 300, 30, np.random.default_rng(0))
    np.testing.assert_allclose(hits, [1, 0, 1 / 3])


def test_smaller_galleries_are_drawn_and_easier():
    rng = np.random.default_rng(0)
    similarity = rng.random((60, 60)) + 0.5 * np.eye(60)
    small = np.nanmean(draw_retrieval_hits(similarity, 5, 200, rng))
    assert small > np.mean(draw_retrieval_hits(similarity, 60, 200, rng))


def test_random_similarities_retrieve_at_chance():
    rng = np.random.default_rng(0)
    hits = draw_retrieval_hits(rng.random((200, 200)), 10, 100, rng)
    assert np.nanmean(hits) == pytest.approx(0.1, abs=0.04)
