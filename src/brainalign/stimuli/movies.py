"""Assemble the stimulus store of a data set of movies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.images import resize_image
from brainalign.raw.movies import Movie, MovieCollection
from brainalign.stimuli.movie_splits import split_across_movies, split_within_movies
from brainalign.stimuli.options import MovieStimuliOptions
from brainalign.stores.spill import allocate_array, make_lazy

# More frames than this are gathered in a file, in MB; the rule asks for twice as much.
_IN_MEMORY_MB = 1000

_DESCRIPTIONS = {
    "frame": ("pixels, RGB", "1"),
    "movie": ("id of the movie", "1"),
    "frame_number": ("number of the frame in its movie, from 0", "1"),
    "time": ("time of the frame from the movie's onset", "s"),
    "source_time": ("presentation time of the frame in its video file", "s"),
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
        ``caption`` where all movies have one, ``source_time`` where a movie is a video file, and,
        with folds, ``split_by_fold``; movies in the order of their names.

    Raises
    ------
    InputError
        If there is no movie, frames of movies differ in size, rates of movies differ, or the same
        film stands in two splits.
    """
    movies = choose_movies(collection)
    names, rates = [movie.name for movie in movies], [movie.frame_rate_hz for movie in movies]
    frames: np.ndarray | None = None
    digests: list[str] = []
    total, first = sum(movie.n_frames for movie in movies), 0
    for name in progress(names) if progress else names:
        digest = hashlib.sha256()
        for pixels in collection.stream(name):
            if options.frame_size is not None:
                pixels = resize_image(pixels, options.frame_size)
            if frames is None:
                frames = allocate_array((total, *pixels.shape), np.uint8, _IN_MEMORY_MB)
            if pixels.shape != frames.shape[1:]:
                raise _refuse_sizes(name, names[0], frames.shape[1:], pixels.shape)
            frames[first] = pixels
            digest.update(np.ascontiguousarray(pixels).data)
            first += 1
        digests.append(digest.hexdigest())
    assert frames is not None
    splits = split_within_movies(movies, options.split)
    _check_duplicates(names, digests, splits)
    number = np.concatenate([np.arange(movie.n_frames, dtype=np.int32) for movie in movies])
    variables: dict[str, Any] = {
        "frame": (("frame", "y", "x", "channel"), make_lazy(frames)),
        "split": ("frame", np.concatenate(splits)),
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
    if any(movie.source_time is not None for movie in movies):
        from brainalign.raw.video_files import describe_decoder

        dataset = dataset.assign_coords(source_time=("frame", _list_source_times(movies)))
        dataset.attrs["video_decoder"] = describe_decoder()
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
    if collection.iterate_frames is None or options.frame_size is not None:
        return
    shapes = {movie.name: next(collection.iterate_frames(movie.name)).shape for movie in movies}
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


def _check_duplicates(names: list[str], digests: list[str], splits: list[np.ndarray]) -> None:
    """Refuse the same movie under two names in two splits."""
    first: dict[str, int] = {}
    for place, digest in enumerate(digests):
        twin = first.setdefault(digest, place)
        one, other = splits[twin], splits[place]
        if (one != other).any():
            frame = int(np.flatnonzero(one != other)[0])
            raise InputError(
                f"movies '{names[twin]}' and '{names[place]}' are the same film in two splits",
                expected="a film in one split",
                found=f"frame {frame} in {one[frame]} and in {other[frame]}",
                remedy="Give both the same splits, or leave one out.",
            )


def _list_source_times(movies: list[Movie]) -> np.ndarray:
    """Time of each frame in its file; separate frames have none but that of the movie."""
    return np.concatenate(
        [
            np.arange(movie.n_frames) / movie.frame_rate_hz
            if movie.source_time is None
            else movie.source_time
            for movie in movies
        ]
    )


def describe_videos(collection: MovieCollection) -> list[str]:
    """Say of every video how its frames were taken, a line each.

    Parameters
    ----------
    collection : MovieCollection
        Movies; those of separate frames are passed over.
    """
    lines = []
    for name, movie in sorted(collection.movies.items()):
        if movie.source_time is None:
            continue
        steps = np.diff(movie.source_time)
        age = np.arange(movie.n_frames) / movie.frame_rate_hz - movie.source_time
        lines.append(
            f"{name}: {movie.n_frames} frames at {movie.frame_rate_hz:.6g} Hz of a video, "
            f"{int((steps == 0).sum())} of them the one before again, shown "
            f"{1e3 * max(0.0, float(age.max())):.3g} ms late at most"
        )
    return lines
