"""Ridge regression through himalaya."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from himalaya.kernel_ridge import (
    solve_kernel_ridge_cv_eigenvalues,
    solve_kernel_ridge_eigenvalues,
)
from himalaya.ridge import solve_ridge_cv_svd, solve_ridge_svd

from brainalign.errors import InputError
from brainalign.methods.direct.options import RidgeOptions
from brainalign.methods.direct.regression import FitContext, RegressionPairs
from brainalign.methods.normalisation import Standardisation
from brainalign.methods.weights import Weights, check_weights
from brainalign.training.randomness import derive_seed

HOLDOUT_FRACTION = 0.1

Splits = list[tuple[np.ndarray, np.ndarray]]


class RidgeRegression:
    """Linear map whose penalty is chosen by the squared error on held-out training stimuli.

    Parameters
    ----------
    options : RidgeOptions
        Penalties and how to choose among them.
    targets : Standardisation
        Not needed: the squared error is taken on standardised targets.

    Attributes
    ----------
    coefficient : array of shape (n_inputs, n_targets), float64
        Weights of the map.
    intercept : array of shape (n_targets,), float64
        Prediction at zero input.
    alpha : array of shape (n_targets,), float64
        Penalty of each target.
    """

    def __init__(self, options: RidgeOptions, targets: Standardisation | None = None) -> None:
        self.options = options
        self.coefficient = np.empty((0, 0))
        self.intercept = np.empty(0)
        self.alpha = np.empty(0)

    def fit(
        self, training: RegressionPairs, validation: RegressionPairs, context: FitContext
    ) -> pd.DataFrame:
        """Choose the penalty and fit on all training stimuli.

        Parameters
        ----------
        training : RegressionPairs
            Standardised pairs.
        validation : RegressionPairs
            Only for the score in the history.
        context : FitContext
            Its seed draws the held-out tenth, or the folds. Computes on the CPU always.

        Returns
        -------
        history : pandas.DataFrame
            One row: penalties and mean squared error on both splits.
        """
        shared = self.options.alpha_selection == "shared_holdout"
        splits = self._draw_splits(len(training.inputs), context.seed)
        self.alpha = choose_alphas(
            training, np.asarray(self.options.alphas, dtype=float), splits, shared=shared
        )
        self._solve(training)
        return pd.DataFrame(
            [
                {
                    "smallest_alpha": self.alpha.min(),
                    "median_alpha": float(np.median(self.alpha)),
                    "largest_alpha": self.alpha.max(),
                    "training_error": self._compute_error(training),
                    "validation_error": self._compute_error(validation),
                }
            ]
        )

    def refit(self, training: RegressionPairs) -> RidgeRegression:
        """Fit other pairs with the penalties of this map.

        Parameters
        ----------
        training : RegressionPairs
            Standardised pairs.

        Returns
        -------
        regression : RidgeRegression
            A new map.
        """
        other = RidgeRegression(self.options)
        other.alpha = self.alpha
        other._solve(training)
        return other

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predict standardised targets.

        Parameters
        ----------
        inputs : array of shape (n_rows, n_inputs)
            Standardised inputs.

        Returns
        -------
        prediction : array of shape (n_rows, n_targets), float64
            Standardised targets.
        """
        return inputs.astype(np.float64) @ self.coefficient + self.intercept

    def get_weights(self) -> Weights:
        """Coefficients, intercepts and penalties.

        Returns
        -------
        weights : dict of str to array
            All in float64.
        """
        return {
            "coefficient": self.coefficient,
            "intercept": self.intercept,
            "alpha": self.alpha,
        }

    def set_weights(self, weights: Weights, n_inputs: int, n_targets: int) -> None:
        """Take up the weights of another fit.

        Parameters
        ----------
        weights : dict of str to array
            As from `get_weights`.
        n_inputs, n_targets : int
            Widths that are expected.

        Raises
        ------
        InputError
            A name or a width is another one.
        """
        shapes: dict[str, tuple[int, ...]] = {
            "coefficient": (n_inputs, n_targets),
            "intercept": (n_targets,),
            "alpha": (n_targets,),
        }
        check_weights(weights, shapes, where="ridge")
        self.coefficient = weights["coefficient"]
        self.intercept = weights["intercept"]
        self.alpha = weights["alpha"]

    def _draw_splits(self, n_stimuli: int, seed: int) -> Splits:
        shared = self.options.alpha_selection == "shared_holdout"
        n_folds = round(1 / HOLDOUT_FRACTION) if shared else self.options.alpha_folds
        if n_stimuli < n_folds:
            raise InputError(
                "too few training stimuli to choose the penalty",
                where="ridge",
                expected=f"{n_folds} or more",
                found=n_stimuli,
            )
        folds = draw_folds(n_stimuli, n_folds, derive_seed(seed, "alpha"))
        return folds[:1] if shared else folds

    def _solve(self, training: RegressionPairs) -> None:
        inputs, targets = training.inputs.astype(float), training.targets.astype(float)
        input_mean, target_mean = inputs.mean(axis=0), targets.mean(axis=0)
        self.coefficient = solve_ridge(inputs - input_mean, targets - target_mean, self.alpha)
        self.intercept = target_mean - input_mean @ self.coefficient

    def _compute_error(self, pairs: RegressionPairs) -> float:
        return float(np.mean((pairs.targets - self.predict(pairs.inputs)) ** 2))


def draw_folds(n_stimuli: int, n_folds: int, seed: int) -> Splits:
    """Deal the stimuli at random into folds of nearly equal size.

    Parameters
    ----------
    n_stimuli, n_folds : int
        Number of stimuli and of folds.
    seed : int
        Seed of the deal.

    Returns
    -------
    folds : list of (kept, held_out)
        Ascending rows; each stimulus is held out once.
    """
    order = np.random.default_rng(seed).permutation(n_stimuli)
    every = np.arange(n_stimuli)
    held_out = [np.sort(order[fold::n_folds]) for fold in range(n_folds)]
    return [(np.setdiff1d(every, rows), rows) for rows in held_out]


def choose_alphas(
    pairs: RegressionPairs, alphas: np.ndarray, splits: Splits, *, shared: bool
) -> np.ndarray:
    """Choose the penalty of each target by the squared error on held-out rows.

    Parameters
    ----------
    pairs : RegressionPairs
        Standardised training pairs.
    alphas : array of shape (n_alphas,)
        Candidates.
    splits : list of (kept, held_out)
        Rows of the cross-validation.
    shared : bool
        Whether all targets get the penalty that is best on average.

    Returns
    -------
    alpha : array of shape (n_targets,)
        One of the candidates for each target.
    """
    if len(alphas) == 1:
        return np.full(pairs.targets.shape[1], alphas[0])
    inputs, targets = pairs.inputs.astype(float), pairs.targets.astype(float)
    search: dict[str, Any] = {
        "alphas": alphas,
        "cv": _FixedSplits(splits),
        "local_alpha": not shared,
        "fit_intercept": True,
        # One at a time bounds the memory at one matrix of held-out by kept rows.
        "n_alphas_batch": 1,
    }
    if inputs.shape[1] > inputs.shape[0]:
        found = solve_kernel_ridge_cv_eigenvalues(inputs @ inputs.T, targets, **search)[0]
    else:
        found = solve_ridge_cv_svd(inputs, targets, **search)[0]
    # himalaya returns exp(log(alpha)); the nearest candidate undoes the rounding.
    nearest = np.abs(np.log(found)[:, None] - np.log(alphas)).argmin(axis=1)
    return alphas[nearest]


def solve_ridge(inputs: np.ndarray, targets: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Solve a ridge regression, in kernel form where there are more inputs than rows.

    Parameters
    ----------
    inputs : array of shape (n_rows, n_inputs)
        Centred inputs.
    targets : array of shape (n_rows, n_targets)
        Centred targets.
    alpha : array of shape (n_targets,)
        Penalty of each target.

    Returns
    -------
    coefficient : array of shape (n_inputs, n_targets)
        Minimises ``||targets - inputs @ coefficient||^2 + alpha ||coefficient||^2`` per target.
    """
    coefficient = np.empty((inputs.shape[1], targets.shape[1]))
    kernel = inputs @ inputs.T if inputs.shape[1] > inputs.shape[0] else None
    # Solved per distinct penalty: himalaya's own array of penalties needs n_targets times the
    # memory of the inputs.
    for value in np.unique(alpha):
        chosen = alpha == value
        if kernel is None:
            solution = solve_ridge_svd(inputs, targets[:, chosen], alpha=float(value))
        else:
            dual = solve_kernel_ridge_eigenvalues(kernel, targets[:, chosen], alpha=float(value))
            solution = inputs.T @ dual
        coefficient[:, chosen] = solution
    return coefficient


class _FixedSplits:
    """Splits in the form of a scikit-learn splitter."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Splits:
        """Return the rows of each split."""
        return self._splits

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits."""
        return len(self._splits)
