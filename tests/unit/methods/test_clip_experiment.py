"""Methods of windows from stores to scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brainalign.config.job_options import describe_fit, read_method_options
from brainalign.config.load import load_config
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.methods.clip_baselines.options import RidgeDelaysOptions
from brainalign.methods.clip_baselines.ridge import RidgeDelays
from brainalign.methods.clips.experiment import fit_experiment, predict_experiment
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.registry import get_method_options
from brainalign.responses.fmri_movies import build_fmri_movie_responses
from brainalign.stores.contracts import find_contract_violations
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.write import write_store
from movie_scanner import make_options, open_recording, write_recording, write_stores
from unit.methods.bold_video_world import N_TRS, make_segments, rank_windows

TEST_STARTS = np.concatenate([s * N_TRS + np.arange(0, 97, 4) for s in range(8)])
FEW_SEGMENTS = [f"segment-{number:02d}" for number in range(10)]
FEW = {"epochs": 2, "contrast_epochs": 1, "steps_per_epoch": 3, "n_codes": 8, "window_trs": 6}


PROJECT = Path(__file__).resolve().parents[3]
BASELINES = load_config(
    [PROJECT / "config.yaml", PROJECT / "workflow/datasets/neuroalign_baselines.yaml"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips")
    options = make_options()
    write_stores(path, write_recording(path, options), options)
    return path


def make_job(folder: Path, method: str, given: dict) -> ExperimentJob:
    options = get_method_options(method).model_validate(given).model_dump(mode="json")
    return ExperimentJob(
        method,
        options,
        {"seeds": [0, 1], "feature": "grid/map"},
        folder / "stimuli.zarr",
        (folder / "01.zarr",),
        folder / "features.zarr",
    )


@pytest.mark.parametrize(
    ("method", "given"),
    [("neuroalign", FEW), ("ridge_delays", {"window_trs": 6, "n_components": 5})],
)
def test_fit_predict_and_score(folder: Path, method: str, given: dict):
    job = make_job(folder, method, given)
    fitted = fit_experiment(job)
    assert set(fitted.history["seed"]) == ({0, 1} if method == "neuroalign" else {0})
    tree = predict_experiment(job, fitted)
    assert find_contract_violations(tree, "predictions") == []
    scores, details = score_all(tree, EvaluationOptions(n_bootstrap=50))
    pooled = scores[(scores["seed"] == "all") & (scores["metric"] == "top_1")]
    assert {"window_bold_to_video", "moment_video_to_bold"} <= set(pooled["task"])
    assert np.isfinite(pooled[pooled["matching"] == "embedding"]["ceiling"]).all()
    assert ("codes" in details) == (method == "neuroalign")


@pytest.mark.parametrize("name", BASELINES.experiments[0].methods)
def test_every_baseline_of_the_table_is_fitted_and_scored(folder: Path, name: str):
    options = describe_fit(BASELINES, name, "simulated_fmri_movies", "world_clip")
    method, given = read_method_options(options)
    few = FEW if method == "neuroalign" else {"window_trs": 6, "n_components": 5}
    job = replace(
        make_job(folder, method, {**given, **few}),
        options={**options, "feature": "grid/map", "seeds": [0]},
    )
    scores, _ = score_all(
        predict_experiment(job, fit_experiment(job)), EvaluationOptions(n_bootstrap=20)
    )
    assert {"window_bold_to_video", "window_video_to_bold"} <= set(scores["task"])
    has_codes = given.get("codebook", "none") != "none"
    assert ("codes" in set(scores["matching"])) == has_codes


def test_subjects_are_fitted_by_themselves_and_scored_together(folder: Path):
    options = make_options()
    dataset = open_recording(folder / "recording", options)
    other = build_fmri_movie_responses(dataset, "01", options.responses, None)
    other.attrs["subject"] = "02"
    record = ProvenanceRecorder("responses", {}, {}).finish()
    write_store(folder / "02.zarr", other, "responses", record)
    job = make_job(folder, "neuroalign", FEW)
    both = replace(job, responses=(folder / "01.zarr", folder / "02.zarr"))
    alone, together = fit_experiment(job), fit_experiment(both)
    assert {name.split("/")[0] for name in together.weights} == {"subject-01", "subject-02"}
    assert all(
        np.array_equal(alone.weights[name], together.weights[name]) for name in alone.weights
    )
    scores = score_all(predict_experiment(both, together), EvaluationOptions(n_bootstrap=20))[0]
    assert set(scores["subject"]) == {"01", "02", "all"}


@pytest.mark.parametrize(("direction", "smallest"), [("encoding", 0.8), ("decoding", 0.6)])
def test_ridge_with_delays_identifies_windows(direction: str, smallest: float):
    training, validation, test = make_segments(0)
    method = RidgeDelays(RidgeDelaysOptions(direction=direction, penalties=[100.0, 1e3]))
    method.fit(training.take_segments(FEW_SEGMENTS), validation, seed=0)
    embedded = method.embed(test, TEST_STARTS)
    assert min(rank_windows(embedded.stimulus, embedded.response)) > smallest
    assert int(method.describe_lags()["all"].argmax()) in (2, 3)


def test_weights_restore_the_ridge():
    training, validation, test = make_segments(0)
    method = RidgeDelays(RidgeDelaysOptions(penalties=[100.0]))
    method.fit(training.take_segments(FEW_SEGMENTS), validation, seed=0)
    other = RidgeDelays(method.options)
    other.set_weights(method.get_weights())
    first, second = (one.embed(test, TEST_STARTS[:4]) for one in (method, other))
    assert np.array_equal(first.stimulus, second.stimulus)
