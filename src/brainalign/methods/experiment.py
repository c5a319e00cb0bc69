"""What stands between stores and a method: one job of the plan, and what fitting it gives.

An experiment module knows how a family of methods reads stores, which fits there are (areas,
seeds, folds) and how predictions are laid out. It offers two functions::

    fit_experiment(job: ExperimentJob) -> FittedExperiment
    predict_experiment(job: ExperimentJob, fitted: FittedExperiment) -> xarray.DataTree

The registry of methods names the module of each method.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from brainalign.methods.registry import get_experiment_module
from brainalign.training.tracking import Tracker, WatchedFit

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from brainalign.methods.weights import Weights


@dataclass(frozen=True)
class ExperimentJob:
    """One method on one data set with one backbone, as a job sees it.

    Attributes
    ----------
    method : str
        Name of the method in the registry.
    method_options : dict
        All options of the method, defaults filled in.
    options : dict
        All options of the job: ``seeds``, ``feature``, ``normalisation`` …
    stimuli, features : Path
        Stores of those kinds; for methods that need no backbone there is no store of features.
    responses : tuple of Path
        One response store per subject.
    device : str
        Where to compute.
    scratch : Path, optional
        Folder for resume checkpoints of exactly this job; the caller removes it.
    prior : Path, optional
        Folder of the image prior, for methods that name one.
    conditional_prior : Path, optional
        Folder of the image prior that is told what images show, for methods that name one.
    trackers : tuple of Tracker
        Take the epochs of all fits while they run.
    """

    method: str
    method_options: dict[str, Any]
    options: dict[str, Any]
    stimuli: Path
    responses: tuple[Path, ...]
    features: Path
    device: str = "cpu"
    scratch: Path | None = None
    prior: Path | None = None
    conditional_prior: Path | None = None
    trackers: tuple[Tracker, ...] = ()

    def watch(self, part: str) -> WatchedFit:
        """Make the report of one fit.

        Parameters
        ----------
        part : str
            Name of the fit, as its weights are prefixed.
        """
        return WatchedFit(self.method, part, self.trackers)


@dataclass(frozen=True)
class FittedExperiment:
    """What a model folder holds.

    Attributes
    ----------
    weights : dict of str to array
        Of all fits, each under the name of its part.
    description : dict
        What predicting needs beside the weights; JSON can hold it.
    history : pandas.DataFrame, optional
        What happened during the fits; None for a model that was read from its folder.
    """

    weights: Weights
    description: dict[str, Any]
    history: pd.DataFrame | None = None


class ExperimentModule(Protocol):
    """The two functions of an experiment module."""

    def fit_experiment(self, job: ExperimentJob) -> FittedExperiment:
        """Read the stores and fit every part."""

    def predict_experiment(self, job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
        """Read the stores and predict for the test stimuli of every part."""


def load_experiment_module(method: str) -> ExperimentModule:
    """Import the experiment module of a method.

    Raises
    ------
    InputError
        If the method is unknown.
    """
    return cast(ExperimentModule, import_module(get_experiment_module(method)))
