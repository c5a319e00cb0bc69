"""Assemble the stimulus store of a data set of movies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.images import resize_image
from brainalign.raw.movies import Movie, MovieCollection
from brainalign.stimuli.movie_splits import split_across_movies, split_within_movies
from brainalign.stimuli.options import MovieStimuliOptions

_DESCRIPTIONS = {
    "frame": ("pixels, RGB", "1"),
    "movie": ("id of the movie", "1"),
    "frame_number": ("number of the frame in its movie, from 0", "1"),
    "time": ("time of the frame from the movie's onset", "s"),
    "split": ("within-movie split: train, validation, test or none", "1"),
    "split_by_fold": ("split of each frame when the movies of a fold are tested", "1"),
    "caption": ("what the frame shows, in words", "1"),
    "channel": ("colour channel, sRGB", "1"),
}


def build_movie_stimuli(
    collection: MovieCollection,
    options: MovieStimuliOptions,
    progress: Callable[[Iterable[str]], Iterable[str]] | None = None,
) -> xr.Dataset:
    """Decode, resize and split the movies that models see.

    Parameters
    ----------
    collection : MovieCollection
        Movies; those for receptive fields only are left out.
    options : MovieStimuliOptions
        Size and splits.
    progress : callable, optional
        Wraps the iteration over movies to show progress.

    Returns
    -------
    stimuli : xarray.Dataset
        Contract ``stimuli``: ``frame``, ``movie``, ``frame_number``, ``time``, ``split``,
        ``caption`` where all movies have one, and, with folds, ``split_by_fold``; movies in the
        order of their names.

    Raises
    ------
    InputError
        If there is no movie, frames of movies differ in size, or rates of movies differ.
    """
    movies = choose_movies(collection)
    names, rates = [movie.name for movie in movies], [movie.frame_rate_hz for movie in movies]
    frames: np.ndarray | None = None
    total, first = sum(movie.n_frames for movie in movies), 0
    for name in progress(names) if progress else names:
        pixels = _read_resized(collection, name, options.frame_size)
        if frames is None:
            frames = np.empty((total, *pixels.shape[1:]), dtype=np.uint8)
        if pixels.shape[1:] != frames.shape[1:]:
            raise _refuse_sizes(name, names[0], frames.shape[1:], pixels.shape[1:])
        frames[first : first + len(pixels)] = pixels
        first += len(pixels)
    number = np.concatenate([np.arange(movie.n_frames, dtype=np.int32) for movie in movies])
    variables: dict[str, Any] = {
        "frame": (("frame", "y", "x", "channel"), frames),
        "split": ("frame", np.concatenate(split_within_movies(movies, options.split))),
    }
    captions = [movie.caption for movie in movies if movie.caption is not None]
    if len(captions) == len(movies):
        variables["caption"] = ("frame", np.concatenate(captions))
    folds = split_across_movies(movies, options.split)
    if folds is not None:
        variables["split_by_fold"] = (("tested_fold", "frame"), folds)
    dataset = xr.Dataset(
        variables,
        coords={
            "movie": ("frame", np.repeat(names, [movie.n_frames for movie in movies])),
            "frame_number": ("frame", number),
            "time": ("frame", number / rates[0]),
            "channel": ["red", "green", "blue"],
        },
        attrs={"design": "movies", "frame_rate_hz": rates[0]},
    )
    for key, variable in dataset.variables.items():
        variable.attrs["long_name"], variable.attrs["units"] = _DESCRIPTIONS[str(key)]
    return dataset


def choose_movies(collection: MovieCollection) -> list[Movie]:
    """Choose the movies that models see, in the order of their names.

    Raises
    ------
    InputError
        If there is none, or their rates differ.
    """
    names = collection.list_names("model")
    if not names:
        raise InputError("the data set has no movie for models", found=sorted(collection.movies))
    movies = [collection.movies[name] for name in names]
    rates = sorted({movie.frame_rate_hz for movie in movies})
    if len(rates) > 1:
        raise InputError(
            "movies have different frame rates",
            expected="one rate",
            found=f"{rates} Hz",
            remedy="Resample them, or plan them as data sets of their own.",
        )
    return movies


def check_first_frames(collection: MovieCollection, options: MovieStimuliOptions) -> None:
    """Check splits and sizes of movies by their first frames alone.

    Raises
    ------
    InputError
        As :func:`build_movie_stimuli`.
    """
    movies = choose_movies(collection)
    split_within_movies(movies, options.split)
    split_across_movies(movies, options.split)
    if collection.read_first_frame is None or options.frame_size is not None:
        return
    shapes = {movie.name: collection.read_first_frame(movie.name).shape for movie in movies}
    first = shapes[movies[0].name]
    for name, shape in shapes.items():
        if shape != first:
            raise _refuse_sizes(name, movies[0].name, first, shape)


def _refuse_sizes(
    name: str, first: str, expected: tuple[int, ...], found: tuple[int, ...]
) -> InputError:
    return InputError(
        "movies have frames of different sizes",
        where=f"movie '{name}'",
        expected=f"{expected[1]} x {expected[0]} pixels as '{first}'",
        found=f"{found[1]} x {found[0]}",
        remedy="Set stimuli.frame_size to resize all of them.",
    )


def _read_resized(collection: MovieCollection, name: str, size: int | None) -> np.ndarray:
    pixels = collection.read_frames(name)
    if size is None or pixels.shape[1:3] == (size, size):
        return pixels
    return np.stack([resize_image(frame, size) for frame in pixels])
