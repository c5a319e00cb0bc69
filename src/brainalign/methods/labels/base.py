"""What every method that predicts labels offers; imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.labels.arrays import LabelledResponses, LabelPrediction
from brainalign.methods.requirements import Requirements
from brainalign.methods.weights import Weights
from brainalign.options import Options
from brainalign.training.progress import Report


class LabelMethod(ABC):
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

    name: ClassVar[str]
    requirements: ClassVar[Requirements]
    Options: ClassVar[type[Options]]
    uses_seed: ClassVar[bool] = True
    knows_subjects: ClassVar[bool] = False
    # Each method knows its own model of options; the base reads none of them.
    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options if options is not None else self.Options()

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

    @abstractmethod
    def get_weights(self) -> Weights:
        """All that was learned, as numeric arrays by flat name."""

    @abstractmethod
    def set_weights(self, weights: Weights) -> None:
        """Take up what another fit has learned.

        Raises
        ------
        InputError
            The weights are those of another model.
        """

    def raise_unfitted(self) -> InputError:
        """Make the error of a method that is used before it is fitted."""
        return InputError("the method is not fitted", where=self.name, remedy="Call fit first.")
