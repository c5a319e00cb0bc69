"""What every method that predicts rates offers; imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.method import Method
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.training.progress import Report


class RateMethod(Method):
    """A model of the rates of many cells during movies: arrays in, rates and weights out.

    Parameters
    ----------
    options : Options, optional
        Options of the method; its defaults where None.

    Attributes
    ----------
    name : str
        Name in the registry.
    requirements : Requirements
        What the method needs and yields.
    Options : type
        Model of the options.
    is_random : bool
        Whether fits of different seeds differ; those of the others are shared by all seeds.
    """

    is_random: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        movies: Movies,
        cells: Cells,
        training: RateTargets,
        validation: RateTargets,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Learn from the training split.

        Parameters
        ----------
        movies : Movies
            All frames: earlier frames of another split are context, never target.
        cells : Cells
            Recorded cells with their receptive fields.
        training : RateTargets
            All that is learned comes from here.
        validation : RateTargets
            Only decides between epochs or penalties.
        seed : int
            Seed of all randomness.
        device : {"auto", "cpu", "cuda"}
            Where to compute.
        scratch : Path, optional
            Folder for resume checkpoints, which the caller removes.
        report : callable, optional
            Called after each epoch with its record and the number of epochs.

        Returns
        -------
        history : pandas.DataFrame
            What happened, ready for a CSV file.
        """

    @abstractmethod
    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Predict the rates of the fitted cells at every frame.

        Parameters
        ----------
        movies : Movies
            Any movies; the history of a movie starts at its first frame.
        cells : Cells
            The cells that the method was fitted to.
        device : {"auto", "cpu", "cuda"}
            Where to compute.

        Returns
        -------
        rate : array of shape (n_frames, n_units), float32
            In Hz; NaN for cells that the fit left out.
        """

    def _check_inputs(self, movies: Movies, cells: Cells, *targets: RateTargets) -> None:
        """Refuse rates of other frames than the movies, or of other cells.

        Raises
        ------
        InputError
            Axes do not fit: what lies at the same position would be joined silently.
        """
        expected = (len(movies.movie), len(cells.unit))
        for one in targets:
            if one.rate.shape != expected:
                raise InputError(
                    "rates are of other frames or cells than movies and receptive fields",
                    where=self.name,
                    expected=f"{expected[0]} frames and {expected[1]} cells",
                    found=f"{one.rate.shape[0]} frames and {one.rate.shape[1]} cells",
                    remedy="Take movies, cells and rates of one recording.",
                )


def correlate_columns(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column of two tables.

    Parameters
    ----------
    first, second : array of shape (n_rows, n_columns)
        Without NaN.

    Returns
    -------
    correlation : array of shape (n_columns,), float64
        NaN where a column is constant.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    # The mean of equal values may differ from them by rounding, which would correlate.
    varies = (np.ptp(first, axis=0) > 0) & (np.ptp(second, axis=0) > 0)
    first, second = first - first.mean(0), second - second.mean(0)
    scale = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    return np.divide(
        (first * second).sum(0),
        scale,
        out=np.full(scale.shape, np.nan),
        where=varies & (scale > 0),
    )
