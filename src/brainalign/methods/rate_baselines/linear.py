"""Linear-nonlinear cells: a ridge filter and a static non-linearity each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.movies.tokens import average_patches
from brainalign.methods.rate_baselines.fields import pool_luminance, stack_lags
from brainalign.methods.rate_baselines.options import LinearNonlinearOptions
from brainalign.methods.weights import Weights
from brainalign.training.progress import Report

_PENALTIES = {"rf": 100.0, "full": 3000.0}
_NAMES = {"filter", "mean", "deviation", "offset"}


class LinearNonlinear(RateMethod):
    """Luminance of the last frames, a ridge filter, and a static non-linearity.

    The filter sees the luminance at the centre of the cell's receptive field at two scales, or
    all patches of the frame. The non-linearity is the mean rate in quantile bins of the
    filter's output, interpolated and flat outside. A cell without a receptive field is read in
    the middle of the frame.

    Parameters
    ----------
    options : LinearNonlinearOptions, optional
        Defaults where None.
    """

    name = "ln"
    requirements = LinearNonlinearOptions.requirements
    Options = LinearNonlinearOptions

    options: LinearNonlinearOptions

    def __init__(self, options: LinearNonlinearOptions | None = None) -> None:
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
        """Solve the ridge and bin its output; see `RateMethod.fit`."""
        self._check_inputs(movies, cells, training, validation)
        frames = training.frames
        column = self._compose_columns(movies, cells)[frames].astype(np.float64)
        mean, deviation = column.mean(0), column.std(0)
        scaled = (column - mean) / np.where(deviation > 0, deviation, 1)
        rate = training.rate[frames].astype(np.float64)
        offset = rate.mean(0)
        penalty = self.options.penalty or _PENALTIES[self.options.field]
        kernel = solve_ridge(scaled, rate - offset, penalty)
        self._weights = {
            "filter": kernel.astype(np.float32),
            "mean": mean.astype(np.float32),
            "deviation": np.where(deviation > 0, deviation, 1).astype(np.float32),
            "offset": offset.astype(np.float32),
        }
        if self.options.n_bins is not None:
            drive = apply_filter(scaled, kernel) + offset
            places, values = bin_output(drive, rate, self.options.n_bins)
            self._weights |= {"drive": places, "rate": values}
        return pd.DataFrame({"penalty": [penalty], "n_frames": [len(frames)]})

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Filter and look up; see `RateMethod.predict`."""
        if not self._weights:
            raise self._refuse_unfitted()
        column = self._compose_columns(movies, cells)
        scaled = (column - self._weights["mean"]) / self._weights["deviation"]
        drive = apply_filter(scaled, self._weights["filter"]) + self._weights["offset"]
        if self.options.n_bins is None:
            return drive.astype(np.float32)
        curves = zip(drive.T, self._weights["drive"].T, self._weights["rate"].T, strict=True)
        return np.stack([np.interp(*curve) for curve in curves], axis=1).astype(np.float32)

    def get_weights(self) -> Weights:
        """Give filters, statistics of their input, and the curves of the non-linearity."""
        if not self._weights:
            raise self._refuse_unfitted()
        return dict(self._weights)

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `RateMethod.set_weights`."""
        expected = _NAMES | ({"drive", "rate"} if self.options.n_bins is not None else set())
        if set(weights) != expected:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected=", ".join(sorted(expected)),
                found=", ".join(sorted(weights)),
            )
        self._weights = dict(weights)

    def _compose_columns(self, movies: Movies, cells: Cells) -> np.ndarray:
        """Columns of the filter: (frame, unit or 1, column); one unit stands for all."""
        spans = movies.list_spans()
        if self.options.field == "full":
            patch = average_patches(movies.luminance, self.options.grid)
            return stack_lags(patch.reshape(len(patch), 1, -1), spans, self.options.n_lags)
        pooled = pool_luminance(movies.luminance, cells.rf_center, self.options.scales)
        return stack_lags(pooled, spans, self.options.n_lags)


def solve_ridge(column: np.ndarray, target: np.ndarray, penalty: float) -> np.ndarray:
    """Solve one ridge per cell.

    Parameters
    ----------
    column : array of shape (n_frames, n_units or 1, n_columns), float64
        Centred columns, of each cell or of all.
    target : array of shape (n_frames, n_units), float64
        Centred rates.
    penalty : float
        Of squared weights.

    Returns
    -------
    weights : array of shape (n_units, n_columns)
        Minimum of the penalised squared error.
    """
    by_unit = column.transpose(1, 2, 0)
    gram = by_unit @ by_unit.transpose(0, 2, 1) + penalty * np.eye(column.shape[2])
    if len(by_unit) == 1:
        return np.linalg.solve(gram[0], by_unit[0] @ target).T
    projection = by_unit @ target.T[:, :, None]
    return np.linalg.solve(gram, projection)[:, :, 0]


def apply_filter(column: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Apply the filter of each cell.

    Parameters
    ----------
    column : array of shape (n_frames, n_units or 1, n_columns)
        Columns of each cell or of all.
    weights : array of shape (n_units, n_columns)
        Filters.

    Returns
    -------
    drive : array of shape (n_frames, n_units)
        Their output.
    """
    if column.shape[1] == 1:
        return column[:, 0] @ weights.T
    return np.einsum("fkc,kc->fk", column, weights, optimize=True)


def bin_output(drive: np.ndarray, rate: np.ndarray, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean output and mean rate in quantile bins of the output.

    Parameters
    ----------
    drive, rate : array of shape (n_frames, n_units)
        Output of the filters and recorded rates.
    n_bins : int
        Bins; at most one per frame.

    Returns
    -------
    places, values : array of shape (n_bins, n_units), float32
        The curve of each cell, places in rising order.
    """
    order = np.argsort(drive, axis=0, kind="stable")
    drive, rate = (np.take_along_axis(table, order, axis=0) for table in (drive, rate))
    bins = np.array_split(np.arange(len(drive)), min(n_bins, len(drive)))
    places = np.stack([drive[rows].mean(0) for rows in bins])
    values = np.stack([rate[rows].mean(0) for rows in bins])
    return places.astype(np.float32), values.astype(np.float32)
