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


def test_ln_cells_predict_the_other_movie_as_well_as_the_data_note_says(real_movies: RealMovies):
    movies, cells, count, window = real_movies
    rate = np.nan_to_num(count).mean(0) * movies.frame_rate
    scores = []
    for trained, tested in (("Movie1", "Movie2"), ("Movie2", "Movie1")):
        training = take_rates(movies, count, window, movies.movie == trained)
        method = LinearNonlinear()
        method.fit(movies, cells, training, training, seed=0)
        frames = (movies.movie == tested) & (window >= 0)
        predicted = method.predict(movies, cells)[frames]
        scores.append(correlate_columns(predicted, rate[frames]).mean())
    assert scores == pytest.approx([0.218, 0.215], abs=0.02)


def test_reversed_and_shuffled_movies_predict_nothing(real_movies: RealMovies):
    movies, cells, count, window = real_movies
    rate = np.nan_to_num(count).mean(0) * movies.frame_rate
    training = take_rates(movies, count, window, movies.movie == "Movie1")
    method = LinearNonlinear()
    method.fit(movies, cells, training, training, seed=0)
    frames = (movies.movie == "Movie2") & (window >= 0)
    for shown in (reverse_movies(movies), shuffle_movies(movies)):
        predicted = method.predict(shown, cells)[frames]
        assert abs(np.nanmean(correlate_columns(predicted, rate[frames]))) < 0.06


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
