"""The whole workflow on a tiny simulated world, as a user runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from brainalign.stores.verify import find_store_problems, list_published_folders
from page_claims import find_page_problems
from project_copy import copy_project, run_workflow

TINY = """
seeds: [0, 1]
world:
  exemplars_per_category: 2
  views_per_exemplar: 10
  n_scenes: 2
  movies: {n_object_movies: 0, n_texture_movies: 0}
datasets:
  simulated_it:
    kind: simulated_it
    simulation:
      subjects: {a: 12, b: 15}
      n_sessions: 2
      test_repeats: 3
      train_repeats: 2
      n_shared_train_stimuli: 4
    responses: {min_repeated_stimuli: 5}
methods:
  vna: {preset: small, epochs: 5}
experiments:
  - datasets: [simulated_it]
    backbones: [pixels]
    methods: [vna, direct_encoding_ridge]
"""


CONFIGS = ["tiny.yaml"]


def make_project(folder: Path) -> Path:
    copy_project(folder)
    (folder / "tiny.yaml").write_text(TINY)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("small") / "a run with spaces")
    completed = run_workflow(folder, configs=CONFIGS, PYTHONHASHSEED="0")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return folder


@pytest.mark.slow
def test_every_published_folder_is_sound(finished):
    folders = list_published_folders(finished / "results")
    assert {folder.name for folder in folders} >= {"world", "simulated_it", "report", "scores.zarr"}
    assert {
        str(folder): find_store_problems(folder)
        for folder in folders
        if find_store_problems(folder)
    } == {}


@pytest.mark.slow
def test_a_second_call_does_nothing(finished):
    completed = run_workflow(finished, configs=CONFIGS)
    assert "Nothing to be done" in completed.stdout + completed.stderr


@pytest.mark.slow
def test_every_score_has_chance_interval_and_ceiling(finished):
    scores = pd.read_csv(finished / "results" / "scores.csv", dtype={"seed": str})
    assert set(scores["method"]) == {"vna", "direct_encoding_ridge", "yardstick"}
    # Not every yardstick has a ceiling.
    scores = scores[scores["method"] != "yardstick"]
    assert set(scores["subject"]) == {"a", "b", "all"}
    known = scores[scores["value"].notna()]
    assert known[["chance", "ci_low", "ci_high"]].notna().all().all()
    assert (known["ci_low"] <= known["ci_high"]).all()
    mean = known[known["response"] == "mean"]
    assert mean["ceiling"].notna().all()


@pytest.mark.slow
def test_csv_and_store_hold_the_same_scores(finished):
    csv = pd.read_csv(finished / "results" / "scores.csv")
    table = xr.open_datatree(finished / "results" / "scores.zarr", engine="zarr")["table"]
    assert len(csv) == table.sizes["row"]
    assert csv["value"].to_numpy() == pytest.approx(table["value"].values, nan_ok=True, rel=1e-5)


@pytest.mark.slow
def test_the_page_shows_the_numbers_of_the_tables(finished):
    assert find_page_problems(finished / "results") == []


@pytest.mark.slow
def test_every_store_opens_without_a_warning(finished):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stores = sorted((finished / "results").rglob("*.zarr"))
        assert len(stores) >= 9
        for store in stores:
            xr.open_datatree(store)
            xr.open_zarr(store)


@pytest.mark.slow
def test_same_configuration_gives_the_same_scores_under_another_hash_seed(finished, tmp_path):
    other = make_project(tmp_path / "other")
    completed = run_workflow(other, "results/scores.csv", configs=CONFIGS, PYTHONHASHSEED="1")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    for name in ("scores.csv", "comparisons.csv"):
        first, second = ((folder / "results" / name).read_text() for folder in (finished, other))
        assert first == second


@pytest.mark.slow
def test_compared_methods_have_the_pooled_scores_of_the_table(finished):
    results = finished / "results"
    scores = pd.read_csv(results / "scores.csv", dtype={"seed": str})
    pooled = scores[
        (scores["subject"] == "all") & (scores["seed"] == "all") & (scores["response"] == "mean")
    ]
    value = pooled.set_index(["method", "matching", "task", "metric"])["value"]
    comparisons = pd.read_csv(results / "comparisons.csv")
    assert len(comparisons) == 4
    for row in comparisons.to_dict("records"):
        for place in "ab":
            key = (row[f"method_{place}"], row[f"matching_{place}"], row["task"], row["metric"])
            assert row[f"value_{place}"] == pytest.approx(value[key], abs=1e-5)
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        assert row["p_value"] <= row["p_corrected"]


@pytest.mark.slow
def test_a_flipped_byte_stops_the_next_stage_with_exit_code_three(finished, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(finished, folder)
    store = folder / "results" / "features" / "simulated_it" / "pixels.zarr"
    chunk = next(
        path for path in (store / "grid" / "feature" / "feature" / "c").rglob("*") if path.is_file()
    )
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 0xFF
    chunk.write_bytes(content)
    completed = subprocess.run(
        [sys.executable, "-m", "brainalign.cli", "verify", str(store)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 3
    assert "DAMAGED" in completed.stdout
