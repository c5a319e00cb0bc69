"""Read what later stages need of a stimulus store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainalign.errors import InputError
from brainalign.stores.read import open_store, read_labels


@dataclass(frozen=True)
class StimulusSplits:
    """Which stimuli train, validate and test, by fold.

    Parameters
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids.
    split : array of shape (n_folds, n_stimuli) of str
        ``train``, ``validation`` or ``test``; one row where there is one split.
    """

    stimulus: np.ndarray
    split: np.ndarray

    @property
    def n_folds(self) -> int:
        """Number of folds, 1 where there is one split."""
        return len(self.split)

    def list_stimuli(self, fold: int, split: str) -> np.ndarray:
        """List the ids of one split of one fold, in the order of the store."""
        return self.stimulus[self.split[fold] == split]


def read_splits(path: Path) -> StimulusSplits:
    """Read the splits of a stimulus store.

    Parameters
    ----------
    path : Path
        A store of kind ``stimuli``.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`brainalign.stores.read.open_store`.
    """
    store = open_store(path, "stimuli")
    stimulus = read_labels(store, "stimulus")
    if "split_by_fold" in store.variables:
        rows = store.variables["split_by_fold"].values
        split = np.array([[str(name) for name in row] for row in rows], dtype=np.str_)
    else:
        split = read_labels(store, "split")[np.newaxis]
    return StimulusSplits(stimulus=stimulus, split=split)


@dataclass(frozen=True)
class FrameSplits:
    """Which frames of movies train, validate and test.

    Parameters
    ----------
    movie : array of shape (n_frames,) of str
        Movie of each frame.
    frame_number : array of shape (n_frames,), int
        Number of the frame in its movie.
    split : array of shape (n_frames,) of str
        Within movies: ``train``, ``validation``, ``test`` or ``none``.
    split_by_fold : array of shape (n_folds, n_frames) of str, or None
        Across movies, when each fold is tested; None where there are no folds.
    """

    movie: np.ndarray
    frame_number: np.ndarray
    split: np.ndarray
    split_by_fold: np.ndarray | None

    def list_splits(self) -> np.ndarray:
        """Stack the split within movies and those of all folds, (1 + n_folds, n_frames)."""
        within = self.split[np.newaxis]
        if self.split_by_fold is None:
            return within
        return np.concatenate([within, self.split_by_fold])


def read_frame_splits(path: Path) -> FrameSplits:
    """Read the splits of a stimulus store of movies.

    Parameters
    ----------
    path : Path
        A store of kind ``stimuli``, design movies.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`brainalign.stores.read.open_store`; also for a store of images.
    """
    store = open_store(path, "stimuli")
    for name in ("movie", "frame_number"):
        if name not in store.variables:
            raise InputError(
                f"the stimulus store has no '{name}'", where=path, expected="a store of movies"
            )
    folds = None
    if "split_by_fold" in store.variables:
        rows = store.variables["split_by_fold"].values
        folds = np.array([[str(name) for name in row] for row in rows], dtype=np.str_)
    return FrameSplits(
        movie=read_labels(store, "movie"),
        frame_number=np.asarray(store.variables["frame_number"].values),
        split=read_labels(store, "split"),
        split_by_fold=folds,
    )
