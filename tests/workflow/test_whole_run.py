"""What is planted in the simulated world is found again in the default run.

`BRAINALIGN_RESULTS` names the results folder of a finished run; `.ci/run` sets it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.notebook.scores import load_scores

MOVIES = "simulated_fmri_movies"


@pytest.fixture(scope="module")
def results() -> Path:
    folder = os.environ.get("BRAINALIGN_RESULTS")
    if folder is None:
        pytest.skip("set BRAINALIGN_RESULTS to the results of the default run")
    return Path(folder)


@pytest.fixture(scope="module")
def pooled(results: Path) -> pd.DataFrame:
    scores = load_scores(results)
    return scores[scores["seed"] == "all"]


def test_learned_lags_lie_within_one_tr_of_the_planted(results: Path) -> None:
    truth = results / "raw" / MOVIES / "sourcedata" / "truth" / "sub-01_truth.npz"
    with np.load(truth) as planted:
        expected = dict(zip(planted["lag_roi"], planted["lag_weight"].argmax(1), strict=True))
    store = results / "predictions" / "neuroalign" / MOVIES / "world_clip.zarr"
    clips = xr.open_datatree(store, engine="zarr")["01/all/clips"]
    regions = clips["lag_region"].values.tolist()
    assert set(regions) == set(expected)
    found = clips["lag_weight"].values.argmax(-1)
    assert np.abs(found - [expected[name] for name in regions]).max() <= 1


@pytest.mark.parametrize(("group", "attribute"), [("1-pose", "pose"), ("2-category", "category")])
def test_edits_of_a_labelled_group_move_its_attribute_beyond_all_controls(
    pooled: pd.DataFrame, group: str, attribute: str
) -> None:
    is_margin = pooled["metric"] == f"{attribute}_transfer_margin"
    rows = pooled[is_margin & (pooled["matching"] == "mig_vis")].set_index("response")
    assert rows.loc[group, "ci_low"] > 0
    others = rows.drop(index=group)
    assert rows.loc[group, "value"] > others["value"].max()


def test_the_wrong_subject_is_clearly_worse_and_the_right_one_beats_the_same_transformer(
    pooled: pd.DataFrame,
) -> None:
    rows = pooled[(pooled["metric"] == "map") & (pooled["subject"] == "all")]
    value = rows.set_index(["method", "matching"])[["value", "ci_low", "ci_high"]]
    right = value.loc[("clip_mused", "labels")]
    assert right["ci_low"] > value.loc[("clip_mused", "labels_swapped"), "ci_high"]
    assert right["ci_low"] > value.loc[("label_vit_pooled", "labels"), "ci_high"]
