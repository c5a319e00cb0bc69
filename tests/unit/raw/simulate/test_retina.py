"""The simulated retina: planted fields are found again, faults of the clock are repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.nwb_movies import NWBMovieFolder
from brainalign.raw.options import SimulatedRetinaDataset
from brainalign.raw.registry import open_raw_dataset
from brainalign.raw.simulate.options import MovieOptions, WorldOptions
from brainalign.raw.simulate.retina_cells import make_kernel
from brainalign.raw.simulate.retina_options import SimulatedRetinaOptions
from brainalign.raw.simulate.retina_recording import draw_retina_stretch, write_retina_recording
from brainalign.raw.simulate.world import write_world
from brainalign.responses.movies import build_movie_responses

_OPTIONS = SimulatedRetinaOptions(
    subjects={"retina-a": 12},
    movie_repeats=6,
    noise_duration_s=240.0,
    missing_trigger_share=0.0012,
    double_trigger_share=0.001,
)


@pytest.fixture(scope="module")
def movie_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("movie_world")
    movies = MovieOptions(n_object_movies=0, n_texture_movies=2, duration_s=6.0, frame_size=48)
    options = WorldOptions(
        image_size=32, exemplars_per_category=1, views_per_exemplar=3, n_scenes=0, movies=movies
    )
    write_world(folder, options)
    return folder


@pytest.fixture(scope="module")
def recording(movie_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retina")
    write_retina_recording(folder, movie_world, _OPTIONS)
    return folder


@pytest.fixture(scope="module")
def truth(recording: Path) -> dict[str, np.ndarray]:
    return dict(np.load(recording / "sub-retina-a" / "truth.npz"))


@pytest.fixture(scope="module")
def dataset(movie_world: Path, recording: Path) -> NWBMovieFolder:
    options = SimulatedRetinaDataset(kind="simulated_retina")
    return open_raw_dataset(options, recording, movie_world)


@pytest.fixture(scope="module")
def responses(dataset: NWBMovieFolder) -> xr.Dataset:
    options = SimulatedRetinaDataset(kind="simulated_retina").responses
    return build_movie_responses(dataset, "retina-a", options, None)


def test_receptive_fields_lie_within_one_planted_radius(
    responses: xr.Dataset, truth: dict[str, np.ndarray]
) -> None:
    distance = np.hypot(
        responses["rf_center_x"] - truth["center_x"], responses["rf_center_y"] - truth["center_y"]
    )
    assert (responses["rf_status"].values == "ok").all()
    assert (distance.values < truth["axis_minor"]).all()


def test_planted_sizes_and_polarities_are_found(
    responses: xr.Dataset, truth: dict[str, np.ndarray]
) -> None:
    np.testing.assert_array_equal(responses["rf_polarity"].values, truth["polarity"])
    ratio = responses["rf_axis_major"].values / truth["axis_major"]
    assert (ratio > 0.6).all()
    assert (ratio < 1.4).all()


def test_rates_over_repeats_follow_the_planted_rates(
    responses: xr.Dataset, truth: dict[str, np.ndarray]
) -> None:
    own = responses.isel(trial=np.flatnonzero(responses["movie"].values == "texture-movie-01"))
    rate = own["response"].values.mean(axis=0) * 30
    expected = truth["rate_texture-movie-01"]
    found = [np.corrcoef(rate[:, cell], expected[:, cell])[0, 1] for cell in range(12)]
    assert np.median(found) > 0.8


def test_planted_faults_of_the_clock_are_repaired_and_counted(
    dataset: NWBMovieFolder, truth: dict[str, np.ndarray]
) -> None:
    [session] = dataset.read_movie_sessions("retina-a")
    missing = sum(trial.n_missing_triggers for trial in session.trials)
    double = sum(trial.n_double_triggers for trial in session.trials)
    assert missing == truth["n_missing_triggers"] > 0
    assert double == truth["n_double_triggers"] > 0
    first = np.array([trial.start_s[0] for trial in session.trials])
    np.testing.assert_allclose(first, truth["first_frame_s"], atol=0.002)


def test_cells_keep_their_refractory_period(dataset: NWBMovieFolder) -> None:
    [session] = dataset.read_movie_sessions("retina-a")
    intervals = np.concatenate([np.diff(times) for times in session.spike_times])
    assert intervals.min() >= 0.00199


def test_all_four_types_are_there(truth: dict[str, np.ndarray]) -> None:
    assert sorted(np.unique(truth["cell_type"], return_counts=True)[1].tolist()) == [3, 3, 3, 3]


def test_a_stretch_shows_the_same_cells(movie_world: Path, truth: dict[str, np.ndarray]) -> None:
    session = draw_retina_stretch(movie_world, _OPTIONS, "retina-a", ["texture-movie-02"])
    np.testing.assert_array_equal(session.cells.center_x, truth["center_x"])
    assert len(session.frame_s[0]) == 180
    assert max(times[-1] for times in session.spike_times if len(times)) < 7.5


def test_a_stretch_of_an_unknown_movie_is_refused(movie_world: Path) -> None:
    with pytest.raises(InputError, match="no movie 'noise'"):
        draw_retina_stretch(movie_world, _OPTIONS, "retina-a", ["noise"])


def test_transient_kernel_is_more_biphasic_than_sustained() -> None:
    assert make_kernel(3.0, 0.85).sum() < 0.2 < make_kernel(3.0, 0.25).sum()


def test_equal_options_give_equal_spikes(movie_world: Path) -> None:
    first, second = (
        draw_retina_stretch(movie_world, _OPTIONS, "retina-a", ["texture-movie-01"])
        for _ in range(2)
    )
    for one, other in zip(first.spike_times, second.spike_times, strict=True):
        np.testing.assert_array_equal(one, other)
