"""Residuals of stimuli under maps that were not fitted on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.direct.regression import (
    FitContext,
    FittedMap,
    MapFit,
    Regression,
    RegressionPairs,
)
from brainalign.methods.direct.ridge import RidgeRegression, draw_folds
from brainalign.training.randomness import derive_seed


@dataclass(frozen=True)
class ResidualFold:
    """One refit.

    Attributes
    ----------
    kept, held_out : array of shape (n,), int
        Rows of the training stimuli that it is fitted on, and those that it predicts.
    context : FitContext
        With a seed of its own, and no report: it is not part of the history.
    """

    kept: np.ndarray
    held_out: np.ndarray
    context: FitContext


def draw_residual_folds(n_stimuli: int, n_folds: int, context: FitContext) -> list[ResidualFold]:
    """Deal the training stimuli into folds and seed their refits.

    Parameters
    ----------
    n_stimuli, n_folds : int
        Training stimuli and folds; without folds there are no refits.
    context : FitContext
        Of the map whose residuals are wanted.

    Returns
    -------
    folds : list of ResidualFold
        Each stimulus is held out once.

    Raises
    ------
    InputError
        There are fewer stimuli than folds.
    """
    if n_stimuli < n_folds:
        raise InputError(
            "too few training stimuli for out-of-fold residuals",
            where="matching",
            expected=f"{n_folds} or more",
            found=n_stimuli,
            remedy="Lower residual_folds, or match by pearson only.",
        )
    if n_folds == 0:
        return []
    folds = draw_folds(n_stimuli, n_folds, derive_seed(context.seed, "residual folds"))
    return [
        ResidualFold(
            kept,
            held_out,
            replace(context, seed=derive_seed(context.seed, "residual fold", fold), report=None),
        )
        for fold, (kept, held_out) in enumerate(folds)
    ]


def fit_maps_in_turn(fits: Sequence[MapFit[RidgeRegression]]) -> Iterator[FittedMap]:
    """Fit ridge regressions one after the other, each with its refits for residuals.

    Parameters
    ----------
    fits : sequence of MapFit
        What is to be fitted.

    Yields
    ------
    fitted : FittedMap
        In the order of `fits`.
    """
    for fit in fits:
        history = fit.regression.fit(fit.training, fit.validation, fit.context)
        folds = draw_residual_folds(len(fit.training.inputs), fit.n_folds, fit.context)
        maps = [fit.regression.refit(fit.training.take(fold.kept)) for fold in folds]
        yield FittedMap(history, compute_residuals(fit.training, folds, maps))


def compute_residuals(
    training: RegressionPairs, folds: Sequence[ResidualFold], maps: Sequence[Regression]
) -> np.ndarray | None:
    """Residuals of the training stimuli under the refits of all folds.

    Parameters
    ----------
    training : RegressionPairs
        Standardised pairs.
    folds : sequence of ResidualFold
        From `draw_residual_folds`.
    maps : sequence of Regression
        The refit of each fold.

    Returns
    -------
    residual : array of shape (n_stimuli, n_targets), float64, or None
        Target minus prediction; None without folds.
    """
    if not folds:
        return None
    residual = np.empty(training.targets.shape)
    for fold, other in zip(folds, maps, strict=True):
        prediction = other.predict(training.inputs[fold.held_out])
        residual[fold.held_out] = training.targets[fold.held_out] - prediction
    return residual
