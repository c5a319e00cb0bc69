"""Scores of windows: galleries, chance, codes, ceilings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.clips import score_clips
from brainalign.evaluation.options import EvaluationOptions

N_CLIPS, N_STEPS, WIDTH, N_CODES = 24, 10, 12, 8
OPTIONS = EvaluationOptions(n_bootstrap=100)


def make_tree(noise: float, seeds: int = 1, subjects: tuple[str, ...] = ("01",)) -> xr.DataTree:
    groups = {"/": xr.Dataset()}
    for number, subject in enumerate(subjects):
        groups[f"/{subject}/all/clips"] = make_group(noise, seeds, number)
    return xr.DataTree.from_dict(groups)


def make_group(noise: float, n_seeds: int, seed: int) -> xr.Dataset:
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return generator.standard_normal((n_seeds, *shape))

    def scale(values: np.ndarray) -> np.ndarray:
        return values / np.linalg.norm(values, axis=-1, keepdims=True)

    moment = draw(N_CLIPS, N_STEPS, WIDTH)
    answer = moment + noise * draw(N_CLIPS, N_STEPS, WIDTH)
    halves = np.stack([moment + noise * draw(N_CLIPS, N_STEPS, WIDTH) for _ in range(2)], axis=1)
    code = generator.integers(N_CODES, size=(n_seeds, N_CLIPS, N_STEPS))
    other = np.where(generator.random(code.shape) < 0.5, code, (code + 1) % N_CODES)
    step = ("seed", "clip", "step", "moment_dimension")
    return xr.Dataset(
        {
            "clip_stimulus_embedding": (("seed", "clip", "dimension"), scale(moment.mean(2))),
            "clip_response_embedding": (("seed", "clip", "dimension"), scale(answer.mean(2))),
            "moment_stimulus_embedding": (step, scale(moment)),
            "moment_response_embedding": (step, scale(answer)),
            "half_clip_embedding": (("seed", "half", "clip", "dimension"), scale(halves.mean(3))),
            "half_moment_embedding": (("seed", "half", *step[1:]), scale(halves)),
            "clip_stimulus_code": (("seed", "clip", "step"), code),
            "clip_response_code": (("seed", "clip", "step"), other),
            "codebook": (("seed", "code", "code_dimension"), scale(draw(N_CODES, WIDTH))),
            "fold": ("clip", np.zeros(N_CLIPS, int)),
            "segment": ("clip", np.repeat(["a", "b"], N_CLIPS // 2)),
            "start_tr": ("clip", np.tile(5 * np.arange(N_CLIPS // 2), 2)),
            "is_disjoint": ("clip", np.tile([True, False], N_CLIPS // 2)),
        },
        coords={"seed": np.arange(n_seeds)},
    )


def find(scores: pd.DataFrame, task: str, metric: str, matching: str = "embedding", **given: str):
    keys = {"task": task, "metric": metric, "matching": matching, "seed": "all", **given}
    chosen = scores[np.logical_and.reduce([scores[name] == value for name, value in keys.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_equal_sides_are_always_found():
    scores, _ = score_clips(make_tree(0.0), OPTIONS)
    for task in ("window", "disjoint", "segment", "moment"):
        for direction in ("bold_to_video", "video_to_bold"):
            assert find(scores, f"{task}_{direction}", "top_1")["value"] == 1.0


@pytest.mark.parametrize(
    ("task", "n_candidates"),
    # Of 12 windows of a segment, 5 TRs apart, none is a neighbour within 2 TRs.
    [("window", 24), ("disjoint", 12), ("segment", 12), ("moment", 120)],
)
def test_chance_is_that_of_the_gallery(task: str, n_candidates: int):
    scores, _ = score_clips(make_tree(1.0), OPTIONS)
    row = find(scores, f"{task}_bold_to_video", "top_1")
    assert row["n_candidates"] == n_candidates
    assert row["chance"] == pytest.approx(1 / n_candidates)


def test_neighbours_of_a_segment_are_no_distractors():
    tree = make_tree(1.0)
    tree["/01/all/clips"]["start_tr"][:] = np.tile(np.arange(N_CLIPS // 2), 2)
    scores, _ = score_clips(tree, OPTIONS)
    # Inner windows lose two neighbours on each side, the outer ones fewer.
    assert find(scores, "segment_bold_to_video", "top_1")["n_candidates"] == pytest.approx(8.5)


def test_noise_alone_is_at_chance():
    scores, _ = score_clips(make_tree(1e6, seeds=8), OPTIONS)
    row = find(scores, "moment_bold_to_video", "top_10")
    assert row["value"] == pytest.approx(row["chance"], abs=0.03)


def test_same_code_rate_has_the_chance_of_its_codes():
    scores, details = score_clips(make_tree(1.0), OPTIONS)
    row = find(scores, "code_agreement", "same_code_rate", "codes")
    assert row["value"] == pytest.approx(0.5, abs=0.1)
    assert row["chance"] == pytest.approx(1 / N_CODES, abs=0.03)
    assert details["codes"]["n_video"].sum() == N_CLIPS * N_STEPS


def test_ceiling_is_one_half_against_the_other():
    scores, _ = score_clips(make_tree(1.0), OPTIONS)
    row = find(scores, "window_bold_to_video", "top_1")
    assert 0 < row["ceiling"] <= 1
    assert np.isnan(find(scores, "window_bold_to_video", "top_1", "codes")["ceiling"])


def test_without_repeats_there_is_no_ceiling():
    group = make_group(1.0, 1, 0).drop_vars(["half_clip_embedding", "half_moment_embedding"])
    scores, _ = score_clips(xr.DataTree.from_dict({"/01/all/clips": group}), OPTIONS)
    assert scores["ceiling"].isna().all()


def test_intervals_hold_the_value_and_subjects_are_pooled():
    scores, _ = score_clips(make_tree(2.0, seeds=2, subjects=("01", "02")), OPTIONS)
    assert set(scores["subject"]) == {"01", "02", "all"}
    row = find(scores, "moment_bold_to_video", "mean_reciprocal_rank", subject="all")
    assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert row["n_queries"] == 240
    assert np.isfinite(row["seed_sd"])


def test_methods_without_codes_have_embeddings_only():
    group = make_group(1.0, 1, 0).drop_vars(
        ["codebook", "clip_stimulus_code", "clip_response_code"]
    )
    scores, details = score_clips(xr.DataTree.from_dict({"/01/all/clips": group}), OPTIONS)
    assert set(scores["matching"]) == {"embedding"}
    assert "codes" not in details
