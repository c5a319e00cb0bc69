"""Ridge on a backbone's tokens under each receptive field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from himalaya.ridge import RidgeCV
from sklearn.model_selection import PredefinedSplit

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.movies.tokens import resample_fields
from brainalign.methods.rate_baselines.fields import stack_lags
from brainalign.methods.rate_baselines.linear import apply_filter
from brainalign.methods.rate_baselines.options import FeatureRidgeOptions
from brainalign.methods.weights import Weights
from brainalign.training.progress import Report


class FeatureRidge(RateMethod):
    """Tokens, averaged under the cell's receptive field, over the last frames, into a ridge.

    Asks what a network adds to the backbone's features. Principal components, means and
    deviations come from the training split; the penalty of each cell from the validation split.
    A cell without a receptive field sees the mean over all patches.

    Parameters
    ----------
    options : FeatureRidgeOptions, optional
        Defaults where None.
    """

    name = "feature_ridge"
    requirements = FeatureRidgeOptions.requirements
    Options = FeatureRidgeOptions

    options: FeatureRidgeOptions

    def __init__(self, options: FeatureRidgeOptions | None = None) -> None:
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
        """Solve one ridge per cell; see `RateMethod.fit`."""
        self._check_inputs(movies, cells, training, validation)
        frames, judged = training.frames, validation.frames
        center, component = find_components(movies.token[frames], self.options.n_components)
        column = self._compose_columns(movies, cells, center, component)
        mean, deviation = column[frames].mean(0), column[frames].std(0)
        deviation = np.where(deviation > 0, deviation, 1)
        offset = training.rate[frames].mean(0)
        rows = np.concatenate([frames, judged])
        rate = np.concatenate([training.rate[frames], validation.rate[judged]]) - offset
        is_judged = np.repeat([-1, 0], [len(frames), len(judged)])
        kernel = np.zeros((len(cells.unit), column.shape[2]), np.float32)
        alpha = np.zeros(len(cells.unit))
        for unit in range(len(cells.unit)):
            scaled = (column[rows, unit] - mean[unit]) / deviation[unit]
            ridge = RidgeCV(
                alphas=np.asarray(self.options.alphas), cv=PredefinedSplit(is_judged)
            ).fit(scaled.astype(np.float64), rate[:, unit : unit + 1].astype(np.float64))
            alpha[unit] = float(np.ravel(ridge.best_alphas_)[0])
            # The chosen penalty again, on the training split alone.
            kernel[unit] = _solve(scaled[: len(frames)], rate[: len(frames), unit], alpha[unit])
        self._weights = {
            "center": center,
            "component": component,
            "mean": mean.astype(np.float32),
            "deviation": deviation.astype(np.float32),
            "filter": kernel,
            "offset": offset.astype(np.float32),
        }
        return pd.DataFrame({"unit": cells.unit, "alpha": alpha})

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Apply the ridge; see `RateMethod.predict`."""
        if not self._weights:
            raise self._refuse_unfitted()
        weights = self._weights
        column = self._compose_columns(movies, cells, weights["center"], weights["component"])
        scaled = (column - weights["mean"]) / weights["deviation"]
        return (apply_filter(scaled, weights["filter"]) + weights["offset"]).astype(np.float32)

    def get_weights(self) -> Weights:
        """Components, statistics and weights."""
        if not self._weights:
            raise self._refuse_unfitted()
        return dict(self._weights)

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `RateMethod.set_weights`."""
        expected = {"center", "component", "mean", "deviation", "filter", "offset"}
        if set(weights) != expected:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected=", ".join(sorted(expected)),
                found=", ".join(sorted(weights)),
            )
        self._weights = dict(weights)

    def _compose_columns(
        self, movies: Movies, cells: Cells, center: np.ndarray, component: np.ndarray
    ) -> np.ndarray:
        """Components under each receptive field and their history: (frame, unit, column)."""
        side = round(movies.token.shape[1] ** 0.5)
        field = resample_fields(cells.rf_map, side).reshape(len(cells.unit), -1)
        field[~field.any(1)] = 1.0
        field /= field.sum(1, keepdims=True)
        # Pooled before the projection: patches are more than cells, and both maps are linear.
        pooled = np.matmul(field, movies.token.astype(np.float32)) - center
        return stack_lags(
            pooled @ component.T, movies.list_spans(), self.options.n_lags, self.options.lag_step
        )


def find_components(token: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the principal components of tokens over frames and patches.

    Parameters
    ----------
    token : array of shape (n_frames, n_patches, n_dimensions)
        Tokens of the training split.
    n_components : int
        At most as many as dimensions are kept.

    Returns
    -------
    center : array of shape (n_dimensions,), float32
        Mean.
    component : array of shape (n_components, n_dimensions), float32
        Orthonormal rows, the largest variance first.
    """
    center = token.mean((0, 1), dtype=np.float64)
    covariance = np.zeros((token.shape[2], token.shape[2]))
    for rows in np.array_split(np.arange(len(token)), max(1, len(token) // 256)):
        centred = token[rows].reshape(-1, token.shape[2]).astype(np.float64) - center
        covariance += centred.T @ centred
    vectors = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_components].T
    # The sign of an eigenvector is arbitrary; equal data must give equal weights.
    vectors = (
        vectors * np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(1)])[:, None]
    )
    return center.astype(np.float32), vectors.astype(np.float32)


def _solve(column: np.ndarray, target: np.ndarray, alpha: float) -> np.ndarray:
    column, target = column.astype(np.float64), target.astype(np.float64)
    gram = column.T @ column + alpha * np.eye(column.shape[1])
    return np.linalg.solve(gram, column.T @ target).astype(np.float32)
