"""How well one layer predicts responses: cross-validated ridge, per unit and with intervals."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import InputError

ALPHAS = np.logspace(-1, 6, 8)
"""Candidates of the ridge penalty, for features of unit variance; each unit has its own."""
_N_FOLDS = 5


@dataclass(frozen=True)
class EncodingSplit:
    """Features of one layer and mean responses of one subject to the same stimuli.

    Attributes
    ----------
    feature : array of shape (n_stimuli, n_features)
        One layer.
    response : array of shape (n_stimuli, n_units)
        Mean over repeats.
    """

    feature: NDArray[np.floating]
    response: NDArray[np.floating]


def predict_responses(
    training: EncodingSplit, features: list[NDArray[np.floating]]
) -> list[NDArray[np.float64]]:
    """Fit ridge regression to all units and predict them from other features.

    Parameters
    ----------
    training : EncodingSplit
        Sets means, scales and, by five-fold cross-validation, the penalty of each unit.
    features : list of array of shape (n_stimuli, n_features)
        Features of other stimuli.

    Returns
    -------
    predictions : list of array of shape (n_stimuli, n_units)
        One per element of `features`, in the unit of the training responses.

    Raises
    ------
    InputError
        If a response or a feature is not finite.

    Notes
    -----
    himalaya's ``RidgeCV`` (Dupré la Tour et al. 2022). Features that do not vary in training are
    left out. The sum of squared features is scaled to the same for all layers, so that one grid of
    penalties serves wide and narrow ones.
    """
    from himalaya.ridge import RidgeCV

    for name, values in (("features", training.feature), ("responses", training.response)):
        if not np.isfinite(values).all():
            raise InputError(f"{name} of the training stimuli are not finite")
    mean, scale = training.feature.mean(axis=0), training.feature.std(axis=0)
    kept = scale > 1e-6 * np.abs(mean).clip(1e-12)
    if not kept.any():
        raise InputError("no feature of the layer varies over the training stimuli")
    center = training.response.mean(axis=0)

    def standardise(values: NDArray[np.floating]) -> NDArray[np.float64]:
        standard = (values[:, kept] - mean[kept]) / scale[kept]
        return standard.astype(np.float64) * np.sqrt(1000.0 / kept.sum())

    model = RidgeCV(alphas=ALPHAS, fit_intercept=False, cv=_N_FOLDS)
    with warnings.catch_warnings():
        # himalaya advises the kernel form for wide layers; both give the same predictions.
        warnings.simplefilter("ignore")
        model.fit(standardise(training.feature), (training.response - center).astype(np.float64))
    return [model.predict(standardise(values)) + center for values in features]


def correlate_units(
    predicted: NDArray[np.floating], recorded: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Pearson correlation over stimuli, unit by unit.

    Parameters
    ----------
    predicted, recorded : array of shape (n_stimuli, n_units)
        Responses to the same stimuli.

    Returns
    -------
    correlation : array of shape (n_units,)
        NaN where a unit has no variance or a missing response; 0 where only the prediction is
        constant, which explains nothing.
    """
    weights = np.ones((1, len(recorded)))
    return bootstrap_correlations(predicted, recorded, weights)[0]


def bootstrap_correlations(
    predicted: NDArray[np.floating],
    recorded: NDArray[np.floating],
    weights: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Correlate units over draws of stimuli, all draws at once.

    Parameters
    ----------
    predicted, recorded : array of shape (n_stimuli, n_units)
        Responses to the same stimuli.
    weights : array of shape (n_draws, n_stimuli)
        How often each stimulus is drawn.

    Returns
    -------
    correlation : array of shape (n_draws, n_units)
        As :func:`correlate_units` for each draw.
    """
    # Centring first keeps the sums of squares from cancelling.
    x = (predicted - predicted.mean(axis=0)).astype(np.float64)
    y = (recorded - recorded.mean(axis=0)).astype(np.float64)
    total = weights.sum(axis=1, keepdims=True)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    covariance = weights @ (x * y) / total - mean_x * mean_y
    variance_x = weights @ (x * x) / total - mean_x**2
    variance_y = weights @ (y * y) / total - mean_y**2
    tiny_x, tiny_y = (1e-12 * (values**2).mean(axis=0) for values in (x, y))
    is_flat = variance_x <= np.maximum(tiny_x, 1e-24)
    product = np.sqrt(np.where(is_flat, 1.0, variance_x) * np.clip(variance_y, 0.0, None))
    correlation = np.divide(
        covariance, product, out=np.full_like(covariance, np.nan), where=variance_y > tiny_y
    )
    return np.where(is_flat & np.isfinite(correlation), 0.0, correlation)


def normalise_correlations(
    correlation: NDArray[np.floating], noise_ceiling: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Divide correlations by the highest that noise allows.

    Parameters
    ----------
    correlation : array of shape (..., n_units)
        Correlation of predictions with mean responses.
    noise_ceiling : array of shape (n_units,)
        Explainable share of the variance of the mean responses.

    Returns
    -------
    normalised : array of shape (..., n_units)
        ``r / sqrt(ceiling)``; NaN where the ceiling is not above 0. May exceed 1 by chance.

    Notes
    -----
    Schoppe et al. (2016), for responses whose signal and noise add up.
    """
    root = np.sqrt(np.where(noise_ceiling > 0, noise_ceiling, np.nan))
    return np.asarray(correlation, dtype=np.float64) / root
