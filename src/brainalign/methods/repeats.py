"""Find and average the repeats of a stimulus; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainalign.methods.arrays import PairedResponses, locate_stimuli


@dataclass(frozen=True)
class RepeatTable:
    """Presentations of one subject, grouped by stimulus.

    Attributes
    ----------
    stimulus_row : array of shape (n_shown,), int64
        Rows of the stimuli that the subject has seen, ascending.
    presentation : array of shape (n_presentations,), int64
        Presentations, those of one stimulus beside each other.
    start, count : arrays of shape (n_shown,), int64
        Where in `presentation` the repeats of a stimulus begin, and how many there are.
    """

    stimulus_row: np.ndarray
    presentation: np.ndarray
    start: np.ndarray
    count: np.ndarray

    def draw_presentations(self, generator: np.random.Generator) -> np.ndarray:
        """Draw one repeat of each stimulus, each with equal chance.

        Parameters
        ----------
        generator : numpy.random.Generator
            Source of the draw.

        Returns
        -------
        presentation : array of shape (n_shown,), int64
            One presentation per stimulus, in the order of `stimulus_row`.
        """
        return self.presentation[self.start + generator.integers(0, self.count)]

    def average(self, response: np.ndarray) -> np.ndarray:
        """Average the repeats of each stimulus.

        Parameters
        ----------
        response : array of shape (n_presentations, n_columns)
            One row per presentation.

        Returns
        -------
        mean : array of shape (n_shown, n_columns), float32
            In the order of `stimulus_row`; a NaN in one repeat makes the mean NaN.
        """
        total = np.add.reduceat(response[self.presentation].astype(np.float64), self.start, axis=0)
        return (total / self.count[:, None]).astype(np.float32)


def group_repeats(paired: PairedResponses, subject: str) -> RepeatTable:
    """Group the presentations of one subject by stimulus.

    Parameters
    ----------
    paired : PairedResponses
        One split.
    subject : str
        Id of a subject of the split.

    Returns
    -------
    repeats : RepeatTable
        Rows count in ``paired.stimulus``, presentations in the responses of the subject.

    Raises
    ------
    InputError
        The subject is not in the split.
    """
    responses = paired.get_subject(subject)
    rows = locate_stimuli(responses.stimulus, paired.stimulus, where=subject)
    presentation = np.argsort(rows, kind="stable")
    stimulus_row, start, count = np.unique(
        rows[presentation], return_index=True, return_counts=True
    )
    return RepeatTable(stimulus_row, presentation, start, count)
