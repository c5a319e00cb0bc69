"""Read stimuli, features and responses from stores and pair them by id, fold by fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedResponses, SubjectResponses, locate_stimuli
from brainalign.options import suggest_name
from brainalign.responses.build import normalise_responses
from brainalign.stimuli.read import StimulusSplits, read_splits
from brainalign.stores.read import open_store, read_labels, read_store

ALL_AREAS = "all"
"""Name of the part of an experiment that holds the units of all areas."""


@dataclass(frozen=True)
class RecordedSubject:
    """The responses of one subject to all stimuli, normalised per fold.

    Parameters
    ----------
    subject : str
        Id of the subject.
    unit, area : array of shape (n_units,) of str
        Unit ids and their areas.
    stimulus, repeat : array of shape (n_presentations,)
        What was shown, and the how many-th time.
    response : array of shape (n_folds, n_presentations, n_units), float32
        Responses as methods see them when a fold is tested.
    """

    subject: str
    unit: np.ndarray
    area: np.ndarray
    stimulus: np.ndarray
    repeat: np.ndarray
    response: np.ndarray


@dataclass(frozen=True)
class ImageExperiment:
    """All that a method with image design is fitted on and tested with.

    Parameters
    ----------
    splits : StimulusSplits
        Stimuli by fold and split.
    stimulus : array of shape (n_stimuli,) of str
        Ids of the rows of `feature`.
    feature : array of shape (n_stimuli, n_features), float32
        One layer of one backbone.
    subjects : tuple of RecordedSubject
        Sorted by id.
    """

    splits: StimulusSplits
    stimulus: np.ndarray
    feature: np.ndarray
    subjects: tuple[RecordedSubject, ...]

    def take_features(self, stimuli: np.ndarray) -> np.ndarray:
        """Take the features of some stimuli, found by id."""
        return self.feature[locate_stimuli(stimuli, self.stimulus, where="the feature store")]

    def divide_by_area(self) -> dict[str, ImageExperiment]:
        """Divide the units, so that each area can be fitted and scored by itself.

        Returns
        -------
        experiments : dict of str to ImageExperiment
            All units under ``all``; where there are several areas, also the units of each, without
            subjects that have none there.
        """
        areas = sorted({str(area) for recorded in self.subjects for area in recorded.area})
        if len(areas) == 1:
            return {ALL_AREAS: self}
        return {ALL_AREAS: self, **{area: self._restrict_to(area) for area in areas}}

    def _restrict_to(self, area: str) -> ImageExperiment:
        subjects = tuple(
            dataclasses.replace(
                recorded,
                unit=recorded.unit[recorded.area == area],
                area=recorded.area[recorded.area == area],
                response=recorded.response[:, :, recorded.area == area],
            )
            for recorded in self.subjects
            if np.any(recorded.area == area)
        )
        return dataclasses.replace(self, subjects=subjects)

    def take_split(self, fold: int, split: str) -> PairedResponses:
        """Pair the stimuli of one split with the responses that subjects gave to them.

        Parameters
        ----------
        fold : int
            The tested fold; 0 where there is one split.
        split : {"train", "validation", "test"}
            Which part.
        """
        stimuli = self.splits.list_stimuli(fold, split)
        subjects = []
        for recorded in self.subjects:
            chosen = np.isin(recorded.stimulus, stimuli)
            if not chosen.any():
                raise InputError(
                    f"subject '{recorded.subject}' saw no stimulus of the {split} split",
                    remedy="Change the split, or leave the subject out.",
                )
            subjects.append(
                SubjectResponses(
                    subject=recorded.subject,
                    response=recorded.response[fold][chosen],
                    stimulus=recorded.stimulus[chosen],
                )
            )
        return PairedResponses(stimuli, self.take_features(stimuli), tuple(subjects))


def read_image_experiment(
    stimuli: Path,
    responses: Sequence[Path],
    features: Path,
    feature: str,
    normalisation: str,
) -> ImageExperiment:
    """Read one experiment with image design.

    Parameters
    ----------
    stimuli, features : Path
        Stores of those kinds.
    responses : sequence of Path
        One response store per subject.
    feature : str
        Path of the layer and output inside the feature store, such as ``layer_4/mean``.
    normalisation : {"session_zscore", "none"}
        See :class:`brainalign.responses.options.SpikeResponseOptions`.

    Raises
    ------
    InputError
        If the feature store lacks the layer; the message names the nearest.
    """
    splits = read_splits(stimuli)
    stimulus, values = read_feature(features, feature)
    recorded = [_read_subject(path, splits.n_folds, normalisation) for path in sorted(responses)]
    return ImageExperiment(splits, stimulus, values, tuple(recorded))


def read_feature(features: Path, feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Read one layer and output of a feature store.

    Returns
    -------
    stimulus : array of shape (n_stimuli,) of str
        Ids.
    values : array of shape (n_stimuli, n_features), float32
        Features in the same order.

    Raises
    ------
    InputError
        If the store has no such layer and output.
    """
    store = open_store(features, "features")
    known = [node.path.strip("/") for node in store.subtree if "feature" in node.data_vars]
    if feature not in known:
        raise InputError(
            f"no feature '{feature}' in the store",
            where=features,
            remedy=suggest_name(feature, known),
        )
    return read_labels(store, "stimulus"), np.asarray(
        store[feature].variables["feature"].values, dtype=np.float32
    )


def _read_subject(path: Path, n_folds: int, normalisation: str) -> RecordedSubject:
    store = read_store(path, "responses").to_dataset()
    return RecordedSubject(
        subject=str(store.attrs["subject"]),
        unit=read_labels(store, "unit"),
        area=read_labels(store, "area"),
        stimulus=read_labels(store, "stimulus"),
        repeat=store["repeat"].values,
        response=np.stack(
            [normalise_responses(store, fold, normalisation) for fold in range(n_folds)]
        ),
    )
