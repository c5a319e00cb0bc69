"""LN cells on the public retina recordings, against the figures of the data note."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainalign.methods.movies.base import correlate_columns
from brainalign.methods.rate_baselines.linear import LinearNonlinear
from real_movies import read_real_movies, take_rates


def test_ln_cells_predict_the_other_movie_as_well_as_the_data_note_says(data_folder: Path):
    movies, cells, count, window = read_real_movies(data_folder)
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
