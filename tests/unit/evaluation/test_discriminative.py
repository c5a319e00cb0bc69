"""Discriminative scores of whole matrices: exact anchors, invariants, folds and ids."""

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.discriminative import (
    COLUMNS,
    pool_queries,
    rank_discrimination,
    score_discrimination,
    summarise_ranks,
)
from brainalign.evaluation.options import EvaluationOptions

QUICK = EvaluationOptions(n_bootstrap=50)
TASKS = ("discriminative_encoding", "discriminative_decoding")


def score(compatibility, stimuli=None, responses=None, options=QUICK):
    n_stimuli, n_responses = np.shape(compatibility)
    stimuli = np.arange(n_stimuli) if stimuli is None else stimuli
    responses = np.arange(n_responses) if responses is None else responses
    table = score_discrimination(compatibility, stimuli, responses, options)[0]
    return table.set_index(["task", "metric"])


def test_constant_scores_give_exactly_chance():
    table = score(np.full((120, 120), 0.7)).drop(index="mean_reciprocal_rank", level="metric")
    np.testing.assert_allclose(table["value"], table["chance"], rtol=0, atol=1e-12)
    for task in TASKS:
        assert table.loc[(task, "top_5"), "value"] == pytest.approx(5 / 120, abs=1e-12)
        value = table.loc[(task, "identification_50_way"), "value"]
        assert value == pytest.approx(1 / 50, abs=1e-12)
        assert table.loc[(task, "median_rank"), "value"] == 60.5


def test_perfect_scores_are_all_one():
    table = score(np.eye(120))
    assert (table["value"] == 1.0).all()
    assert (table["ci_low"] == 1.0).all()


def test_a_gallery_of_one_is_all_one():
    table = score(np.zeros((1, 1)))
    assert (table["value"].dropna() == 1.0).all()
    assert table["value"].isna().groupby("task").sum().tolist() == [5, 5]


def test_the_worst_scores_are_at_the_far_end():
    table = score(-np.eye(20))
    assert table.loc[(TASKS[0], "top_10"), "value"] == 0.0
    assert table.loc[(TASKS[0], "identification_2_way"), "value"] == 0.0
    assert table.loc[(TASKS[0], "median_rank"), "value"] == 20.0


@pytest.fixture
def noisy_scores():
    generator = np.random.default_rng(0)
    return (np.eye(30) * 2 + generator.standard_normal((30, 30))).round(1)


def test_a_strictly_increasing_map_leaves_every_column_unchanged(noisy_scores):
    plain, mapped = score(noisy_scores), score(np.exp(noisy_scores / 2) + 3)
    assert plain.equals(mapped)


def test_a_joint_permutation_leaves_values_and_intervals_unchanged(noisy_scores):
    order = np.random.default_rng(1).permutation(30)
    plain = score(noisy_scores)
    permuted = score(noisy_scores[np.ix_(order, order)], order, order)
    for column in ("value", "ci_low", "ci_high"):
        np.testing.assert_allclose(plain[column], permuted[column], atol=1e-14)


def test_ids_and_not_the_order_say_what_belongs_together(noisy_scores):
    generator = np.random.default_rng(1)
    rows, columns = generator.permutation(30), generator.permutation(30)
    plain = score(noisy_scores)
    shuffled = score(noisy_scores[np.ix_(rows, columns)], rows, columns)
    np.testing.assert_allclose(plain["value"], shuffled["value"], atol=1e-14)


def test_encoding_of_a_matrix_is_decoding_of_its_transpose(noisy_scores):
    plain, transposed = score(noisy_scores), score(noisy_scores.T)
    assert plain.loc[TASKS[0]].equals(transposed.loc[TASKS[1]])
    assert not plain.loc[TASKS[0]].equals(plain.loc[TASKS[1]])


def test_encoding_picks_among_responses():
    # Response 0 attracts all stimuli: encoding fails, decoding does not.
    compatibility = np.eye(4)
    compatibility[:, 0] = [3.0, 2.0, 2.0, 2.0]
    table = score(compatibility)
    assert table.loc[(TASKS[0], "top_1"), "value"] == 0.25
    assert table.loc[(TASKS[1], "top_1"), "value"] == 1.0


def test_ties_equal_the_mean_over_random_tie_breaks():
    generator = np.random.default_rng(0)
    compatibility = generator.integers(0, 3, (12, 12)).astype(float)
    exact = score(compatibility)["value"]
    names = ["top_1", "top_5", "identification_2_way", "identification_5_way"]
    broken = [
        score(
            compatibility + 0.5 * generator.random((12, 12)),
            options=EvaluationOptions(n_bootstrap=1, top_k=[1, 5], n_way=[2, 5]),
        )["value"]
        for _ in range(250)
    ]
    mean = sum(broken) / len(broken)
    for task in TASKS:
        for name in names:
            assert exact[(task, name)] == pytest.approx(mean[(task, name)], abs=0.02)


def test_single_trials_hit_with_any_trial_of_the_stimulus():
    compatibility = np.zeros((2, 6))
    compatibility[0, 4] = compatibility[1, 1] = 1.0
    table, ranks = score_discrimination(compatibility, ["a", "b"], list("bbbaaa"), QUICK)
    table = table.set_index(["task", "metric"])
    assert table.loc[(TASKS[0], "top_1"), "value"] == 1.0
    assert table.loc[(TASKS[0], "top_1"), "n_candidates"] == 4
    assert table.loc[(TASKS[0], "top_1"), "chance"] == pytest.approx(0.5)
    assert table.loc[(TASKS[1], "top_1"), "n_queries"] == 6
    assert table.loc[(TASKS[1], "top_1"), "n_candidates"] == 2
    assert ranks.decoding.query.tolist() == list("bbbaaa")


def test_intervals_over_single_trials_draw_whole_stimuli():
    generator = np.random.default_rng(0)
    compatibility = np.eye(20) * 2 + generator.standard_normal((20, 20))
    once = score(compatibility).loc[TASKS[1]]
    copies = score(np.repeat(compatibility, 9, axis=1), responses=np.repeat(np.arange(20), 9))
    copies = copies.loc[TASKS[1]]
    assert copies.loc["top_1", "n_queries"] == 180
    np.testing.assert_allclose(copies["ci_low"], once["ci_low"], atol=1e-12)
    np.testing.assert_allclose(copies["ci_high"], once["ci_high"], atol=1e-12)


def test_random_scores_reach_chance_with_single_trials():
    generator = np.random.default_rng(0)
    stimuli, responses = np.arange(20), np.repeat(np.arange(20), 4)
    tables = [score(generator.random((20, 80)), stimuli, responses) for _ in range(60)]
    mean = sum(table["value"] for table in tables) / len(tables)
    for task in TASKS:
        for name in ("top_1", "top_5", "identification_2_way", "mean_reciprocal_rank"):
            chance = tables[0].loc[(task, name), "chance"]
            assert mean[(task, name)] == pytest.approx(chance, abs=0.03)


def test_items_on_one_axis_only_are_refused_by_name():
    with pytest.raises(InputError, match="response '3': 2 of 5 response ids have no partner"):
        score(np.zeros((3, 5)))


def test_items_on_one_axis_only_can_be_distractors():
    options = EvaluationOptions(n_bootstrap=10, unmatched_items="distract")
    table = score(np.zeros((3, 5)), options=options)
    assert table.loc[(TASKS[0], "top_1"), "value"] == pytest.approx(1 / 5)
    assert table.loc[(TASKS[1], "top_1"), "value"] == pytest.approx(1 / 3)
    assert table.loc[(TASKS[1], "top_1"), "n_queries"] == 3


def test_no_shared_id_is_refused_even_with_distractors():
    options = EvaluationOptions(unmatched_items="distract")
    with pytest.raises(InputError, match="no partner"):
        score(np.zeros((2, 2)), ["a", "b"], ["c", "d"], options)


def test_a_nan_score_is_corrupt(noisy_scores):
    noisy_scores[3, 4] = np.nan
    with pytest.raises(CorruptDataError, match="query '3'"):
        score(noisy_scores)


def test_ids_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"expected shape \(3, 2\)"):
        score(np.zeros((2, 3)), ["a", "b", "c"], ["a", "b"])


def test_the_table_has_one_row_per_task_and_metric(noisy_scores):
    table, _ = score_discrimination(noisy_scores, range(30), range(30), QUICK)
    assert list(table.columns) == list(COLUMNS)
    assert not table.duplicated(["task", "metric"]).any()
    assert len(table) == 2 * (3 + 6 + 2)
    lower = table.loc[table["direction"] == "lower", "metric"]
    assert set(lower) == {"median_rank"}


def test_intervals_contain_their_values(noisy_scores):
    table = score(noisy_scores).dropna()
    assert (table["ci_low"] <= table["value"]).all()
    assert (table["value"] <= table["ci_high"]).all()


def test_pooled_folds_weigh_every_query_once_with_its_own_gallery():
    generator = np.random.default_rng(0)
    folds = [generator.standard_normal((size, size)) for size in (4, 12)]
    ids = [np.arange(4), np.arange(4, 16)]
    ranks = [rank_discrimination(f, i, i, QUICK) for f, i in zip(folds, ids, strict=True)]
    options = EvaluationOptions(n_bootstrap=50, n_way=[2, 10])
    pooled = summarise_ranks(pool_queries(ranks), options).set_index(["task", "metric"])
    alone = [summarise_ranks(r, options).set_index(["task", "metric"]) for r in ranks]
    for task in TASKS:
        value = pooled.loc[(task, "top_1")]
        expected = sum(
            a.loc[(task, "top_1"), "value"] * n for a, n in zip(alone, (4, 12), strict=True)
        )
        assert value["value"] == pytest.approx(expected / 16)
        assert value["chance"] == pytest.approx((4 * (1 / 4) + 12 * (1 / 12)) / 16)
        assert value["n_candidates"] == pytest.approx((4 * 4 + 12 * 12) / 16)
        assert value["n_queries"] == 16
        ten_way = pooled.loc[(task, "identification_10_way")]
        assert ten_way["n_queries"] == 12
        assert ten_way["value"] == alone[1].loc[(task, "identification_10_way"), "value"]
        assert ten_way["chance"] == pytest.approx(0.1)


def test_csls_is_applied_before_ranking():
    compatibility = np.eye(6)
    compatibility[:, 5] = 1.5
    compatibility[5, 5] = 2.0
    options = EvaluationOptions(n_bootstrap=10, csls_neighbours=3)
    assert score(compatibility).loc[(TASKS[0], "top_1"), "value"] == pytest.approx(1 / 6)
    assert score(compatibility, options=options).loc[(TASKS[0], "top_1"), "value"] == 1.0


def test_chunking_changes_no_score(noisy_scores):
    chunked = score(noisy_scores, options=EvaluationOptions(n_bootstrap=50, chunk_size=7))
    assert chunked.equals(score(noisy_scores))
