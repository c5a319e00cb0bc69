"""Mean average precision on small validation splits; imports no torch."""

from __future__ import annotations

import numpy as np


def compute_mean_average_precision(score: np.ndarray, label: np.ndarray) -> float:
    """Average precision per class, mean over the classes that are there.

    Parameters
    ----------
    score : array of shape (n_samples, n_classes)
        Larger means more likely.
    label : array of shape (n_samples, n_classes), bool
        Truth.

    Returns
    -------
    precision : float
        NaN where no class has a positive. Tied scores are one threshold, so that a constant score
        gives the prevalence.
    """
    present = label.any(axis=0)
    values = [_compute_average_precision(score[:, k], label[:, k]) for k in np.flatnonzero(present)]
    return float(np.mean(values)) if values else float("nan")


def _compute_average_precision(score: np.ndarray, label: np.ndarray) -> float:
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order])
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    precision = hits[ends] / (ends + 1)
    return float(np.sum(np.diff(hits[ends], prepend=0) * precision) / hits[-1])
