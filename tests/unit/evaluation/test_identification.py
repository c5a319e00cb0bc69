"""Exact n-way accuracy: golden values, Monte-Carlo draws and enumeration of all sets."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainalign.errors import InputError
from brainalign.evaluation.identification import score_identification
from brainalign.evaluation.ranking import QueryRanks

GOLDEN = [
    ((3, 0, 50, 5), 0.77449),
    ((3, 4, 50, 5), 0.65107),
    ((0, 50, 50, 10), 0.1),
    ((10, 2, 199, 50), 0.04183),
]


def score_one(n_better, n_tied, n_distractors, n_way):
    counts = [np.array([count]) for count in (n_better, n_tied, n_distractors, 1)]
    return float(score_identification(QueryRanks(np.array(["a"]), *counts), n_way)[0])


def enumerate_accuracy(n_better, n_tied, n_distractors, n_way):
    """Mean over all sets of distractors and all places of the target among its ties."""
    wins = []
    for n_above_among_ties in range(n_tied + 1):
        n_above = n_better + n_above_among_ties
        sets = combinations(range(n_distractors), n_way - 1)
        wins.append(np.mean([all(item >= n_above for item in chosen) for chosen in sets]))
    return np.mean(wins)


@pytest.mark.parametrize(("counts", "expected"), GOLDEN)
def test_golden_values(counts, expected):
    assert score_one(*counts) == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize("counts", [counts for counts, _ in GOLDEN])
def test_monte_carlo_draws_agree(counts):
    n_better, n_tied, n_distractors, n_way = counts
    n_draws = 100_000
    generator = np.random.default_rng(0)
    better = generator.multivariate_hypergeometric(
        [n_better, n_tied, n_distractors - n_better - n_tied], n_way - 1, size=n_draws
    )
    n_tied_drawn = better[:, 1]
    wins = (better[:, 0] == 0) & (generator.random(n_draws) < 1 / (1 + n_tied_drawn))
    assert score_one(*counts) == pytest.approx(wins.mean(), abs=0.002)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_enumerating_all_sets_agrees(data):
    n_distractors = data.draw(st.integers(1, 8))
    n_better = data.draw(st.integers(0, n_distractors))
    n_tied = data.draw(st.integers(0, n_distractors - n_better))
    n_way = data.draw(st.integers(2, n_distractors + 1))
    expected = enumerate_accuracy(n_better, n_tied, n_distractors, n_way)
    assert score_one(n_better, n_tied, n_distractors, n_way) == pytest.approx(expected, abs=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_exact_integers_agree_on_large_galleries(data):
    n_distractors = data.draw(st.integers(1_000, 20_000))
    n_better = data.draw(st.integers(0, n_distractors))
    n_tied = data.draw(st.integers(0, min(5, n_distractors - n_better)))
    n_way = data.draw(st.sampled_from([2, 3, 10, 100, 1_000]))
    sets = comb(n_distractors, n_way - 1)
    worse = (n_distractors - n_better - above for above in range(n_tied + 1))
    expected = sum(comb(count, n_way - 1) for count in worse) / (sets * (n_tied + 1))
    assert score_one(n_better, n_tied, n_distractors, n_way) == pytest.approx(expected, abs=1e-10)


def test_two_way_counts_ties_as_half():
    assert score_one(3, 4, 50, 2) == pytest.approx(1 - (3 + 4 / 2) / 50, abs=1e-14)


@pytest.mark.parametrize("n_way", [2, 3, 10, 50, 51])
def test_ties_with_everything_give_exactly_chance(n_way):
    assert score_one(0, 50, 50, n_way) == pytest.approx(1 / n_way, abs=1e-12)


def test_half_ties_in_the_product_would_be_wrong():
    plugged = np.prod([(50 - 25 - t) / (50 - t) for t in range(9)])
    assert plugged == pytest.approx(0.00082, abs=1e-5)
    assert abs(score_one(0, 50, 50, 10) - plugged) > 0.09


def test_more_ways_than_candidates_have_no_value():
    assert np.isnan(score_one(0, 0, 3, 5))
    assert score_one(0, 0, 4, 5) == 1.0


def test_all_ways_win_only_at_the_top():
    assert score_one(0, 0, 20, "all") == 1.0
    assert score_one(1, 0, 20, "all") == 0.0
    assert score_one(0, 3, 20, "all") == pytest.approx(1 / 4)


def test_a_gallery_of_one_is_always_right():
    assert score_one(0, 0, 0, "all") == 1.0


def test_queries_of_different_galleries_are_scored_in_their_own():
    counts = [np.array(count) for count in ([1, 1], [0, 0], [4, 9], [1, 1])]
    accuracy = score_identification(QueryRanks(np.array(["a", "b"]), *counts), 5)
    np.testing.assert_allclose(accuracy, [0.0, comb(8, 4) / comb(9, 4)], atol=1e-14)


def test_no_candidates_are_refused():
    with pytest.raises(InputError, match="n_way >= 1"):
        score_one(0, 0, 3, 0)
