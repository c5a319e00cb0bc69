"""The configuration of the real retina recording, run as published, with one seed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from project_copy import copy_project, run_workflow

FEWER = """
seeds: [0]
experiments:
  - datasets: [onken2016]
    backbones: [pixels]
    methods: [vna, direct_encoding_ridge, direct_decoding_ridge]
"""
CONFIG = "workflow/datasets/onken2016_salamander.yaml"


@pytest.fixture(scope="module")
def scores(tmp_path_factory, data_folder: Path) -> pd.DataFrame:
    folder = copy_project(tmp_path_factory.mktemp("retina") / "project")
    (folder / "fewer.yaml").write_text(FEWER)
    completed = run_workflow(
        folder,
        "results/onken2016/scores.csv",
        configs=[CONFIG, "fewer.yaml"],
        BRAINALIGN_DATA=str(data_folder),
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    table = pd.read_csv(folder / "results" / "onken2016" / "scores.csv", dtype={"seed": str})
    return table[(table["response"] == "mean") & (table["seed"] == "all")]


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("method", ["direct_encoding_ridge", "direct_decoding_ridge"])
@pytest.mark.parametrize("task", ["discriminative_encoding", "discriminative_decoding"])
def test_direct_baselines_retrieve_real_images_above_chance(scores, method, task):
    row = scores[
        (scores["method"] == method)
        & (scores["task"] == task)
        & (scores["matching"] == "pearson")
        & (scores["metric"] == "top_1")
    ]
    assert len(row) == 1
    assert row["ci_low"].item() > row["chance"].item() == pytest.approx(1 / 12)


@pytest.mark.slow
@pytest.mark.real_data
def test_every_image_is_tested_once(scores):
    assert set(scores["n_queries"]) == {0, 60}
    too_large = scores["metric"].isin(["identification_50_way", "identification_100_way"])
    assert scores[scores["n_queries"] == 0]["metric"].isin(scores[too_large]["metric"]).all()
    assert set(scores["n_candidates"]) == {12}


@pytest.mark.slow
@pytest.mark.real_data
def test_vna_stands_beside_the_baselines(scores):
    rows = scores[(scores["method"] == "vna") & (scores["metric"] == "top_1")]
    assert set(rows["task"]) == {"discriminative_encoding", "discriminative_decoding"}
    assert rows["value"].notna().all()
