"""Counts of better and tied distractors against brute force, with ids on both axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.ranking import (
    QueryRanks,
    compute_mid_rank,
    compute_reciprocal_rank,
    concatenate_ranks,
    count_better_and_tied,
    score_top_k,
)


def make_ranks(n_better, n_tied, n_distractors, n_targets=1):
    """Ranks of queries with given counts."""
    arrays = np.broadcast_arrays(n_better, n_tied, n_distractors, n_targets)
    columns = [np.atleast_1d(array).astype(np.intp) for array in arrays]
    return QueryRanks(np.arange(len(columns[0])).astype(str), *columns)


def count_by_brute_force(scores, queries, gallery):
    counts = []
    for row, query in zip(scores, queries, strict=True):
        own = [score for score, item in zip(row, gallery, strict=True) if item == query]
        others = [score for score, item in zip(row, gallery, strict=True) if item != query]
        best = max(own)
        counts.append((sum(s > best for s in others), sum(s == best for s in others), len(others)))
    return np.array(counts)


small_scores = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 8)),
    elements=st.integers(-2, 2).map(float),
)


@settings(max_examples=80, deadline=None)
@given(scores=small_scores, data=st.data())
def test_counts_equal_brute_force_with_ties_and_repeats(scores, data):
    n_queries, n_gallery = scores.shape
    gallery = np.array(data.draw(st.lists(st.sampled_from("abc"), min_size=n_gallery, max_size=8)))
    gallery = gallery[:n_gallery]
    present = st.sampled_from(sorted(set(gallery.tolist())))
    queries = np.array(data.draw(st.lists(present, min_size=n_queries, max_size=n_queries)))
    ranks = count_better_and_tied(scores, queries, gallery, chunk_size=2)
    expected = count_by_brute_force(scores, queries, gallery)
    counts = np.stack([ranks.n_better, ranks.n_tied, ranks.n_distractors], axis=1)
    assert np.array_equal(counts, expected)
    assert np.array_equal(ranks.n_targets + ranks.n_distractors, np.full(n_queries, n_gallery))


@settings(max_examples=40, deadline=None)
@given(scores=hnp.arrays(np.float64, (5, 5), elements=st.integers(-3, 3).map(float)))
def test_a_strictly_increasing_map_changes_no_count(scores):
    plain = count_better_and_tied(scores, range(5), range(5))
    mapped = count_better_and_tied(np.exp(scores) * 3 - 1, range(5), range(5))
    assert np.array_equal(plain.n_better, mapped.n_better)
    assert np.array_equal(plain.n_tied, mapped.n_tied)


def test_permuting_the_gallery_changes_no_count():
    generator = np.random.default_rng(0)
    scores, ids = generator.integers(0, 4, (6, 6)).astype(float), np.arange(6)
    order = generator.permutation(6)
    plain = count_better_and_tied(scores, ids, ids)
    permuted = count_better_and_tied(scores[:, order], ids, ids[order])
    assert np.array_equal(plain.n_better, permuted.n_better)
    assert np.array_equal(plain.n_tied, permuted.n_tied)


def test_chunking_changes_no_count():
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 5, (23, 31)).astype(np.float32)
    queries, gallery = generator.integers(0, 9, 23), np.concatenate([np.arange(9)] * 4)[:31]
    whole = count_better_and_tied(scores, queries, gallery)
    for chunk_size in (1, 7, 23, 1000):
        parts = count_better_and_tied(scores, queries, gallery, chunk_size)
        assert np.array_equal(whole.n_better, parts.n_better)
        assert np.array_equal(whole.n_tied, parts.n_tied)


def test_the_best_item_of_the_query_is_the_target_and_the_others_are_no_distractors():
    scores = np.array([[0.1, 0.9, 0.5, 0.9, 0.7]])
    ranks = count_better_and_tied(scores, ["a"], ["a", "a", "b", "c", "a"])
    assert (ranks.n_better[0], ranks.n_tied[0], ranks.n_distractors[0]) == (0, 1, 2)
    assert ranks.n_targets[0] == 3


def test_infinite_scores_are_ordered():
    ranks = count_better_and_tied([[-np.inf, 0.0, np.inf, -np.inf]], ["a"], list("abcd"))
    assert (ranks.n_better[0], ranks.n_tied[0]) == (2, 1)


def test_a_query_without_target_is_named():
    with pytest.raises(InputError, match=r"query 'x': 1 of 2 queries have no gallery item"):
        count_better_and_tied(np.zeros((2, 2)), ["a", "x"], ["a", "b"])


def test_a_nan_score_is_corrupt_and_names_its_query():
    scores = np.zeros((3, 3))
    scores[2, 0] = np.nan
    with pytest.raises(CorruptDataError, match="query 'c': a score is NaN"):
        count_better_and_tied(scores, list("abc"), list("abc"), chunk_size=1)


def test_ids_of_the_wrong_length_are_refused():
    with pytest.raises(InputError, match=r"expected shape \(3, 2\), found \(2, 3\)"):
        count_better_and_tied(np.zeros((2, 3)), list("abc"), list("ab"))


@pytest.mark.parametrize("k", [1, 2, 3, 7])
@pytest.mark.parametrize(("n_better", "n_tied"), [(0, 0), (0, 3), (2, 0), (2, 4), (5, 1)])
def test_top_k_is_the_expected_hit_over_all_tie_breaks(n_better, n_tied, k):
    places = n_better + 1 + np.arange(n_tied + 1)
    expected = np.mean(places <= k)
    assert score_top_k(make_ranks(n_better, n_tied, 9), k)[0] == pytest.approx(expected, abs=1e-15)


def test_mid_rank_is_the_mean_place_over_all_tie_breaks():
    assert compute_mid_rank(make_ranks(2, 3, 9))[0] == np.mean([3, 4, 5, 6])


def test_reciprocal_rank_is_one_for_a_clear_winner_only():
    np.testing.assert_allclose(
        compute_reciprocal_rank(make_ranks([0, 0, 3], [0, 2, 0], 9)), [1, 0.5, 0.25]
    )


def test_pooling_keeps_every_query_with_its_own_gallery():
    pooled = concatenate_ranks([make_ranks([0, 1], 0, 4), make_ranks([2], 1, 9)])
    assert pooled.n_better.tolist() == [0, 1, 2]
    assert pooled.n_candidates.tolist() == [5, 5, 10]


def test_pooling_nothing_is_refused():
    with pytest.raises(InputError, match="at least one fold"):
        concatenate_ranks([])
