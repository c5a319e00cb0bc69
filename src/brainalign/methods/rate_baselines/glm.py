"""Poisson regression of each cell on its receptive field and its history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.rate_baselines.fields import pool_luminance, stack_lags
from brainalign.methods.rate_baselines.linear import apply_filter
from brainalign.methods.rate_baselines.options import GLMOptions
from brainalign.methods.weights import Weights, check_weights
from brainalign.training.progress import Report

# Keeps exp and the weights of the regression finite; no recorded rate comes near.
_LARGEST_DRIVE = 20.0
_SMALLEST_RATE = 1e-6  # Hz
_TOLERANCE = 1e-6


class PoissonGLM(RateMethod):
    """Rate from a weighted sum of the luminance under the receptive field over the last frames.

    Poisson likelihood of the mean rate with a penalty on squared weights, by Fisher scoring with
    step halving. The validation split chooses the penalty of each cell.

    Parameters
    ----------
    options : GLMOptions, optional
        Defaults where None.
    """

    name = "glm"
    requirements = GLMOptions.requirements
    Options = GLMOptions

    options: GLMOptions

    def __init__(self, options: GLMOptions | None = None) -> None:
        super().__init__(options)
        self._weights: Weights = {}

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
        """Fit one regression per cell and penalty; see `RateMethod.fit`."""
        column = self._compose_columns(movies, cells)
        chosen = column[training.frames].astype(np.float64)
        mean, deviation = chosen.mean(0), chosen.std(0)
        deviation = np.where(deviation > 0, deviation, 1)
        scaled = add_constant((chosen - mean) / deviation)
        judged = add_constant((column[validation.frames] - mean) / deviation)
        rate = training.rate[training.frames].astype(np.float64)
        held_out = validation.rate[validation.frames].astype(np.float64)
        best = np.full(rate.shape[1], np.inf)
        kernel = np.zeros((rate.shape[1], scaled.shape[2]))
        penalty_of_cell = np.full(rate.shape[1], np.nan)
        for penalty in self.options.penalties:
            fitted = fit_poisson(
                scaled, rate, penalty, self.options.link, self.options.n_iterations
            )
            predicted = compute_rate(apply_filter(judged, fitted), self.options.link)[0]
            loss = (predicted - held_out * np.log(predicted)).mean(0)
            better = loss < best
            best[better], kernel[better] = loss[better], fitted[better]
            penalty_of_cell[better] = penalty
        self._weights = {
            "filter": kernel.astype(np.float32),
            "mean": mean.astype(np.float32),
            "deviation": deviation.astype(np.float32),
        }
        return pd.DataFrame(
            {"unit": cells.unit, "penalty": penalty_of_cell, "validation_loss": best}
        )

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Sum and link; see `RateMethod.predict`."""
        if not self._weights:
            raise self._refuse_unfitted()
        column = self._compose_columns(movies, cells)
        scaled = add_constant((column - self._weights["mean"]) / self._weights["deviation"])
        drive = apply_filter(scaled, self._weights["filter"])
        return compute_rate(drive, self.options.link)[0].astype(np.float32)

    def get_weights(self) -> Weights:
        """Give the filters, constant last, and statistics of their input."""
        if not self._weights:
            raise self._refuse_unfitted()
        return dict(self._weights)

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `RateMethod.set_weights`."""
        if "filter" not in weights:
            raise InputError("these weights are of another model", where=self.name)
        n_units, n_columns = weights["filter"].shape
        shape = (n_units, n_columns - 1)
        shapes = {"filter": (n_units, n_columns), "mean": shape, "deviation": shape}
        check_weights(weights, shapes, where=self.name)
        self._weights = dict(weights)

    def _compose_columns(self, movies: Movies, cells: Cells) -> np.ndarray:
        pooled = pool_luminance(movies.luminance, cells.rf_center, self.options.scales)
        return stack_lags(pooled, movies.list_spans(), self.options.n_lags)


def add_constant(column: np.ndarray) -> np.ndarray:
    """Add a column of ones.

    Parameters
    ----------
    column : array of shape (n_frames, n_units, n_columns)
        Columns of each cell.

    Returns
    -------
    extended : array of shape (n_frames, n_units, n_columns + 1)
        Ones last.
    """
    return np.concatenate([column, np.ones_like(column[:, :, :1])], axis=2)


def compute_rate(drive: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Rate and its slope.

    Parameters
    ----------
    drive : array
        Linear sum.
    link : {"softplus", "exp"}
        From the sum to the rate.

    Returns
    -------
    rate, slope : array
        In Hz, at least 1e-6, and its derivative.
    """
    if link == "exp":
        rate = np.exp(np.clip(drive, -_LARGEST_DRIVE, _LARGEST_DRIVE))
        return np.maximum(rate, _SMALLEST_RATE), rate
    rate = np.logaddexp(0.0, drive)
    return np.maximum(rate, _SMALLEST_RATE), 1.0 / (1.0 + np.exp(-np.clip(drive, -50, 50)))


def fit_poisson(
    column: np.ndarray, rate: np.ndarray, penalty: float, link: str, n_iterations: int
) -> np.ndarray:
    """Maximise the penalised Poisson likelihood of all cells by Fisher scoring.

    Parameters
    ----------
    column : array of shape (n_frames, n_units, n_columns), float64
        The last column is the constant, which is not penalised.
    rate : array of shape (n_frames, n_units), float64
        Recorded rates in Hz.
    penalty : float
        Half of it times the squared weights is added to the negative log likelihood.
    link : {"softplus", "exp"}
        From the sum to the rate.
    n_iterations : int
        Largest number of steps.

    Returns
    -------
    weights : array of shape (n_units, n_columns)
        The likelihood of no cell is below that of its mean rate.
    """
    by_unit = np.ascontiguousarray(column.transpose(1, 0, 2))
    ridge = penalty * np.diag([*np.ones(column.shape[2] - 1), 0.0])
    start = np.maximum(rate.mean(0), _SMALLEST_RATE)
    weights = np.zeros((rate.shape[1], column.shape[2]))
    weights[:, -1] = np.log(start) if link == "exp" else np.log(np.expm1(start))
    target = rate.T

    def measure(candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        drive = np.matmul(by_unit, candidate[:, :, None])[:, :, 0]
        predicted, slope = compute_rate(drive, link)
        loss = (predicted - target * np.log(predicted)).sum(1)
        loss += 0.5 * penalty * (candidate[:, :-1] ** 2).sum(1)
        return loss, predicted, slope

    loss, predicted, slope = measure(weights)
    for _ in range(n_iterations):
        error = slope * (target / predicted - 1)
        gradient = np.matmul(error[:, None], by_unit)[:, 0] - weights @ ridge
        information = slope**2 / predicted
        curvature = np.matmul((by_unit * information[:, :, None]).transpose(0, 2, 1), by_unit)
        # A cell that fell silent has no curvature; a trace of it keeps the system solvable.
        step = np.linalg.solve(curvature + ridge + 1e-6 * np.eye(len(ridge)), gradient[:, :, None])[
            :, :, 0
        ]
        before = loss
        for _ in range(8):
            trial = measure(weights + step)
            # Not better by "not greater": a NaN must count as worse.
            worse = ~(trial[0] <= loss)
            if not worse.any():
                break
            step[worse] *= 0.25
        step[~(trial[0] <= loss)] = 0.0
        weights = weights + step
        loss, predicted, slope = measure(weights)
        if np.all(before - loss <= _TOLERANCE * np.abs(before)):
            break
    return weights
