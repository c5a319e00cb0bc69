"""Arrays that go into a method and come out of it; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from brainalign.errors import InputError
from brainalign.options import suggest_name

Similarity = Literal["cosine", "pearson", "negative_half_squared_distance"]


@dataclass(frozen=True)
class SubjectResponses:
    """Responses of one subject, one row per presentation.

    Attributes
    ----------
    subject : str
        Id of the subject.
    response : array of shape (n_presentations, n_units), float32
        Responses in the unit of the recording.
    stimulus : array of shape (n_presentations,), str
        Id of the stimulus of each presentation; repeats share an id.

    Raises
    ------
    InputError
        The shapes do not fit together, or there is no presentation or no unit.
    """

    subject: str
    response: np.ndarray
    stimulus: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "response", _as_matrix(self.response, f"{self.subject}: response"))
        object.__setattr__(self, "stimulus", np.asarray(self.stimulus, dtype=str))
        if self.stimulus.shape != self.response.shape[:1]:
            raise InputError(
                "a response row without a stimulus id, or the reverse",
                where=f"responses of {self.subject}",
                expected=f"{self.response.shape[0]} ids",
                found=f"shape {self.stimulus.shape}",
            )

    @property
    def n_units(self) -> int:
        """Number of units, before any selection."""
        return self.response.shape[1]


@dataclass(frozen=True)
class PairedResponses:
    """Stimuli and the responses to them: the content of one split.

    Attributes
    ----------
    stimulus : array of shape (n_stimuli,), str
        Ids, each once.
    feature : array of shape (n_stimuli, n_features), float32
        Features of the stimuli.
    subjects : tuple of SubjectResponses
        Each subject once; a subject need not have seen every stimulus.

    Raises
    ------
    InputError
        An id comes twice, a presentation shows a stimulus that is not there, or shapes differ.
    """

    stimulus: np.ndarray
    feature: np.ndarray
    subjects: tuple[SubjectResponses, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "stimulus", np.asarray(self.stimulus, dtype=str))
        object.__setattr__(self, "feature", _as_matrix(self.feature, "feature"))
        object.__setattr__(self, "subjects", tuple(self.subjects))
        if self.stimulus.shape != self.feature.shape[:1]:
            raise InputError(
                "every stimulus needs one row of features",
                expected=f"{self.stimulus.size} rows",
                found=f"{self.feature.shape[0]} rows",
            )
        if not self.subjects:
            raise InputError("a split needs the responses of one subject or more")
        _check_unique(self.stimulus.tolist(), "stimulus")
        _check_unique([responses.subject for responses in self.subjects], "subject")
        for responses in self.subjects:
            locate_stimuli(responses.stimulus, self.stimulus, where=responses.subject)

    @classmethod
    def from_arrays(
        cls,
        feature: np.ndarray,
        response: np.ndarray | Mapping[str, np.ndarray],
        *,
        stimulus: np.ndarray | None = None,
    ) -> Self:
        """Pair features with responses row by row.

        Parameters
        ----------
        feature : array of shape (n_stimuli, n_features)
            One row per stimulus.
        response : array of shape (n_stimuli, n_units), or mapping of str to such arrays
            One row per stimulus, of the subject named ``subject`` or of several by their names.
        stimulus : array of shape (n_stimuli,) of str, optional
            Ids; numbers where None.
        """
        ids = name_stimuli(len(feature), stimulus)
        return cls(ids, feature, name_subjects(response, ids))

    @property
    def n_features(self) -> int:
        """Number of features, before any selection."""
        return self.feature.shape[1]

    def get_subject(self, subject: str) -> SubjectResponses:
        """Responses of one subject.

        Parameters
        ----------
        subject : str
            Id of the subject.

        Returns
        -------
        responses : SubjectResponses
            All presentations of the subject.

        Raises
        ------
        InputError
            The subject is not there.
        """
        for responses in self.subjects:
            if responses.subject == subject:
                return responses
        raise InputError(
            f"unknown subject '{subject}'", remedy=suggest_name(subject, self.list_subjects())
        )

    def list_subjects(self) -> list[str]:
        """Ids of the subjects, sorted.

        Returns
        -------
        subjects : list of str
            Independent of the order in which the subjects were given.
        """
        return sorted(responses.subject for responses in self.subjects)


@dataclass(frozen=True)
class PairedEmbedding:
    """Stimuli and responses in one space, with the similarity that compares them there.

    The compatibility of stimulus i and response j is ``similarity(stimulus_embedding[i],
    response_embedding[j]) + stimulus_bias[i] + response_bias[j]``; a missing bias counts as 0.

    Attributes
    ----------
    stimulus_embedding : array of shape (n_stimuli, dimension), float32
        One row per stimulus.
    response_embedding : array of shape (n_responses, dimension), float32
        One row per response.
    similarity : {"cosine", "pearson", "negative_half_squared_distance"}
        How two rows are compared; the last is ``-1/2 ||u - v||^2``.
    stimulus_bias : array of shape (n_stimuli,), float32, optional
        Added to all compatibilities of a stimulus.
    response_bias : array of shape (n_responses,), float32, optional
        Added to all compatibilities of a response.

    Raises
    ------
    InputError
        The shapes do not fit together.
    """

    stimulus_embedding: np.ndarray
    response_embedding: np.ndarray
    similarity: Similarity
    stimulus_bias: np.ndarray | None = None
    response_bias: np.ndarray | None = None

    def __post_init__(self) -> None:
        n_stimuli, dimension = self.stimulus_embedding.shape
        n_responses, other_dimension = self.response_embedding.shape
        if dimension != other_dimension:
            raise InputError(
                "stimuli and responses are not in one space",
                expected=f"{dimension} dimensions",
                found=f"{other_dimension} dimensions",
            )
        for bias, length in ((self.stimulus_bias, n_stimuli), (self.response_bias, n_responses)):
            if bias is not None and bias.shape != (length,):
                raise InputError(
                    "a bias does not fit its embedding", expected=(length,), found=bias.shape
                )

    def compute_compatibility(self) -> np.ndarray:
        """Score every stimulus against every response.

        Returns
        -------
        compatibility : array of shape (n_stimuli, n_responses), float64
            See above; larger means a better match. Rows without a direction score 0 before biases.
        """
        first = self.stimulus_embedding.astype(np.float64)
        second = self.response_embedding.astype(np.float64)
        if self.similarity == "negative_half_squared_distance":
            lengths = (first**2).sum(1)[:, np.newaxis] + (second**2).sum(1)
            compatibility = first @ second.T - lengths / 2
        else:
            if self.similarity == "pearson":
                first = first - first.mean(axis=1, keepdims=True)
                second = second - second.mean(axis=1, keepdims=True)
            compatibility = _normalise_rows(first) @ _normalise_rows(second).T
        if self.stimulus_bias is not None:
            compatibility += self.stimulus_bias[:, np.newaxis]
        if self.response_bias is not None:
            compatibility += self.response_bias
        return np.asarray(compatibility)


def name_stimuli(n_stimuli: int, stimulus: np.ndarray | None) -> np.ndarray:
    """Give stimuli the ids that a user chose, or numbers."""
    if stimulus is None:
        return np.array([f"stimulus-{row:05d}" for row in range(n_stimuli)])
    return np.asarray(stimulus, dtype=str)


def name_subjects(
    response: np.ndarray | Mapping[str, np.ndarray], stimulus: np.ndarray
) -> tuple[SubjectResponses, ...]:
    """Make responses with one row per stimulus, of one subject or of several by name."""
    by_subject = response if isinstance(response, Mapping) else {"subject": response}
    return tuple(SubjectResponses(name, rows, stimulus) for name, rows in by_subject.items())


def locate_stimuli(wanted: np.ndarray, known: np.ndarray, *, where: str) -> np.ndarray:
    """Find the row of each stimulus by its id.

    Parameters
    ----------
    wanted : array of shape (n_wanted,), str
        Ids to find; an id may come several times.
    known : array of shape (n_known,), str
        Ids of the rows, each once.
    where : str
        Whose stimuli these are, for the error.

    Returns
    -------
    rows : array of shape (n_wanted,), int64
        ``known[rows] == wanted``.

    Raises
    ------
    InputError
        An id is not known.
    """
    row_of = {stimulus: row for row, stimulus in enumerate(known.tolist())}
    missing = sorted({stimulus for stimulus in wanted.tolist() if stimulus not in row_of})
    if missing:
        raise InputError(
            f"{len(missing)} stimuli of the presentations are not among the stimuli",
            where=f"responses of {where}",
            found=", ".join(missing[:3]),
            remedy="Give each presentation the id of a stimulus of the same split.",
        )
    return np.array([row_of[stimulus] for stimulus in wanted.tolist()], dtype=np.int64)


def _as_matrix(values: np.ndarray, name: str) -> np.ndarray:
    matrix = np.asarray(values, dtype=np.float32)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} is no filled matrix", expected="(rows, columns)", found=matrix.shape
        )
    return matrix


def _normalise_rows(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def _check_unique(ids: list[str], kind: str) -> None:
    if len(set(ids)) < len(ids):
        repeated = sorted({name for name in ids if ids.count(name) > 1})
        raise InputError(f"each {kind} id may come once", found=", ".join(repeated[:3]))
