"""Linear read-outs of labels: ridge in closed form, logistic by L-BFGS; imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from brainalign.methods.labels.precision import compute_mean_average_precision

Readout = tuple[np.ndarray, np.ndarray]
"""Weights of shape (n_columns, n_classes) and intercepts of shape (n_classes,)."""

_MAX_ITERATIONS = 200


def fit_ridge(values: np.ndarray, label: np.ndarray, penalties: Sequence[float]) -> list[Readout]:
    """Regress labels (0 or 1) on values for each penalty, from one decomposition.

    Parameters
    ----------
    values : array of shape (n_samples, n_columns)
        Standardised responses.
    label : array of shape (n_samples, n_classes)
        0 or 1.
    penalties : sequence of float
        Relative to the sum of the variances of the columns.

    Returns
    -------
    readouts : list of (weights, intercepts)
        One per penalty; the intercept is not penalised.
    """
    centre, mean = values.mean(axis=0), label.mean(axis=0)
    left, strength, axes = np.linalg.svd(values - centre, full_matrices=False)
    projected = left.T @ (label - mean)
    total = np.sum(strength**2)
    readouts = []
    for penalty in penalties:
        shrunk = (strength / (strength**2 + penalty * total))[:, None] * projected
        weights = axes.T @ shrunk
        readouts.append((weights, mean - centre @ weights))
    return readouts


def fit_logistic(
    values: np.ndarray, label: np.ndarray, penalties: Sequence[float]
) -> list[Readout]:
    """Fit multi-label logistic regression for each penalty, strongest first, warm-started.

    Parameters
    ----------
    values, label, penalties
        As for `fit_ridge`; half the penalty times the mean square of the columns stands before
        the squared weights, and losses are means over samples.

    Returns
    -------
    readouts : list of (weights, intercepts)
        In the order of the penalties; the intercept is not penalised.
    """
    n_columns, n_classes = values.shape[1], label.shape[1]
    scale = float(np.mean(values**2)) * n_columns
    start = np.zeros((n_columns + 1, n_classes))
    found: dict[float, Readout] = {}
    for penalty in sorted(set(penalties), reverse=True):
        result = minimize(
            _logistic_loss,
            start.ravel(),
            args=(values, label, penalty * scale),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MAX_ITERATIONS},
        )
        start = result.x.reshape(n_columns + 1, n_classes)
        found[penalty] = (start[:-1].copy(), start[-1].copy())
    return [found[penalty] for penalty in penalties]


def _logistic_loss(
    flat: np.ndarray, values: np.ndarray, label: np.ndarray, penalty: float
) -> tuple[float, np.ndarray]:
    matrix = flat.reshape(values.shape[1] + 1, label.shape[1])
    weights, intercept = matrix[:-1], matrix[-1]
    logit = values @ weights + intercept
    loss = np.logaddexp(0, logit) - label * logit
    error = (expit(logit) - label) / len(values)
    gradient = np.vstack([values.T @ error + penalty * weights, error.sum(axis=0)])
    total = loss.sum() / len(values) + 0.5 * penalty * np.sum(weights**2)
    return float(total), gradient.ravel()


def choose_readout(
    readouts: Sequence[Readout],
    values: np.ndarray,
    label: np.ndarray,
    link: Callable[[np.ndarray], np.ndarray],
) -> tuple[int, list[float]]:
    """Choose the read-out of the highest mean average precision on the validation split.

    Returns
    -------
    chosen : int
        Position; the first one where no class has a positive there.
    precision : list of float
        Of every read-out.
    """
    precision = [
        compute_mean_average_precision(link(values @ weights + intercept), label)
        for weights, intercept in readouts
    ]
    return int(np.argmax(np.nan_to_num(precision, nan=-1))), precision
