"""Rate prediction on a planted retina: recovery, causality, gaps, weights and stores."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.rates import score_rates
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.movies.arrays import Movies, RateTargets
from brainalign.methods.movies.base import correlate_columns
from brainalign.methods.movies.experiment import fit_experiment, predict_experiment
from brainalign.methods.movies.stores import read_movie_experiment
from brainalign.methods.registry import get_method, get_method_options
from brainalign.methods.vi_st.calibration import N_CLIPS, start_at_rates
from brainalign.methods.vi_st.network import ViSTNetwork
from brainalign.methods.vi_st.task import ViSTTask
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


@pytest.mark.parametrize("name", METHODS)
def test_frames_of_the_tested_movie_change_no_fit(name):
    retina = make_retina((110, 60), n_units=2, n_trials=2)
    weights = []
    for order in (np.arange(170), np.r_[:110, np.full(60, 110)]):
        method = make_method(name, **QUICK.get(name, {}))
        shown = retina.movies.rearrange(order)
        method.fit(shown, retina.cells, retina.take(0, 80), retina.take(80, 110), seed=0)
        weights.append(method.get_weights())
    for key, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][key], err_msg=key)


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


@pytest.mark.parametrize("name", METHODS)
def test_a_silent_cell_gets_a_finite_rate_and_no_correlation(small_retina, name):
    count = small_retina.count.copy()
    count[:, :, 1] = 0
    silent = dataclasses.replace(small_retina, count=count)
    method = make_method(name, **QUICK.get(name, {}))
    method.fit(silent.movies, silent.cells, silent.take(0, 100), silent.take(100, 160), seed=0)
    predicted = method.predict(silent.movies, silent.cells)
    assert np.isfinite(predicted).all()
    assert np.isnan(correlate_columns(predicted[160:], silent.rate[160:])[1])


def test_a_cell_that_is_silent_in_the_tested_movie_is_counted_and_spoils_nothing(
    tmp_path, small_retina
):
    count = small_retina.count.copy()
    count[:, 160:, 1] = 0
    scores = []
    for name, retina in (
        ("whole", small_retina),
        ("silent", dataclasses.replace(small_retina, count=count)),
    ):
        job = make_job(tmp_path / name, "ln", retina, protocols=["cross_movie"])
        table, details = score_rates(
            predict_experiment(job, fit_experiment(job)), EvaluationOptions(n_bootstrap=20)
        )
        units = details["units"]
        tested = (units["tested_movies"] == "movie-1") & (units["seed"] == "0")
        scores.append((table, units[tested].set_index("unit")["correlation"]))
    (_, whole), (table, silent) = scores
    assert np.isnan(silent["cell-01"])
    others = ["cell-00", "cell-02", "cell-03"]
    np.testing.assert_allclose(silent[others], whole[others])
    fold = table[(table["matching"] == "cross_movie on movie-1") & (table["seed"] == "all")]
    assert fold.set_index("metric").loc["correlation", "n_queries"] == 3


def test_the_read_out_starts_at_the_mean_and_the_spread_of_the_rates(small_retina):
    options = get_method_options("vi_st").model_validate({"dropout": 0.0})
    training = small_retina.take(0, 100)
    spans = small_retina.movies.list_spans()
    rf = small_retina.cells.rf_map.astype(np.float32)
    network = ViSTNetwork(small_retina.movies.token.shape[2], 4, options)
    token = small_retina.movies.token
    task = ViSTTask(network, options, token, spans, rf, training, training)
    start_at_rates(network, task, options.clip_frames)
    rows = task.starts[np.linspace(0, len(task.starts) - 1, N_CLIPS).astype(int)]
    clip = torch.from_numpy(token[rows[:, None] + np.arange(options.clip_frames)])
    with torch.no_grad():
        output = network(clip, torch.from_numpy(rf)[None]).numpy()
    rate = training.rate[training.frames]
    np.testing.assert_allclose(output.mean((0, 2)), rate.mean(0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(output.std((0, 2)), rate.std(0), rtol=1e-3)


def test_a_fit_that_starts_at_the_rates_predicts_them_from_the_first_epoch(small_retina):
    training, validation = small_retina.take(0, 100), small_retina.take(100, 160)
    rate = training.rate[training.frames]
    spread = {}
    for start in ("published", "rates"):
        method = make_method("vi_st", read_out_start=start, **QUICK["vi_st"])
        method.fit(small_retina.movies, small_retina.cells, training, validation, seed=0)
        spread[start] = method.predict(small_retina.movies, small_retina.cells)[:100].std()
    assert spread["published"] < 0.1 * rate.std() < spread["rates"]


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


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "not finite"), (-0.5, r"rate is negative.*found -0\.5")]
)
def test_an_impossible_rate_inside_a_stretch_is_refused(value, message):
    with pytest.raises(CorruptDataError, match=message):
        RateTargets(np.full((2, 1), value, np.float32), np.zeros(2, int))
    RateTargets(np.full((2, 1), value, np.float32), np.full(2, -1))


@pytest.mark.parametrize("name", METHODS)
def test_rates_of_other_cells_than_the_receptive_fields_are_refused(small_retina, name):
    targets = small_retina.take(0, 100)
    fewer = RateTargets(targets.rate[:, :3], targets.stretch)
    with pytest.raises(InputError, match=r"expected 280 frames and 4 cells, found 280 .* 3 cells"):
        make_method(name).fit(
            small_retina.movies, small_retina.cells, fewer, small_retina.take(100, 160), seed=0
        )


@pytest.mark.parametrize("name", METHODS)
def test_weights_of_another_model_are_refused(name):
    with pytest.raises(InputError, match="weights"):
        make_method(name).set_weights({"something": np.zeros(3, np.float32)})


def test_a_constant_rate_has_no_correlation_whatever_the_rounding():
    constant = np.full((7, 1), 0.1)
    assert np.isnan(correlate_columns(constant, np.arange(7.0)[:, None])).all()


def test_tokens_that_fill_no_square_are_refused(small_retina):
    movies = small_retina.movies
    with pytest.raises(InputError, match=r"no.* fill a square.*found 99. Leave out the CLS token"):
        Movies(movies.movie, movies.luminance, movies.token[:, :99], movies.frame_rate)


def test_frame_times_that_do_not_rise_are_refused(tmp_path, small_retina):
    stimuli = make_movie_stores(small_retina)["stimuli"].to_dataset()
    time = stimuli["time"].values.copy()
    time[[5, 6]] = time[[6, 5]]
    write_store(tmp_path / "stimuli.zarr", stimuli.assign_coords(time=("frame", time)), "stimuli")
    with pytest.raises(InputError, match=r"frame times must rise within a movie.*found 1 steps"):
        fit_experiment(make_job(tmp_path, "mean_rate", small_retina))


@pytest.mark.slow
def test_vi_st_learns_planted_cells_and_nothing_from_frames_in_another_order(retina):
    """40 of the 300 steps that the preset small takes."""
    short = {"epochs": 2, "steps_per_epoch": 20}
    learned, control = (
        test_method("vi_st", retina, prior_time=order, **short)
        for order in ("recorded", "shuffled")
    )
    assert learned > 0.3
    assert control < 0.25
    assert learned - control > 0.2


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


@pytest.mark.parametrize(("name", "least"), [("ln", 0.2), ("vi_st", -1.0)])
def test_an_experiment_predicts_and_scores_both_protocols(tmp_path, small_retina, name, least):
    protocols = ["within_movie", "cross_movie"]
    # Clips of the validation part of the shorter movie.
    options = {**QUICK.get(name, {}), **({"clip_frames": 20} if name == "vi_st" else {})}
    job = make_job(tmp_path, name, small_retina, protocols=protocols, **options)
    predictions = predict_experiment(job, fit_experiment(job))
    write_store(tmp_path / "predictions.zarr", predictions, "predictions")
    scores, details = score_rates(predictions, EvaluationOptions(n_bootstrap=50))
    pooled = scores[(scores["seed"] == "all") & (scores["metric"] == "correlation")]
    assert pooled["matching"].tolist() == [
        *protocols,
        "cross_movie on movie-0",
        "cross_movie on movie-1",
    ]
    assert (pooled["value"] > least).all()
    assert pooled["ci_low"].notna().all()
    assert set(details) == {"units", "population"}


def test_the_mean_rate_has_no_correlation_in_any_fold(tmp_path, small_retina):
    job = make_job(tmp_path, "mean_rate", small_retina, protocols=["cross_movie"])
    predictions = predict_experiment(job, fit_experiment(job))
    scores, _ = score_rates(predictions, EvaluationOptions(n_bootstrap=50))
    assert scores[scores["metric"] == "correlation"]["value"].isna().all()
    bits = scores[scores["metric"] == "bits_per_spike"]["value"]
    assert bits.to_numpy() == pytest.approx(0)


def test_pixels_are_read_as_tokens_of_luminance_and_contrast(tmp_path, small_retina):
    stores = make_movie_stores(small_retina)
    n_frames = len(small_retina.movies.movie)
    grid = np.arange(n_frames * 8, dtype=np.float32).reshape(n_frames, 8)
    pixels = xr.DataTree.from_dict(
        {
            "/": stores["features"].to_dataset(),
            "/grid/feature": xr.Dataset({"feature": (("frame", "dimension"), grid)}),
        }
    )
    for kind, tree in {**stores, "features": pixels}.items():
        write_store(tmp_path / f"{kind}.zarr", tree, kind)
    experiment = read_movie_experiment(
        tmp_path / "stimuli.zarr",
        [tmp_path / "responses.zarr"],
        tmp_path / "features.zarr",
        "grid/feature",
        ["within_movie"],
    )
    assert experiment.movies.token.shape == (n_frames, 4, 2)
    np.testing.assert_array_equal(experiment.movies.token[3, 1], grid[3, [1, 5]])


def test_bins_that_lie_beside_the_frames_are_refused(tmp_path, small_retina):
    stores = make_movie_stores(small_retina)
    responses = stores["responses"].to_dataset()
    late = responses.assign_coords(time=responses["time"] + 0.05)
    write_store(tmp_path / "responses.zarr", late, "responses")
    job = make_job(tmp_path, "ln", small_retina)
    with pytest.raises(InputError, match=r"bins of the responses lie beside the frames"):
        fit_experiment(job)
