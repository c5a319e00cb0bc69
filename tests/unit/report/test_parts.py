"""Parts of the report that can be wrong on their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.ranking import count_better_and_tied
from brainalign.evaluation.table import read_score_table
from brainalign.report.artifacts import Fit
from brainalign.report.figures.similarity import standardise_columns
from brainalign.report.figures.style import assign_colours
from brainalign.report.figures.training import average_by_epoch
from brainalign.report.galleries import Gallery, cut_galleries
from brainalign.report.names import make_slug, write_metric, write_name, write_score, write_seconds
from brainalign.report.score_table import find_best
from brainalign.report.sections.provenance import describe_device
from brainalign.report.sections.retrieval import choose_fit, pick_evenly, retrieve
from brainalign.report.sections.similarity import join_galleries
from unit.report.conftest import ReportedRun


def _make_gallery(seed: int = 0, n_stimuli: int = 7, fold: int = 0) -> Gallery:
    generator = np.random.default_rng(seed)
    names = np.array([f"fold-{fold}-{number}" for number in range(n_stimuli)])
    return Gallery(fold, generator.normal(size=(n_stimuli, n_stimuli)), names, names)


@pytest.mark.parametrize("matching", ["likelihood", "pearson"])
def test_retrieved_ranks_are_those_of_the_scores(reported_run: ReportedRun, matching: str) -> None:
    place = "direct_encoding_ridge/world/world_clip.zarr"
    path = reported_run.results / "predictions" / place
    predictions = xr.open_datatree(path, engine="zarr")
    counts = read_score_table(
        xr.open_datatree(reported_run.results / "scores" / place, engine="zarr").load(), "queries"
    )
    counts = counts[
        (counts["subject"] == "monkey-b")
        & (counts["area"] == "all")
        & (counts["matching"] == matching)
        & (counts["seed"] == "0")
        & (counts["task"] == "discriminative_decoding")
    ].set_index("stimulus")
    galleries = cut_galleries(predictions, "monkey-b", matching, path)
    assert len(counts) == 8
    for name in counts.index:
        _, rank, n_candidates = retrieve(galleries, name)
        assert rank == counts.loc[name, "n_better"] + 1
        assert n_candidates == counts.loc[name, "n_distractors"] + 1


def test_the_best_candidates_come_first_in_their_own_fold() -> None:
    galleries = [_make_gallery(1, fold=0), _make_gallery(2, fold=1)]
    gallery = galleries[1]
    names, rank, n_candidates = retrieve(galleries, "fold-1-3")
    order = np.argsort(-gallery.compatibility[:, 3])
    assert names == gallery.stimulus[order[:5]].tolist()
    assert rank == order.tolist().index(3) + 1
    assert n_candidates == 7


def test_of_tied_candidates_the_right_one_comes_last() -> None:
    ids = np.array(["a", "b", "c"])
    gallery = Gallery(0, np.zeros((3, 3)), ids, ids)
    names, rank, _ = retrieve([gallery], "a")
    assert rank == 3
    assert names == ["b", "c", "a"]


def test_folds_are_never_compared() -> None:
    joined, names = join_galleries([_make_gallery(1, 3, 0), _make_gallery(2, 4, 1)], None)
    assert np.isnan(joined[:3, 3:]).all()
    assert np.isnan(joined[3:, :3]).all()
    assert np.isfinite(joined).sum() == 9 + 16
    assert len(names) == 7


def test_ordering_by_category_keeps_right_pairs_on_the_diagonal() -> None:
    gallery = _make_gallery(3, 6)
    right = dict(zip(gallery.stimulus.tolist(), np.diag(gallery.compatibility), strict=True))
    categories = {name: "ab"[number % 2] for number, name in enumerate(gallery.stimulus.tolist())}
    joined, names = join_galleries([gallery], categories)
    assert [categories[name] for name in names] == ["a"] * 3 + ["b"] * 3
    np.testing.assert_array_equal(np.diag(joined), [right[name] for name in names])


def test_scaling_columns_changes_no_decoding_rank() -> None:
    gallery = _make_gallery(4)
    scaled = standardise_columns(gallery.compatibility * 100 + 7)
    ids = gallery.stimulus
    before = count_better_and_tied(gallery.compatibility.T, ids, ids)
    after = count_better_and_tied(scaled.T, ids, ids)
    np.testing.assert_array_equal(before.n_better, after.n_better)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def test_a_constant_column_is_drawn_without_a_warning() -> None:
    with np.errstate(all="raise"):
        assert (standardise_columns(np.ones((3, 3))) == 0).all()


def test_the_shown_fit_is_chosen_by_rule() -> None:
    fits = [Fit(m, "d", b) for m in ("a_ridge", "vna") for b in ("pixels", "clip", "dino")]
    assert choose_fit(fits, ["pixels"]) == Fit("vna", "d", "clip")
    assert choose_fit(fits[:3], ["pixels"]) == Fit("a_ridge", "d", "clip")
    assert choose_fit(fits[:1], ["pixels"]) == Fit("a_ridge", "d", "pixels")


def test_a_method_keeps_its_colour_in_any_order() -> None:
    methods = ["direct_decoding_ridge", "vna", "direct_encoding_ridge"]
    assert assign_colours(methods) == assign_colours([*methods[::-1], "vna"])
    assert len(set(assign_colours(methods).values())) == 3


def test_mean_curve_ends_where_the_first_fit_ends() -> None:
    history = pd.DataFrame(
        {"fit": ["a"] * 3 + ["b"] * 2, "epoch": [1, 2, 3, 1, 2], "loss": [4.0, 2, 1, 2, 0]}
    )
    mean = average_by_epoch(history, "loss")
    assert mean.to_dict() == {1: 3.0, 2: 1.0}


@pytest.mark.parametrize(("highs", "n_overlapping"), [([0.5, 0.3], 1), ([0.3, 0.2], 0)])
def test_overlap_is_counted_with_the_interval_of_the_highest(
    highs: list[float], n_overlapping: int
) -> None:
    rows = pd.DataFrame(
        {
            "task": "discriminative_decoding",
            "metric": "top_1",
            "value": [0.2, 0.6, 0.1],
            "ci_low": [0.1, 0.4, 0.0],
            "ci_high": [highs[0], 0.8, highs[1]],
        },
        index=[5, 3, 9],
    )
    best = find_best(rows)
    assert best is not None
    assert (best.row["value"], best.n_rows, best.n_overlapping) == (0.6, 3, n_overlapping)


def test_examples_are_spread_over_the_whole_list() -> None:
    assert pick_evenly(11, 3) == [0, 5, 10]
    assert pick_evenly(2, 6) == [0, 1]
    assert pick_evenly(1, 6) == [0]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (write_name("vi_st"), "Vi-ST"),
        (write_name("vi_st_no_rf"), "Vi-ST no rf"),
        (write_name("lnx_within_movie"), "lnx within movie"),
        (write_metric("identification_2_way"), "2-way"),
        (write_metric("identification_all_way"), "all-way"),
        (write_metric("top_5"), "top-5"),
        (write_score(0.4567, "top_1"), "0.457"),
        (write_score(6.5, "median_rank"), "6.5"),
        (write_score(float("nan"), "top_1"), "\N{EN DASH}"),
        (write_seconds(59.94), "59.9 s"),
        (write_seconds(600), "10.0 min"),
        (write_seconds(9000), "2.5 h"),
        (make_slug("../etc", "<b>"), "etc-b"),
    ],
)
def test_names_and_numbers_are_written_for_readers(written: str, expected: str) -> None:
    assert written == expected


def test_every_default_metric_has_a_written_name() -> None:
    names = [f"top_{k}" for k in EvaluationOptions().top_k]
    names += [f"identification_{n}_way" for n in EvaluationOptions().n_way]
    assert not any("_" in write_metric(name) for name in [*names, "mean_reciprocal_rank"])


def test_the_memory_of_a_gpu_stands_beside_its_name() -> None:
    run = {"gpu": "NVIDIA H100", "peak_gpu_memory_mb": 1234}
    assert describe_device({"device": "cuda", "run": run}) == "cuda: NVIDIA H100, peak 1,234 MB"
    assert describe_device({"device": "cpu", "run": {"peak_memory_mb": 300}}) == "cpu"
