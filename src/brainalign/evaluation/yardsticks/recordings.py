"""Mean responses of one subject, split by split, as the yardsticks need them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import InputError
from brainalign.responses.build import normalise_responses
from brainalign.responses.repeats import mean_over_repeats
from brainalign.stimuli.read import StimulusSplits
from brainalign.stores.read import read_labels, read_store

ALL_AREAS = "all"


@dataclass(frozen=True)
class FoldResponses:
    """Mean responses over repeats, normalised by the training stimuli of one fold.

    Attributes
    ----------
    stimulus : dict of str to array of shape (n_stimuli,) of str
        Ids that the subject saw, by split (``train``, ``validation``, ``test``).
    response : dict of str to array of shape (n_stimuli, n_units)
        In the same order.
    """

    stimulus: dict[str, NDArray[np.str_]]
    response: dict[str, NDArray[np.floating]]


@dataclass(frozen=True)
class YardstickSubject:
    """The responses of one subject.

    Attributes
    ----------
    subject : str
        Id of the subject.
    unit, area : array of shape (n_units,) of str
        Units that were recorded with every stimulus of every split.
    noise_ceiling : array of shape (n_units,)
        Explainable share of the variance of mean responses; NaN where repeats are too few.
    folds : list of FoldResponses
        One per fold.
    n_left_out : int
        Units with missing responses.
    """

    subject: str
    unit: NDArray[np.str_]
    area: NDArray[np.str_]
    noise_ceiling: NDArray[np.float64]
    folds: list[FoldResponses]
    n_left_out: int

    def list_areas(self) -> list[str]:
        """List ``all`` and, where there are several, each area."""
        areas = sorted(set(self.area.tolist()))
        return [ALL_AREAS, *(areas if len(areas) > 1 else [])]

    def choose_units(self, area: str) -> NDArray[np.bool_]:
        """Mark the units of an area."""
        return np.ones(len(self.unit), dtype=bool) if area == ALL_AREAS else self.area == area

    def join_test_stimuli(self) -> tuple[NDArray[np.str_], NDArray[np.floating]]:
        """Join the test stimuli of all folds; each is tested once.

        Returns
        -------
        stimulus : array of shape (n_stimuli,) of str
            Sorted ids.
        response : array of shape (n_stimuli, n_units)
            Mean responses.
        """
        stimulus = np.concatenate([fold.stimulus["test"] for fold in self.folds])
        response = np.concatenate([fold.response["test"] for fold in self.folds])
        order = np.argsort(stimulus)
        return stimulus[order], response[order]


def read_subject(path: Path, splits: StimulusSplits, normalisation: str) -> YardstickSubject:
    """Read the mean responses of one subject.

    Parameters
    ----------
    path : Path
        Response store with image design.
    splits : StimulusSplits
        Stimuli by fold and split.
    normalisation : {"session_zscore", "none"}
        What methods see.

    Raises
    ------
    InputError
        If no unit has a response to every stimulus.
    """
    store = read_store(path, "responses").to_dataset()
    shown = read_labels(store, "stimulus")
    folds = []
    for fold in range(splits.n_folds):
        response = normalise_responses(store, fold, normalisation)
        stimulus = {
            split: np.intersect1d(splits.list_stimuli(fold, split), shown)
            for split in ("train", "validation", "test")
        }
        means = {
            split: mean_over_repeats(response, shown, ids)[0] for split, ids in stimulus.items()
        }
        folds.append(FoldResponses(stimulus, means))
    everything = [mean for fold in folds for mean in fold.response.values()]
    kept = np.all([np.isfinite(mean).all(axis=0) for mean in everything], axis=0)
    subject = str(store.attrs["subject"])
    if not kept.any():
        raise InputError(
            f"no unit of subject '{subject}' was recorded with all stimuli",
            where=path,
            remedy="Leave the subject out, or set yardsticks.enabled: false.",
        )
    return YardstickSubject(
        subject=subject,
        unit=read_labels(store, "unit")[kept],
        area=read_labels(store, "area")[kept],
        noise_ceiling=store["noise_ceiling"].values[kept].astype(np.float64),
        folds=[
            FoldResponses(
                fold.stimulus, {split: mean[:, kept] for split, mean in fold.response.items()}
            )
            for fold in folds
        ],
        n_left_out=int((~kept).sum()),
    )
