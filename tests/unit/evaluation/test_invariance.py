"""What must not change a score: order of stimuli, other subjects, a second run, hash seeds."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kinds_of_predictions import KINDS, compare, score

SCRIPT = Path(__file__).parents[2] / "kinds_of_predictions.py"
NUMBERS = ["value", "chance", "ceiling", "seed_sd", "n_candidates", "n_queries"]


@functools.cache
def score_once(kind: str) -> pd.DataFrame:
    return score(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_items_changes_no_score(kind: str) -> None:
    first, second = score_once(kind), score(kind, shuffled=True)
    if kind == "rate":
        # SD-KL and population sizes draw cells by place; correlations must not.
        chosen = first["metric"].isin(["correlation", "bits_per_spike", "rmse_hz"])
        first, second = first[chosen], second[chosen]
    np.testing.assert_allclose(first[NUMBERS], second[NUMBERS], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_items_changes_no_comparison(kind: str) -> None:
    first, second = compare(kind), compare(kind, shuffled=True)
    columns = ["task", "metric", "difference", "ci_low", "ci_high", "p_value", "p_corrected"]
    assert len(first)
    pd.testing.assert_frame_equal(first[columns], second[columns], atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_subject_added_changes_no_other_subjects_score(kind: str) -> None:
    alone, both = score_once(kind), score(kind, subjects="ab")
    own = both[both["subject"] == "a"].reset_index(drop=True)
    alone = alone[alone["subject"] == "a"].reset_index(drop=True)
    np.testing.assert_allclose(alone[NUMBERS], own[NUMBERS], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_predictions_give_the_same_scores_twice(kind: str) -> None:
    pd.testing.assert_frame_equal(score_once(kind), score(kind))


def test_hash_seeds_change_no_comparison_and_none_of_its_scores() -> None:
    digests = {
        subprocess.run(
            [sys.executable, str(SCRIPT)],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4242")
    }
    assert len(digests) == 1
