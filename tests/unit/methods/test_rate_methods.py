"""Rate prediction on a planted retina: recovery, causality, gaps, weights and stores."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.rates import score_rates
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.movies.arrays import RateTargets
from brainalign.methods.movies.base import correlate_columns
from brainalign.methods.movies.experiment import fit_experiment, predict_experiment
from brainalign.methods.registry import get_method, get_method_options
from brainalign.stores.write import write_store
from planted_retina import PlantedRetina, make_movie_stores, make_retina

QUICK = {"vi_st": {"epochs": 1, "steps_per_epoch": 1}, "movie_cnn": {"epochs": 1}}
METHODS = ["mean_rate", "ln", "glm", "feature_ridge", "movie_cnn", "vi_st"]


@pytest.fixture(scope="module")
def retina() -> PlantedRetina:
    return make_retina()


@pytest.fixture(scope="module")
def small_retina() -> PlantedRetina:
    return make_retina((160, 120), n_units=4, n_trials=4)


def make_method(name: str, **options: object):
    method_class = get_method(name)
    return method_class(method_class.Options.model_validate(options))


def test_method(name: str, retina: PlantedRetina, **options: object) -> float:
    method = make_method(name, **options)
    method.fit(retina.movies, retina.cells, retina.take(0, 780), retina.take(780, 900), seed=0)
    predicted = method.predict(retina.movies, retina.cells)
    return float(correlate_columns(predicted[900:], retina.rate[900:]).mean())


test_method.__test__ = False


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("ln", {}, 0.75),
        ("ln", {"field": "full"}, 0.5),
        ("glm", {}, 0.8),
        ("glm", {"link": "exp"}, 0.7),
        ("feature_ridge", {}, 0.65),
        ("movie_cnn", {"epochs": 6}, 0.8),
    ],
)
def test_baselines_recover_planted_cells_on_another_movie(retina, name, options, least):
    assert test_method(name, retina, **options) > least


@pytest.mark.parametrize("name", METHODS)
def test_weights_carry_the_whole_fit(small_retina, name):
    method = make_method(name, **QUICK.get(name, {}))
    targets = small_retina.take(0, 100), small_retina.take(100, 160)
    method.fit(small_retina.movies, small_retina.cells, *targets, seed=0)
    restored = make_method(name, **QUICK.get(name, {}))
    restored.set_weights(method.get_weights())
    predictions = [m.predict(small_retina.movies, small_retina.cells) for m in (method, restored)]
    np.testing.assert_array_equal(*predictions)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "mean_rate"])
def test_no_method_sees_later_frames(small_retina, name):
    method = make_method(name, **QUICK.get(name, {}))
    targets = small_retina.take(0, 100), small_retina.take(100, 160)
    method.fit(small_retina.movies, small_retina.cells, *targets, seed=0)
    order = np.arange(280)
    order[100:160] = 0
    changed = small_retina.movies.rearrange(order)
    first, second = (
        method.predict(movies, small_retina.cells) for movies in (small_retina.movies, changed)
    )
    np.testing.assert_allclose(first[:100], second[:100], rtol=1e-4, atol=1e-4)


def test_rates_with_gaps_are_learned_from_recorded_frames_only(small_retina):
    targets = small_retina.take(0, 100)
    stretch = np.where(np.arange(280) % 24 < 9, targets.stretch, -1)
    rate = np.where(stretch[:, None] >= 0, targets.rate, 0)
    polluted = np.where(stretch[:, None] >= 0, targets.rate, 50).astype(np.float32)
    fits = []
    for values in (rate, polluted):
        method = make_method("vi_st", **QUICK["vi_st"])
        gaps = RateTargets(values, stretch)
        method.fit(
            small_retina.movies, small_retina.cells, gaps, small_retina.take(100, 160), seed=0
        )
        fits.append(method.predict(small_retina.movies, small_retina.cells))
    np.testing.assert_array_equal(*fits)


def test_a_fit_of_some_cells_leaves_the_others_out(small_retina):
    method = make_method("vi_st", n_units=2, **QUICK["vi_st"])
    targets = small_retina.take(0, 100), small_retina.take(100, 160)
    method.fit(small_retina.movies, small_retina.cells, *targets, seed=0)
    predicted = method.predict(small_retina.movies, small_retina.cells)
    assert np.isfinite(predicted).all(0).sum() == 2


def test_a_movie_with_fewer_frames_than_a_clip_is_refused():
    retina = make_retina((40, 30), n_units=2, n_trials=2)
    with pytest.raises(InputError, match=r"no movie is as long.*48 frames.*found 40"):
        make_method("vi_st").fit(
            retina.movies, retina.cells, retina.take(0, 20), retina.take(20, 40), seed=0
        )


def test_a_movie_that_never_changes_is_refused(small_retina):
    still = small_retina.movies.rearrange(np.zeros(280, int))
    with pytest.raises(InputError, match=r"never change"):
        make_method("vi_st").fit(
            still,
            small_retina.cells,
            small_retina.take(0, 100),
            small_retina.take(100, 160),
            seed=0,
        )


def test_cells_without_receptive_fields_need_another_mode(small_retina):
    blind = dataclasses.replace(small_retina.cells, rf_map=np.zeros((4, 10, 10), np.float32))
    with pytest.raises(InputError, match=r"no cell has a receptive field.*rf_mode: none"):
        make_method("vi_st").fit(
            small_retina.movies,
            blind,
            small_retina.take(0, 100),
            small_retina.take(100, 160),
            seed=0,
        )


def test_a_rate_that_is_no_number_inside_a_stretch_is_refused():
    with pytest.raises(CorruptDataError, match=r"not finite"):
        RateTargets(np.full((2, 1), np.nan, np.float32), np.zeros(2, int))


def make_job(folder: Path, name: str, retina: PlantedRetina, **options: object) -> ExperimentJob:
    for kind, tree in make_movie_stores(retina).items():
        if not (folder / f"{kind}.zarr").exists():
            write_store(folder / f"{kind}.zarr", tree, kind)
    chosen = get_method_options(name).model_validate(options).model_dump(mode="json")
    return ExperimentJob(
        name,
        chosen,
        {"seeds": [0, 1], "feature": "layer_1/map"},
        folder / "stimuli.zarr",
        (folder / "responses.zarr",),
        folder / "features.zarr",
    )


def test_an_experiment_predicts_and_scores_both_protocols(tmp_path, small_retina):
    protocols = ["within_movie", "cross_movie"]
    job = make_job(tmp_path, "ln", small_retina, protocols=protocols)
    predictions = predict_experiment(job, fit_experiment(job))
    write_store(tmp_path / "predictions.zarr", predictions, "predictions")
    scores, details = score_rates(predictions, EvaluationOptions(n_bootstrap=50))
    pooled = scores[(scores["seed"] == "all") & (scores["metric"] == "correlation")]
    assert pooled["matching"].tolist() == [
        *protocols,
        "cross_movie on movie-0",
        "cross_movie on movie-1",
    ]
    assert (pooled["value"] > 0.2).all()
    assert pooled["ci_low"].notna().all()
    assert set(details) == {"units", "population"}


def test_the_mean_rate_has_no_correlation_in_any_fold(tmp_path, small_retina):
    job = make_job(tmp_path, "mean_rate", small_retina, protocols=["cross_movie"])
    predictions = predict_experiment(job, fit_experiment(job))
    scores, _ = score_rates(predictions, EvaluationOptions(n_bootstrap=50))
    assert scores[scores["metric"] == "correlation"]["value"].isna().all()
    bits = scores[scores["metric"] == "bits_per_spike"]["value"]
    assert bits.to_numpy() == pytest.approx(0)


def test_bins_that_lie_beside_the_frames_are_refused(tmp_path, small_retina):
    stores = make_movie_stores(small_retina)
    responses = stores["responses"].to_dataset()
    late = responses.assign_coords(time=responses["time"] + 0.05)
    write_store(tmp_path / "responses.zarr", late, "responses")
    job = make_job(tmp_path, "ln", small_retina)
    with pytest.raises(InputError, match=r"bins of the responses lie beside the frames"):
        fit_experiment(job)
