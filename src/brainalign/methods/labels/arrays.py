"""Arrays that go into a method that predicts labels, and come out of it; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.arrays import SubjectResponses, name_stimuli, name_subjects
from brainalign.options import suggest_name


@dataclass(frozen=True)
class LabelledResponses:
    """Stimuli with labels, and the responses of several subjects: the content of one split.

    Attributes
    ----------
    stimulus : array of shape (n_stimuli,), str
        Ids, each once.
    label : array of shape (n_stimuli, n_classes), bool
        What each stimulus shows.
    subjects : tuple of SubjectResponses
        One row per stimulus that the subject saw (repeats averaged) or per presentation.
    area : mapping of str to array of shape (n_units,), str
        Per subject the region of each unit.
    target : mapping of str to array of shape (n_stimuli, n_features), float32
        Features that guide a level, ``low`` and ``high``; empty for methods without guidance.
    voxel_index : mapping of str to array of shape (n_units, 3), int
        Per subject the place of each unit in a common grid; empty where there is none.

    Raises
    ------
    InputError
        Labels are missing, or shapes or ids do not fit together.
    """

    stimulus: np.ndarray
    label: np.ndarray
    subjects: tuple[SubjectResponses, ...]
    area: Mapping[str, np.ndarray]
    target: Mapping[str, np.ndarray] = field(default_factory=dict)
    voxel_index: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def from_arrays(
        cls,
        label: np.ndarray,
        response: np.ndarray | Mapping[str, np.ndarray],
        *,
        area: np.ndarray | Mapping[str, np.ndarray] | None = None,
        target: Mapping[str, np.ndarray] | None = None,
        voxel_index: Mapping[str, np.ndarray] | None = None,
        stimulus: np.ndarray | None = None,
    ) -> Self:
        """Pair labels with responses row by row.

        Parameters
        ----------
        label : array of shape (n_stimuli, n_classes), bool
            What each stimulus shows.
        response : array of shape (n_stimuli, n_units), or mapping of str to such arrays
            One row per stimulus, of the subject named ``subject`` or of several by their names.
        area : array of shape (n_units,) of str, or mapping of str to such arrays, optional
            Regions, the same for all subjects or by subject; None: one region ``all``.
        target, voxel_index
            As the attributes.
        stimulus : array of shape (n_stimuli,) of str, optional
            Ids; numbers where None.
        """
        subjects = name_subjects(response, name_stimuli(len(label), stimulus))
        areas = {}
        for one in subjects:
            own = area.get(one.subject) if isinstance(area, Mapping) else area
            areas[one.subject] = np.full(one.n_units, "all") if area is None else np.asarray(own)
        return cls(
            name_stimuli(len(label), stimulus),
            label,
            subjects,
            areas,
            {level: np.asarray(rows, np.float32) for level, rows in (target or {}).items()},
            voxel_index or {},
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "stimulus", np.asarray(self.stimulus, dtype=str))
        object.__setattr__(self, "label", np.asarray(self.label, dtype=bool))
        if self.label.ndim != 2 or self.label.shape[1] == 0:
            raise InputError(
                "there are no labels to predict",
                expected="shape (n_stimuli, n_classes), at least one class",
                found=f"shape {self.label.shape}",
            )
        rows = {"label": self.label, **{f"target {k}": v for k, v in self.target.items()}}
        for name, values in rows.items():
            if len(values) != len(self.stimulus):
                raise InputError(
                    f"every stimulus needs one row of {name}",
                    expected=f"{len(self.stimulus)} rows",
                    found=f"{len(values)} rows",
                )
        for responses in self.subjects:
            self._check_subject(responses)

    def _check_subject(self, responses: SubjectResponses) -> None:
        areas = self.area.get(responses.subject)
        if areas is None or np.shape(areas) != (responses.n_units,):
            raise InputError(
                "every unit needs its region",
                where=f"subject '{responses.subject}'",
                expected=f"{responses.n_units} regions",
                found="none" if areas is None else f"shape {np.shape(areas)}",
            )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.label.shape[1]

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""
        return sorted(responses.subject for responses in self.subjects)

    def get_subject(self, subject: str) -> SubjectResponses:
        """Take the responses of one subject.

        Raises
        ------
        InputError
            The subject is not in the split.
        """
        for responses in self.subjects:
            if responses.subject == subject:
                return responses
        raise InputError(
            f"no subject '{subject}' in this split", remedy=suggest_name(subject, self.area)
        )

    def select_subjects(self, subjects: list[str]) -> LabelledResponses:
        """Keep some subjects and leave the others out."""
        kept = tuple(one for one in self.subjects if one.subject in subjects)
        return LabelledResponses(
            self.stimulus, self.label, kept, self.area, self.target, self.voxel_index
        )


@dataclass(frozen=True)
class LabelPrediction:
    """What a method says about responses of one subject.

    Attributes
    ----------
    score : array of shape (n_responses, n_classes), float32
        Probability of each class, in [0, 1].
    token_low, token_high : array of shape (n_responses, width), float32, optional
        Output tokens of the two levels.
    attention : array of shape (n_responses, 2, n_areas), float32, optional
        Share of the attention of the low and of the high token that goes to each region, mean
        over layers and heads; sums to 1 over the regions, NaN for regions that are missing.
    occlusion : array of shape (n_responses, 2, n_areas), float32, optional
        How far each token moves when a region is silenced, relative to its length.
    """

    score: np.ndarray
    token_low: np.ndarray | None = None
    token_high: np.ndarray | None = None
    attention: np.ndarray | None = None
    occlusion: np.ndarray | None = None


def check_classes(training: LabelledResponses) -> np.ndarray:
    """Find the classes that can be learned.

    Parameters
    ----------
    training : LabelledResponses
        Training split.

    Returns
    -------
    learnable : array of shape (n_classes,), bool
        Classes with a positive and a negative stimulus that a subject of the split saw.

    Raises
    ------
    InputError
        No class has both.
    """
    shown = np.isin(training.stimulus, np.concatenate([s.stimulus for s in training.subjects]))
    seen = training.label[shown]
    learnable = seen.any(axis=0) & ~seen.all(axis=0)
    if not learnable.any():
        raise InputError(
            "no class has stimuli with and without it in the training split",
            found=f"{training.n_classes} classes, {len(seen)} stimuli",
            remedy="Change the split or the labels.",
        )
    return np.asarray(learnable)


def fill_unlearnable(score: np.ndarray, learnable: np.ndarray, always: np.ndarray) -> np.ndarray:
    """Give classes that were always or never there in training their constant score.

    Parameters
    ----------
    score : array of shape (n_responses, n_classes)
        Probabilities.
    learnable, always : array of shape (n_classes,), bool
        Classes that were learned, and those that every training stimulus shows.

    Returns
    -------
    filled : array of shape (n_responses, n_classes), float32
        0 for a class that was never there, 1 for one that always was: nothing is known of it.
    """
    return np.where(learnable, score, always.astype(np.float64)).astype(np.float32)
