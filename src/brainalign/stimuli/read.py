"""Read what later stages need of a stimulus store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
