"""The mean rate of each cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.rate_baselines.options import MeanRateOptions
from brainalign.methods.weights import Weights
from brainalign.training.progress import Report


class MeanRate(RateMethod):
    """Predicts the mean of the training split at every frame."""

    name = "mean_rate"
    requirements = MeanRateOptions.requirements
    Options = MeanRateOptions

    def __init__(self, options: MeanRateOptions | None = None) -> None:
        super().__init__(options)
        self._mean: np.ndarray | None = None

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
        """Take the mean; see `RateMethod.fit`."""
        self._check_inputs(movies, cells, training, validation)
        self._mean = training.rate[training.frames].mean(0, dtype=np.float64).astype(np.float32)
        return pd.DataFrame({"n_frames": [len(training.frames)]})

    def predict(self, movies: Movies, cells: Cells, device: str = "cpu") -> np.ndarray:
        """Repeat the mean; see `RateMethod.predict`."""
        if self._mean is None:
            raise self._refuse_unfitted()
        return np.tile(self._mean, (len(movies.movie), 1))

    def get_weights(self) -> Weights:
        """Give the mean rates."""
        if self._mean is None:
            raise self._refuse_unfitted()
        return {"mean": self._mean}

    def set_weights(self, weights: Weights) -> None:
        """Take up mean rates."""
        if set(weights) != {"mean"}:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected="mean",
                found=", ".join(sorted(weights)),
            )
        self._mean = weights["mean"]
