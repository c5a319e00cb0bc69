"""Degenerate SD-KL in tables of scores: counted, and never averaged with ordinary values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.rates import score_rates

N_UNITS, N_FRAMES, N_REPEATS = 4, 400, 4
METRIC = "sd_kl_code_0.5"


def make_rate(n_frames: int, generator: np.random.Generator) -> np.ndarray:
    """Bursts of many lengths, in Hz."""
    drive = generator.normal(size=(n_frames + 20, N_UNITS)).cumsum(0)
    return 12 * np.maximum(drive[20:] - drive[:-20], 0)


@pytest.fixture(scope="module")
def scored() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cell 0 has a constant prediction in the second fold, cell 1 in both."""
    generator = np.random.default_rng(0)
    rate = make_rate(N_FRAMES, generator)
    count = generator.poisson(rate / 30, (N_REPEATS, *rate.shape)).astype(np.float64)
    fold = np.repeat([0, 1], N_FRAMES // 2)
    predicted = np.stack([make_rate(N_FRAMES, generator) for _ in range(2)])
    predicted[:, :, 2] += 2 * rate[:, 2]
    predicted[:, fold == 1, 0] = 5.0
    predicted[:, :, 1] = 5.0
    axes = ("seed", "frame", "unit")
    group = xr.Dataset(
        {
            "predicted_response": (axes, predicted),
            "recorded_response": (("repeat", "frame", "unit"), count),
            "mean_rate": (("frame", "unit"), np.tile(rate.mean(0), (N_FRAMES, 1))),
            "fold": ("frame", fold.astype(np.int32)),
            "movie": ("frame", np.array([f"film-{number}" for number in fold])),
            "stretch": ("frame", fold),
        },
        coords={"seed": [0, 1], "unit": [f"cell-{number}" for number in range(N_UNITS)]},
        attrs={"frame_rate_hz": 30.0},
    )
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), "/retina/all/cross_movie": group})
    scores, details = score_rates(tree, EvaluationOptions(n_bootstrap=20))
    return scores, details["units"]


def take(scores: pd.DataFrame, matching: str, metric: str) -> pd.Series:
    rows = scores[(scores["matching"] == matching) & (scores["seed"] == "all")]
    return rows.set_index("metric").loc[f"{METRIC}_{metric}"]


def test_an_undefined_divergence_has_no_value_and_a_reason(scored):
    units = scored[1]
    constant = units[units["unit"] == "cell-1"]
    assert constant[METRIC].isna().all()
    assert (constant[f"{METRIC}.few_events"] == 1).all()
    assert (constant[f"{METRIC}.published"] == 1000).all()


def test_no_mean_over_folds_and_seeds_holds_a_thousand(scored):
    scores, units = scored
    own = units[(units["unit"] == "cell-0") & (units["fold"] == 0)][METRIC].mean()
    others = units[units["unit"].isin(["cell-2", "cell-3"])].groupby("unit")[METRIC].mean()
    row = take(scores, "cross_movie", "mean")
    assert row["value"] == pytest.approx(np.mean([own, *others]))
    assert row["n_queries"] == 3
    assert row["ci_high"] < 100
    assert take(scores, "cross_movie", "median")["value"] == pytest.approx(
        np.median([own, *others])
    )


def test_degenerate_cells_are_counted_by_fold_and_on_average(scored):
    scores = scored[0]
    for matching, number in (
        ("cross_movie", 1.5),
        ("cross_movie on film-0", 1.0),
        ("cross_movie on film-1", 2.0),
    ):
        assert take(scores, matching, "degenerate_cells")["value"] == number
        assert take(scores, matching, "cells_with_few_events")["value"] == number
        assert take(scores, matching, "cells_with_underflow")["value"] == 0


def test_the_published_mean_stands_by_itself(scored):
    row = take(scored[0], "cross_movie on film-1", "published_mean")
    assert row["value"] > 500
    assert row["n_queries"] == N_UNITS


def test_published_conventions_of_correlation_stand_beside_the_signed_one(scored):
    scores, units = scored
    signed = units[units["fold"] == 0].groupby("unit")["correlation"].mean()
    assert (signed.dropna() < 0).any()
    rows = scores[(scores["matching"] == "cross_movie on film-0") & (scores["seed"] == "all")]
    value = rows.set_index("metric")["value"]
    assert value["correlation"] == pytest.approx(signed.mean())
    # An undefined cell counts as 0 in the public scalar, and among no positive cells.
    assert value["correlation_absolute"] == pytest.approx(signed.abs().fillna(0).mean())
    assert value["correlation_of_positive_cells"] == pytest.approx(signed[signed > 0].mean())
    assert value["share_of_positive_cells"] == pytest.approx((signed.dropna() > 0).mean())
