"""What every method that predicts labels offers; imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from brainalign.methods.labels.arrays import LabelledResponses, LabelPrediction
from brainalign.methods.method import Method
from brainalign.training.progress import Report


class LabelMethod(Method):
    """A model from responses to labels: arrays in, scores and weights out.

    Parameters
    ----------
    options : Options, optional
        Options of the method; its defaults where None.

    Attributes
    ----------
    name : str
        Name in the registry.
    requirements : Requirements
        Whether one fit takes several subjects.
    Options : type
        Model of the options.
    uses_seed : bool
        Whether fits with different seeds differ.
    knows_subjects : bool
        Whether a fit of several subjects predicts with what it learned of each, so that
        exchanging the subjects changes its predictions.
    """

    uses_seed: ClassVar[bool] = True
    knows_subjects: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        training: LabelledResponses,
        validation: LabelledResponses,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Learn from the training split; validation only chooses epoch or penalty.

        Returns
        -------
        history : pandas.DataFrame
            What happened, ready for a CSV file.

        Raises
        ------
        InputError
            No class can be learned, or the arrays do not fit the method.
        """

    @abstractmethod
    def predict(
        self, subject: str, response: np.ndarray, *, as_subject: str | None = None
    ) -> LabelPrediction:
        """Score the classes for responses of one subject.

        Parameters
        ----------
        subject : str
            A subject that the method was fitted on.
        response : array of shape (n_responses, n_units)
            Responses of all units of the subject.
        as_subject : str, optional
            Take what was learned of another subject (tokens, embedding): a control.

        Raises
        ------
        InputError
            The subject is unknown, or the width is another one.
        """
