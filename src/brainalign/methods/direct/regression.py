"""What a map from one side to the other has to offer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pandas as pd

from brainalign.methods.normalisation import Standardisation
from brainalign.methods.weights import Weights
from brainalign.training.progress import Report


@dataclass(frozen=True)
class RegressionPairs:
    """Standardised inputs and targets, one row per stimulus.

    Attributes
    ----------
    inputs : array of shape (n_stimuli, n_inputs), float32
        What is predicted from.
    targets : array of shape (n_stimuli, n_targets), float32
        What is predicted.
    """

    inputs: np.ndarray
    targets: np.ndarray

    def take(self, rows: np.ndarray) -> RegressionPairs:
        """Take some stimuli.

        Parameters
        ----------
        rows : array of shape (n_rows,), int
            Rows to take.

        Returns
        -------
        pairs : RegressionPairs
            Copies of these rows.
        """
        return RegressionPairs(self.inputs[rows], self.targets[rows])


@dataclass(frozen=True)
class FitContext:
    """Where and from which seed a map is fitted.

    Attributes
    ----------
    seed : int
        Seed of the map.
    device : str
        Device name.
    scratch : Path or None
        Folder for resume checkpoints.
    report : callable or None
        Called after each epoch.
    """

    seed: int
    device: str = "cpu"
    scratch: Path | None = None
    report: Report | None = None


class Regression(Protocol):
    """Map from standardised inputs to standardised targets."""

    def __init__(self, options: Any, targets: Standardisation) -> None: ...

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predict standardised targets of shape (n_rows, n_targets), float64."""

    def get_weights(self) -> Weights:
        """All that was learned, hyper-parameters included."""

    def set_weights(self, weights: Weights, n_inputs: int, n_targets: int) -> None:
        """Take up the weights of another fit of these widths."""


RegressionT = TypeVar("RegressionT", bound=Regression)


@dataclass(frozen=True)
class MapFit(Generic[RegressionT]):
    """A map that is to be fitted, and what it is fitted on.

    Attributes
    ----------
    regression : Regression
        The map.
    training, validation : RegressionPairs
        Standardised pairs.
    context : FitContext
        Seed, device, scratch folder and report.
    n_folds : int
        Folds of the training stimuli for out-of-fold residuals; 0: none are wanted.
    """

    regression: RegressionT
    training: RegressionPairs
    validation: RegressionPairs
    context: FitContext
    n_folds: int


@dataclass(frozen=True)
class FittedMap:
    """What fitting a map has given, beside the map itself.

    Attributes
    ----------
    history : pandas.DataFrame
        What happened.
    residual : array of shape (n_stimuli, n_targets), float64, or None
        Targets of the training stimuli minus predictions of maps that were not fitted on them.
    """

    history: pd.DataFrame
    residual: np.ndarray | None
