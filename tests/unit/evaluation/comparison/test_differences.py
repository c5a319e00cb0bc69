"""From the tables behind scores to paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from brainalign.evaluation.comparison.differences import (
    COLUMNS,
    compare_contestants,
    compare_contests,
)
from brainalign.evaluation.comparison.options import ComparisonOptions
from brainalign.evaluation.comparison.unit_values import Contest, Contestant, list_contests
from brainalign.evaluation.label_metrics import compute_label_metrics, share_precision

OPTIONS = ComparisonOptions(n_permutations=499, n_bootstrap=200)
STIMULI = [f"s{number:02d}" for number in range(30)]


def _make_contestant(
    method: str,
    advantage: float = 0.0,
    backbone: str = "pixels",
    subjects: tuple[str, ...] = ("a",),
) -> Contestant:
    shared = np.random.default_rng(0).standard_normal(len(STIMULI))
    own = np.random.default_rng(sum(map(ord, method + backbone))).standard_normal(len(STIMULI))
    parts = [
        pd.DataFrame(
            {
                "subject": subject,
                "unit": STIMULI,
                "query": STIMULI,
                "value": shared + 0.3 * own + advantage,
            }
        )
        for subject in subjects
    ]
    return Contestant(method, backbone, "cosine", pd.concat(parts, ignore_index=True))


def _make_contest(*contestants: Contestant) -> Contest:
    return Contest("it", "retrieval", "top_1", "", "higher", "stimulus", contestants)


def _make_store(method: str, table: pd.DataFrame, group: str) -> dict[str, pd.DataFrame]:
    return {group: table.assign(dataset="it", method=method, backbone="pixels")}


def _make_queries(n_better: list[int], matching: str = "cosine", seed: str = "0") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": "a",
            "area": "all",
            "matching": matching,
            "response": "mean",
            "seed": seed,
            "task": "discriminative_encoding",
            "stimulus": STIMULI[: len(n_better)],
            "n_better": n_better,
            "n_tied": 0,
            "n_distractors": 9,
        }
    )


def test_a_planted_advantage_is_found_and_nothing_else() -> None:
    contest = _make_contest(
        _make_contestant("a"), _make_contestant("b"), _make_contestant("c", 1.0)
    )
    table = compare_contestants(contest, OPTIONS).set_index(["method_a", "method_b"])
    assert list(table.index) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table.loc[("a", "b"), "p_corrected"] > 0.05
    assert (table.loc[[("a", "c"), ("b", "c")], "p_corrected"] < 0.05).all()
    assert (table.loc[[("a", "c"), ("b", "c")], "ci_high"] < 0).all()
    np.testing.assert_allclose(table["difference"], table["value_a"] - table["value_b"])
    assert set(table["family"]) == {3}


def test_the_order_of_stimuli_changes_nothing() -> None:
    contestants = _make_contestant("a"), _make_contestant("b", 0.2)
    shuffled = [
        Contestant(
            one.method, one.backbone, one.matching, one.values.sample(frac=1, random_state=1)
        )
        for one in contestants
    ]
    pd.testing.assert_frame_equal(
        compare_contestants(_make_contest(*contestants), OPTIONS),
        compare_contestants(_make_contest(*shuffled), OPTIONS),
    )


def test_methods_meet_on_one_backbone_and_backbones_in_one_method() -> None:
    contest = _make_contest(
        *(_make_contestant(method, backbone=name) for method in "ab" for name in ("clip", "pixels"))
    )
    table = compare_contestants(contest, OPTIONS)
    assert sorted(table["compared"]) == ["backbones"] * 2 + ["methods"] * 2
    same_method = table["method_a"] == table["method_b"]
    same_backbone = table["backbone_a"] == table["backbone_b"]
    assert (same_method != same_backbone).all()


def test_three_subjects_are_drawn_and_two_are_not() -> None:
    for subjects, resampled in (
        (("a", "b"), "stimulus"),
        (("a", "b", "c"), "stimulus and subject"),
    ):
        contest = _make_contest(*(_make_contestant(m, subjects=subjects) for m in "xy"))
        table = compare_contestants(contest, OPTIONS)
        assert table.loc[0, "resampled"] == resampled
        assert table.loc[0, ["n_subjects", "n_pairs", "n_units"]].tolist() == [
            len(subjects),
            30 * len(subjects),
            30,
        ]


def test_queries_of_one_method_alone_are_left_out() -> None:
    first, second = _make_contestant("a"), _make_contestant("b")
    fewer = Contestant("b", "pixels", "cosine", second.values.iloc[:12])
    table = compare_contestants(_make_contest(first, fewer), OPTIONS)
    assert table.loc[0, "n_pairs"] == 12
    alone = Contestant("b", "pixels", "cosine", second.values.iloc[:0])
    assert not len(compare_contestants(_make_contest(first, alone), OPTIONS))


def test_ranks_become_scores_of_queries() -> None:
    stores = [
        _make_store("a", _make_queries([0, 3, 9]), "queries"),
        _make_store("b", _make_queries([0, 0, 0]), "queries"),
    ]
    contests = {contest.metric: contest for contest in list_contests(stores)}
    first = contests["top_1"].contestants[0].values
    assert first["value"].tolist() == [1.0, 0.0, 0.0]
    first = contests["identification_2_way"].contestants[0].values
    np.testing.assert_allclose(first["value"], [1.0, 6 / 9, 0.0])


def test_matching_is_chosen_by_rule_and_pooled_rows_are_not_read_again() -> None:
    table = pd.concat(
        [
            _make_queries([0, 0], "pearson"),
            _make_queries([5, 5], "likelihood"),
            _make_queries([1, 1], "likelihood", seed="all"),
        ]
    )
    stores = [_make_store(name, table, "queries") for name in ("a", "b")]
    contestant = list_contests(stores)[0].contestants[0]
    assert contestant.matching == "likelihood"
    np.testing.assert_allclose(contestant.values["value"], 4 / 9)


def test_seeds_are_averaged_before_methods_are_paired() -> None:
    table = pd.concat([_make_queries([0, 9], seed="0"), _make_queries([9, 9], seed="1")])
    stores = [_make_store(name, table, "queries") for name in ("a", "b")]
    contest = next(one for one in list_contests(stores) if one.metric == "top_1")
    assert contest.contestants[0].values["value"].tolist() == [0.5, 0.0]


def test_cells_of_each_protocol_are_a_contest_and_undefined_scores_drop_out() -> None:
    table = pd.DataFrame(
        {
            "subject": "r",
            "area": "all",
            "matching": ["within_movie", "within_movie", "cross_movie"],
            "seed": "0",
            "unit": ["1", "2", "1"],
            "correlation": [0.5, np.nan, 0.1],
            "bits_per_spike": [1.0, 2.0, 3.0],
        }
    )
    contests = list_contests([_make_store(name, table, "units") for name in ("a", "b")])
    found = {(one.metric, one.protocol): one for one in contests}
    assert set(found) == {
        (metric, protocol)
        for metric in ("correlation", "bits_per_spike")
        for protocol in ("within_movie", "cross_movie")
    }
    within = found["correlation", "within_movie"]
    assert within.contestants[0].values["unit"].tolist() == ["r/1"]
    assert within.unit == "cell"


def test_tables_of_the_same_name_with_other_columns_are_left_alone() -> None:
    table = pd.DataFrame({"subject": ["a"], "unit": ["1"], "r2": [0.5], "area": "all", "seed": "0"})
    assert list_contests([_make_store(name, table, "units") for name in ("a", "b")]) == []


def test_nothing_to_compare_is_an_empty_table() -> None:
    assert list(compare_contests([], OPTIONS).columns) == list(COLUMNS)


@pytest.mark.parametrize("ties", [False, True])
def test_shares_of_stimuli_average_to_the_mean_average_precision(ties: bool) -> None:
    generator = np.random.default_rng(5)
    score, label = generator.random((40, 5)), generator.random((40, 5)) < 0.3
    label[:, 4] = False
    score = np.round(score, 1) if ties else score
    value, _ = compute_label_metrics(score, label, np.ones((1, 40)), legacy_auc=False)
    assert share_precision(score, label).mean() == pytest.approx(value["map"][0], abs=1e-12)
