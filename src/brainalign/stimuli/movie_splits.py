"""Divide the frames of movies into training, validation and test, once per data set."""

from __future__ import annotations

import numpy as np

from brainalign.errors import InputError
from brainalign.raw.movies import Movie
from brainalign.stimuli.options import MovieSplitOptions


def split_within_movies(movies: list[Movie], options: MovieSplitOptions) -> list[np.ndarray]:
    """Assign the frames of every movie to a split.

    Parameters
    ----------
    movies : list of Movie
        What is known of them, given splits included.
    options : MovieSplitOptions
        Source of splits and shares.

    Returns
    -------
    splits : list of array of shape (n_frames,) of str
        ``train``, ``validation``, ``test`` or ``none``.

    Raises
    ------
    InputError
        If splits are asked for but not given, or a part would be empty.
    """
    given = [movie.split for movie in movies]
    if options.source == "given" or (
        options.source == "auto" and all(split is not None for split in given)
    ):
        missing = [movie.name for movie, split in zip(movies, given, strict=True) if split is None]
        if missing:
            raise InputError(
                f"the data set states no split of movie '{missing[0]}'",
                where="stimuli.split.source",
                remedy="Add movie_frames.tsv beside the table of movies, or set "
                "source: contiguous.",
            )
        splits = [split.astype("<U10") for split in given if split is not None]
        for name in ("train", "validation", "test"):
            if not any(np.any(split == name) for split in splits):
                raise InputError(f"no frame in the {name} split", where="the given split")
        return splits
    return [_split_contiguously(movie, options, options.test_share) for movie in movies]


def split_across_movies(movies: list[Movie], options: MovieSplitOptions) -> np.ndarray | None:
    """Deal movies to folds and give the split of every frame when each fold is tested.

    Parameters
    ----------
    movies : list of Movie
        In the order of their names.
    options : MovieSplitOptions
        Number of folds, validation share and guard.

    Returns
    -------
    split_by_fold : array of shape (n_folds, n_frames of all movies) of str, or None
        None where there are no folds: asked for none, or a single movie.
    """
    n_folds = min(options.n_folds, len(movies))
    if n_folds < 2:
        return None
    rows = []
    for tested in range(n_folds):
        parts = [
            np.full(movie.n_frames, "test", dtype="<U10")
            if place % n_folds == tested
            else _split_contiguously(movie, options, 0.0)
            for place, movie in enumerate(movies)
        ]
        rows.append(np.concatenate(parts))
    return np.stack(rows)


def _split_contiguously(movie: Movie, options: MovieSplitOptions, test_share: float) -> np.ndarray:
    """Cut one movie into its training, validation and test part, with guards before the latter."""
    n_test = round(movie.n_frames * test_share)
    n_validation = round((movie.n_frames - n_test) * options.validation_share)
    n_train = movie.n_frames - n_test - n_validation
    guard = round(options.guard_s * movie.frame_rate_hz)
    if n_train - guard < 1 or n_validation - guard * (n_test > 0) < 1:
        raise InputError(
            f"movie '{movie.name}' is too short to be split",
            expected=f"more than {guard} frames in each part, the guard before the next",
            found=f"{movie.n_frames} frames",
            remedy="Lower stimuli.split.guard_s or change the shares.",
        )
    split = np.full(movie.n_frames, "train", dtype="<U10")
    split[n_train:] = "validation"
    split[n_train - guard : n_train] = "none"
    if n_test:
        split[-n_test:] = "test"
        split[movie.n_frames - n_test - guard : movie.n_frames - n_test] = "none"
    return split
