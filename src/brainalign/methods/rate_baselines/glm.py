"""Poisson regression of each cell on its receptive field and its own earlier spikes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.rate_baselines.fields import pool_luminance, stack_lags
from brainalign.methods.rate_baselines.history import (
    collect_past,
    fit_with_history,
    make_history_basis,
    measure_loss,
    simulate_rates,
)
from brainalign.methods.rate_baselines.linear import apply_filter
from brainalign.methods.rate_baselines.link import SMALLEST_RATE, compute_rate
from brainalign.methods.rate_baselines.options import GLMOptions
from brainalign.methods.weights import Weights, check_weights
from brainalign.training.progress import Report

_TOLERANCE = 1e-6


class PoissonGLM(RateMethod):
    """Rate from the luminance under the receptive field over the last frames and own spikes.

    Poisson likelihood with a penalty on squared weights, by Fisher scoring with step halving. With
    a history, single trials are fitted, given the earlier spikes of the same cell in the same
    trial, and predictions are the mean rate over simulated trials: nothing recorded enters them.
    Without, the mean over trials is fitted. The validation split chooses the penalty of each cell.

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
        """Fit one regression per cell and penalty; see `RateMethod.fit`.

        Raises
        ------
        InputError
            A history is asked for, and single trials are not given.
        """
        self._check_inputs(movies, cells, training, validation)
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
        fits = {}
        for penalty in self.options.penalties:
            fitted = fit_poisson(
                scaled, rate, penalty, self.options.link, self.options.n_iterations
            )
            fits[penalty] = fitted
            predicted = compute_rate(apply_filter(judged, fitted), self.options.link)[0]
            loss = (predicted - held_out * np.log(predicted)).mean(0)
            better = loss < best
            best[better], kernel[better] = loss[better], fitted[better]
            penalty_of_cell[better] = penalty
        history = pd.DataFrame(
            {"unit": cells.unit, "penalty": penalty_of_cell, "validation_loss": best}
        )
        self._weights = {
            "filter": kernel.astype(np.float32),
            "mean": mean.astype(np.float32),
            "deviation": deviation.astype(np.float32),
        }
        if self.options.history:
            history = history.rename(columns={"validation_loss": "validation_loss_without_history"})
            penalty_of_cell, best = self._fit_history(
                scaled, judged, training, validation, movies, fits
            )
            history = history.assign(penalty=penalty_of_cell, validation_loss=best)
        return history

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Sum and link, with a history in simulated trials; see `RateMethod.predict`."""
        drive = self._compute_drive(movies, cells)
        if not self.options.history:
            return compute_rate(drive, self.options.link)[0].astype(np.float32)
        return simulate_rates(
            drive,
            self._weights["history"],
            self._weights["expected_count"],
            self._weights["largest_rate"],
            movies.list_spans(),
            movies.frame_rate,
            self.options.link,
            self.options.n_simulated_trials,
        ).astype(np.float32)

    def predict_given_past(self, movies: Movies, cells: Cells, count: np.ndarray) -> np.ndarray:
        """Predict each frame of recorded trials from the movie and the trial's earlier spikes.

        Parameters
        ----------
        movies : Movies
            What was shown.
        cells : Cells
            The cells that the method was fitted to.
        count : array of shape (n_trials, n_frames, n_units)
            Spikes per frame; NaN where nothing is known.

        Returns
        -------
        rate : array of shape (n_trials, n_frames, n_units), float32
            In Hz. Without a history, all trials have the same.
        """
        drive = self._compute_drive(movies, cells)
        total = np.broadcast_to(drive, (len(count), *drive.shape))
        if self.options.history:
            lags = np.eye(self.options.history_frames)
            past = collect_past(count, self._weights["expected_count"], movies.list_spans(), lags)
            total = total + np.einsum("ltfk,kl->tfk", past, self._weights["history"])
        return compute_rate(total, self.options.link)[0].astype(np.float32)

    def get_weights(self) -> Weights:
        """Give the filters, constant last, statistics of their input, and filters of history.

        The latter are in units of the linear sum per spike, one frame back first.
        """
        if not self._weights:
            raise self._refuse_unfitted()
        return dict(self._weights)

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `RateMethod.set_weights`."""
        if "filter" not in weights:
            raise InputError("these weights are of another model", where=self.name)
        n_units, n_columns = weights["filter"].shape
        shape = (n_units, n_columns - 1)
        shapes: dict[str, tuple[int, ...]] = {
            "filter": (n_units, n_columns),
            "mean": shape,
            "deviation": shape,
        }
        if self.options.history:
            shapes |= {
                "history": (n_units, self.options.history_frames),
                "expected_count": (n_units,),
                "largest_rate": (n_units,),
            }
        check_weights(weights, shapes, where=self.name)
        self._weights = dict(weights)

    def _fit_history(
        self,
        column: np.ndarray,
        judged: np.ndarray,
        training: RateTargets,
        validation: RateTargets,
        movies: Movies,
        fits: dict[float, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Refit with own spikes, from the fits without; penalty and loss of each cell."""
        count = _take_trials(training)
        expected = np.nanmean(count, axis=(0, 1))
        basis = make_history_basis(self.options.history_frames, self.options.history_functions)
        parts = []
        for targets in (training, validation):
            # Frames outside the split count as unknown, also as a past.
            past = collect_past(_take_trials(targets), expected, movies.list_spans(), basis)
            parts.append((_Trials.cut(targets, movies.frame_rate), past[:, :, targets.frames]))
        (trials, past), (held_out, held_past) = parts
        spread = np.sqrt(np.square(past).mean((1, 2), dtype=np.float64))
        spread = np.where(spread > 0, spread, 1)
        n_units, n_columns = len(expected), column.shape[2]
        best, chosen = np.full(n_units, np.inf), np.full(n_units, np.nan)
        weights = np.zeros((n_units, n_columns + len(basis)))
        for unit in range(n_units):
            own = past[..., unit] / spread[:, unit, None, None]
            own_held = held_past[..., unit] / spread[:, unit, None, None]
            for penalty, without in fits.items():
                fitted = fit_with_history(
                    column[:, unit],
                    own,
                    trials.rate[..., unit],
                    trials.weight[..., unit],
                    without[unit],
                    penalty,
                    self.options.link,
                    self.options.n_iterations,
                )
                drive = judged[:, unit] @ fitted[:n_columns]
                drive = drive + np.tensordot(fitted[n_columns:], own_held, 1)
                loss = measure_loss(
                    drive, held_out.rate[..., unit], held_out.weight[..., unit], self.options.link
                ) / len(validation.frames)
                if loss < best[unit]:
                    best[unit], chosen[unit], weights[unit] = loss, penalty, fitted
        kernel = (weights[:, n_columns:] / spread.T) @ basis
        self._weights |= {
            "filter": weights[:, :n_columns].astype(np.float32),
            "history": kernel.astype(np.float32),
            "expected_count": expected.astype(np.float32),
            "largest_rate": (np.nanmax(count, axis=(0, 1)) * movies.frame_rate).astype(np.float32),
        }
        return chosen, best

    def _compute_drive(self, movies: Movies, cells: Cells) -> np.ndarray:
        if not self._weights:
            raise self._refuse_unfitted()
        column = self._compose_columns(movies, cells)
        scaled = add_constant((column - self._weights["mean"]) / self._weights["deviation"])
        return apply_filter(scaled, self._weights["filter"])

    def _compose_columns(self, movies: Movies, cells: Cells) -> np.ndarray:
        pooled = pool_luminance(movies.luminance, cells.rf_center, self.options.scales)
        return stack_lags(pooled, movies.list_spans(), self.options.n_lags)


@dataclass(frozen=True)
class _Trials:
    """Single trials at the frames of a split: rates in Hz, and shares in the mean of a frame."""

    rate: np.ndarray
    weight: np.ndarray

    @classmethod
    def cut(cls, targets: RateTargets, frame_rate: float) -> _Trials:
        count = _take_trials(targets)[:, targets.frames].astype(np.float64)
        recorded = np.isfinite(count)
        return cls(
            np.where(recorded, count, 0) * frame_rate, recorded / np.maximum(recorded.sum(0), 1)
        )


def _take_trials(targets: RateTargets) -> np.ndarray:
    if targets.count is None:
        raise InputError(
            "a history of spikes needs single trials",
            where="glm",
            found="their mean only",
            remedy="Give counts of single trials, or set history: false.",
        )
    return targets.count


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
    start = np.maximum(rate.mean(0), SMALLEST_RATE)
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
