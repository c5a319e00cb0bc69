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
    """Cut one movie into its training, validation and test part, with guards before the latter.

    Shares are of the frames that were recorded: a part without a response would be of no use.
    """
    recorded = np.ones(movie.n_frames, bool) if movie.recorded is None else movie.recorded
    place = np.flatnonzero(recorded)
    n_test = round(len(place) * test_share)
    n_validation = round((len(place) - n_test) * options.validation_share)
    n_train = len(place) - n_test - n_validation
    test = int(place[len(place) - n_test]) if n_test else movie.n_frames
    validation = int(place[n_train]) if n_validation else test
    guard = round(options.guard_s * movie.frame_rate_hz)
    trained = recorded[: max(0, validation - guard)]
    validated = recorded[validation : max(validation, test - guard * (n_test > 0))]
    if not trained.any() or not validated.any():
        found = f"{len(place)} frames" + ("" if movie.recorded is None else " with a response")
        raise InputError(
            f"movie '{movie.name}' is too short to be split",
            expected=f"more than {guard} frames in each part, the guard before the next",
            found=found,
            remedy="Lower stimuli.split.guard_s or change the shares.",
        )
    split = np.full(movie.n_frames, "train", dtype="<U10")
    split[validation:] = "validation"
    split[validation - guard : validation] = "none"
    if n_test:
        split[test:] = "test"
        split[test - guard : test] = "none"
    return split
