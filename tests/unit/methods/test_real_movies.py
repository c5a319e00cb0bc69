"""Rate methods on the public retina recordings, against the figures of the data note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainalign.methods.movies.arrays import Cells, Movies
from brainalign.methods.movies.base import correlate_columns
from brainalign.methods.movies.experiment import reverse_movies, shuffle_movies
from brainalign.methods.rate_baselines.linear import LinearNonlinear
from brainalign.methods.vi_st.model import ViST
from brainalign.methods.vi_st.options import ViSTOptions
from brainalign.raw.onken2016_movies import Onken2016Movies
from brainalign.raw.options import Onken2016MoviesOptions
from brainalign.stimuli.movie_splits import split_across_movies, split_within_movies
from brainalign.stimuli.options import MovieSplitOptions
from real_movies import read_real_movies, take_rates

RealMovies = tuple[Movies, Cells, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def real_movies(data_folder: Path) -> RealMovies:
    return read_real_movies(data_folder)


@pytest.fixture(scope="module")
def linear_cells(real_movies: RealMovies) -> dict[str, LinearNonlinear]:
    """Fits by the movie that they are tested with, which they have not seen."""
    movies, cells, count, window = real_movies
    fits = {}
    for trained, tested in (("Movie1", "Movie2"), ("Movie2", "Movie1")):
        training = take_rates(movies, count, window, movies.movie == trained)
        fits[tested] = LinearNonlinear()
        fits[tested].fit(movies, cells, training, training, seed=0)
    return fits


def score_mean(
    real_movies: RealMovies, method: LinearNonlinear, tested: str, shown: Movies
) -> float:
    movies, cells, count, window = real_movies
    rate = np.nan_to_num(count).mean(0) * movies.frame_rate
    frames = (movies.movie == tested) & (window >= 0)
    predicted = method.predict(shown, cells)[frames]
    return float(np.nanmean(correlate_columns(predicted, rate[frames])))


def test_ln_cells_predict_the_other_movie_as_well_as_the_data_note_says(real_movies, linear_cells):
    scores = [
        score_mean(real_movies, linear_cells[tested], tested, real_movies[0])
        for tested in ("Movie2", "Movie1")
    ]
    assert scores == pytest.approx([0.218, 0.215], abs=0.02)


@pytest.mark.parametrize("rearrange", [reverse_movies, shuffle_movies])
def test_reversed_and_shuffled_movies_predict_nothing(real_movies, linear_cells, rearrange):
    shown = rearrange(real_movies[0])
    assert abs(score_mean(real_movies, linear_cells["Movie2"], "Movie2", shown)) < 0.06


def test_vi_st_learns_from_windows_of_nine_frames(real_movies: RealMovies):
    movies, cells, count, window = real_movies
    training = take_rates(movies, count, window, movies.movie == "Movie1")
    validation = take_rates(movies, count, window, movies.movie == "Movie2")
    options = {"prior": "none", "dtw_windows": [6], "epochs": 2, "steps_per_epoch": 2}
    method = ViST(ViSTOptions.model_validate(options))
    history = method.fit(movies, cells, training, validation, seed=0)
    assert np.isfinite(history["loss"]).all()
    assert np.isfinite(method.predict(movies, cells)).all()


def test_every_part_of_every_split_holds_responses(data_folder: Path):
    """The last third of both movies was never recorded."""
    folder = str(data_folder / "retina_onken2016")
    options = Onken2016MoviesOptions(kind="onken2016_movies", folder=folder, experiments=["1"])
    movies = list(Onken2016Movies(options).read_movies().movies.values())
    recorded = np.concatenate([movie.recorded for movie in movies])
    assert recorded.sum() == 405 + 423
    across = split_across_movies(movies, MovieSplitOptions())
    within = np.concatenate(split_within_movies(movies, MovieSplitOptions()))
    for split in (within, *across):
        counts = {name: int((recorded & (split == name)).sum()) for name in ("validation", "test")}
        assert min(counts.values()) >= 30
