"""Stimulus stores of movies: frames, splits within movies and folds across them."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.raw.movies import Movie, MovieCollection
from brainalign.stimuli.movie_splits import split_within_movies
from brainalign.stimuli.movies import build_movie_stimuli
from brainalign.stimuli.options import MovieSplitOptions, MovieStimuliOptions
from brainalign.stores.contracts import find_contract_violations


def _make_collection(*lengths: int, size: int = 8, rate_hz: float = 10.0) -> MovieCollection:
    names = [f"movie-{number}" for number in range(len(lengths))]
    movies = {
        name: Movie(name, length, rate_hz) for name, length in zip(names, lengths, strict=True)
    }

    def read_frames(name: str) -> np.ndarray:
        value = int(name[-1])
        return np.full((movies[name].n_frames, size, size, 3), value, np.uint8)

    return MovieCollection(movies, read_frames)


def test_store_keeps_its_contract() -> None:
    import xarray as xr

    stimuli = build_movie_stimuli(_make_collection(100, 80), MovieStimuliOptions())
    assert find_contract_violations(xr.DataTree(stimuli), "stimuli") == []
    assert stimuli.variables["frame"].shape == (180, 8, 8, 3)


def test_frames_are_known_by_movie_number_and_time() -> None:
    stimuli = build_movie_stimuli(_make_collection(100, 80), MovieStimuliOptions())
    assert stimuli["movie"].values[100] == "movie-1"
    assert stimuli["frame_number"].values[105] == 5
    assert stimuli["time"].values[105] == pytest.approx(0.5)
    assert stimuli.variables["frame"].values[105, 0, 0, 0] == 1


def test_parts_of_a_movie_are_in_the_order_of_time_with_guards_between() -> None:
    split = build_movie_stimuli(_make_collection(100), MovieStimuliOptions())["split"].values
    order = [split[0], *split[1:][split[1:] != split[:-1]]]
    assert order == ["train", "none", "validation", "none", "test"]
    assert (split == "none").sum() == 6


def test_each_fold_tests_its_movies_and_validates_on_the_others() -> None:
    stimuli = build_movie_stimuli(_make_collection(100, 80, 60), MovieStimuliOptions())
    movie, folds = stimuli["movie"].values, stimuli["split_by_fold"].values
    for fold, tested in enumerate([["movie-0", "movie-2"], ["movie-1"]]):
        assert set(np.unique(movie[folds[fold] == "test"])) == set(tested)
        for name in set(movie) - set(tested):
            own = folds[fold][movie == name]
            assert set(own) == {"train", "none", "validation"}
            assert own[-1] == "validation"


def test_parts_are_shares_of_the_frames_that_were_recorded() -> None:
    recorded = np.zeros(200, dtype=bool)
    recorded[20:120] = np.arange(100) % 4 < 2
    movie = Movie("a", 200, 10.0, recorded=recorded)
    options = MovieSplitOptions(test_share=0.2, validation_share=0.25, guard_s=0.4)
    [split] = split_within_movies([movie], options)
    counts = {name: int((recorded & (split == name)).sum()) for name in np.unique(split)}
    # Of 50 frames 10 are tested and 10 of the others validated, less those in the guards.
    assert counts == {"train": 28, "validation": 8, "test": 10, "none": 4}
    names = [
        str(name) for place, name in enumerate(split) if place == 0 or name != split[place - 1]
    ]
    assert names == ["train", "none", "validation", "none", "test"]


def test_single_movie_has_no_folds() -> None:
    assert "split_by_fold" not in build_movie_stimuli(_make_collection(100), MovieStimuliOptions())


def test_given_splits_win() -> None:
    given = np.array(["train"] * 5 + ["validation"] * 2 + ["test"] * 3)
    collection = MovieCollection(
        {"a": Movie("a", 10, 10.0, split=given)}, lambda name: np.zeros((10, 8, 8, 3), np.uint8)
    )
    stimuli = build_movie_stimuli(collection, MovieStimuliOptions())
    np.testing.assert_array_equal(stimuli["split"].values, given)


def test_movie_shorter_than_its_guards_is_refused() -> None:
    with pytest.raises(InputError, match=r"too short to be split.*found 6 frames"):
        build_movie_stimuli(_make_collection(6), MovieStimuliOptions())


def test_splits_that_are_not_given_cannot_be_asked_for() -> None:
    options = MovieStimuliOptions(split=MovieSplitOptions(source="given"))
    with pytest.raises(InputError, match="states no split of movie 'movie-0'"):
        build_movie_stimuli(_make_collection(100), options)


def test_a_film_in_two_splits_is_refused() -> None:
    movies = {
        name: Movie(name, 10, 10.0, split=np.full(10, split))
        for name, split in (("a", "train"), ("b", "validation"), ("c", "test"))
    }
    collection = MovieCollection(
        movies, lambda name: np.full((10, 8, 8, 3), 1 if name == "b" else 2, np.uint8)
    )
    with pytest.raises(InputError, match=r"'a' and 'c' are the same film.*in train and in test"):
        build_movie_stimuli(collection, MovieStimuliOptions())


def test_movies_for_receptive_fields_are_left_out() -> None:
    movies = {
        "noise": Movie("noise", 50, 10.0, use="receptive_field"),
        "real": Movie("real", 100, 10.0),
    }
    collection = MovieCollection(movies, lambda name: np.zeros((100, 8, 8, 3), np.uint8))
    stimuli = build_movie_stimuli(collection, MovieStimuliOptions())
    assert set(stimuli["movie"].values) == {"real"}
