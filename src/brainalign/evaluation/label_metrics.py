"""Metrics of label scores under many resamplings of the stimuli at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LABEL_METRICS = {"map": "higher", "auc": "higher", "hamming": "lower"}
"""Name of each metric and which direction is better."""

_THRESHOLD = 0.5


def compute_average_precision(score: Array, label: NDArray[np.bool_], weight: Array) -> Array:
    """Average precision of one class in every resampling.

    Parameters
    ----------
    score : array of shape (n_stimuli,)
        Larger means more likely.
    label : array of shape (n_stimuli,), bool
        Truth.
    weight : array of shape (n_draws, n_stimuli)
        How often each draw holds each stimulus.

    Returns
    -------
    precision : array of shape (n_draws,)
        NaN where a draw has no positive.

    Notes
    -----
    ``sum_k (R_k - R_{k-1}) P_k`` over distinct scores from the highest down, as
    `sklearn.metrics.average_precision_score` with sample weights.
    """
    order = np.argsort(-score, kind="stable")
    ends = _find_ends(score[order])
    ordered = weight[:, order]
    hits = np.cumsum(ordered * label[order], axis=1)[:, ends]
    shown = np.cumsum(ordered, axis=1)[:, ends]
    precision = np.divide(hits, shown, out=np.zeros_like(hits), where=shown > 0)
    gained = np.diff(hits, axis=1, prepend=0.0)
    total = hits[:, -1]
    value = (gained * precision).sum(axis=1)
    return np.divide(value, total, out=np.full(len(weight), np.nan), where=total > 0)


def share_precision(score: Array, label: NDArray[np.bool_]) -> Array:
    """Share out the mean average precision of all classes among the stimuli.

    Parameters
    ----------
    score, label : array of shape (n_stimuli, n_classes)
        Scores and truth.

    Returns
    -------
    share : array of shape (n_stimuli,)
        Their mean is the mean average precision; NaN if no class has a positive.

    Notes
    -----
    Average precision is the mean over positives of the precision at their place. A stimulus gets
    that of the classes it shows, times ``n_stimuli / n_positives``, as a mean over classes. The
    places depend on the other stimuli, as ranks in a gallery do.
    """
    n_stimuli = len(label)
    known = np.flatnonzero(label.any(axis=0))
    share = np.zeros(n_stimuli)
    for k in known:
        order = np.argsort(-score[:, k], kind="stable")
        ends = _find_ends(score[order, k])
        precision = np.cumsum(label[order, k])[ends] / (ends + 1)
        # Equal scores share the place of the last of them.
        at_place = precision[np.searchsorted(ends, np.arange(n_stimuli))]
        share[order] += label[order, k] * at_place / label[:, k].sum()
    return share * n_stimuli / len(known) if len(known) else np.full(n_stimuli, np.nan)


def compute_auc(score: Array, label: NDArray[np.bool_], weight: Array) -> Array:
    """Area under the ROC curve of one class in every resampling.

    Parameters
    ----------
    score, label, weight
        As for :func:`compute_average_precision`.

    Returns
    -------
    area : array of shape (n_draws,)
        Share of pairs of a positive and a negative that the positive wins, ties counted half; NaN
        where a draw has no positive or no negative.
    """
    order = np.argsort(score, kind="stable")
    ends = _find_ends(score[order])
    ordered = weight[:, order]
    below = np.cumsum(ordered * ~label[order], axis=1)[:, ends]
    positives = np.diff(np.cumsum(ordered * label[order], axis=1)[:, ends], axis=1, prepend=0.0)
    before = np.concatenate([np.zeros((len(weight), 1)), below[:, :-1]], axis=1)
    won = (positives * (before + below) / 2).sum(axis=1)
    pairs = positives.sum(axis=1) * below[:, -1]
    return np.divide(won, pairs, out=np.full(len(weight), np.nan), where=pairs > 0)


def compute_hamming(score: Array, label: NDArray[np.bool_], weight: Array) -> Array:
    """Share of wrong labels at a threshold of 0.5 over all classes, in every resampling.

    Parameters
    ----------
    score, label : array of shape (n_stimuli, n_classes)
        Probabilities and truth.
    weight : array of shape (n_draws, n_stimuli)
        How often each draw holds each stimulus.
    """
    return weight @ share_wrong_labels(score, label) / weight.sum(axis=1)


def share_wrong_labels(score: Array, label: NDArray[np.bool_]) -> Array:
    """Share of wrong labels of each stimulus at a threshold of 0.5: array of shape (n_stimuli,)."""
    wrong: Array = ((score >= _THRESHOLD) != label).mean(axis=1)
    return wrong


def compute_label_metrics(
    score: Array, label: NDArray[np.bool_], weight: Array, *, legacy_auc: bool
) -> tuple[dict[str, Array], dict[str, Array]]:
    """All metrics of one fit in every resampling, and what chance gives in it.

    Parameters
    ----------
    score, label : array of shape (n_stimuli, n_classes)
        Probabilities and truth.
    weight : array of shape (n_draws, n_stimuli)
        How often each draw holds each stimulus.
    legacy_auc : bool
        Whether classes without positives or negatives count as an AUC of 1.

    Returns
    -------
    value, chance : dict of str to array of shape (n_draws,)
        ``map`` (chance: mean prevalence of the classes that are there), ``auc`` (one half) and
        ``hamming`` (error of always giving each class its more frequent answer).
    """
    classes = range(label.shape[1])
    precision = [compute_average_precision(score[:, k], label[:, k], weight) for k in classes]
    areas = np.stack([compute_auc(score[:, k], label[:, k], weight) for k in classes])
    if legacy_auc:
        areas = np.where(np.isnan(areas), 1.0, areas)
    prevalence = weight @ label / weight.sum(axis=1, keepdims=True)
    value = {
        "map": _average_known(np.stack(precision)),
        "auc": _average_known(areas),
        "hamming": compute_hamming(score, label, weight),
    }
    chance = {
        "map": _average_known(np.where(prevalence > 0, prevalence, np.nan).T),
        "auc": np.full(len(weight), 0.5),
        "hamming": np.minimum(prevalence, 1 - prevalence).mean(axis=1),
    }
    return value, chance


def _find_ends(ordered: Array) -> NDArray[np.intp]:
    """Give the last place of every run of equal scores."""
    return np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)


def _average_known(values: Array) -> Array:
    """Average over the first axis, leaving NaN out; NaN where nothing is known."""
    known = ~np.isnan(values)
    number = known.sum(axis=0)
    total = np.where(known, values, 0).sum(axis=0)
    return np.divide(total, number, out=np.full(values.shape[1], np.nan), where=number > 0)
