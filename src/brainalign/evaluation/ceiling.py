"""Half-split ceiling: how well half of the repeats identifies the other half."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from brainalign.errors import InputError
from brainalign.evaluation.bootstrap import summarise_queries
from brainalign.evaluation.discriminative import rank_discrimination
from brainalign.evaluation.metrics import list_metrics
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.similarity import compute_compatibility


def estimate_half_split_ceiling(
    half_embedding: ArrayLike,
    stimulus_ids: ArrayLike,
    similarity: str,
    options: EvaluationOptions | None = None,
    stimulus_bias: ArrayLike | None = None,
    response_bias: ArrayLike | None = None,
) -> pd.DataFrame:
    """Match half of the repeats to the other half as a method matches stimuli to responses.

    Parameters
    ----------
    half_embedding : array of shape (n_splits, 2, n_stimuli, dimension)
        Mean responses of two random halves of the repeats, in the method's own space.
    stimulus_ids : array of shape (n_stimuli,)
        Stimulus of each row.
    similarity : str
        The method's own, as for ``compute_compatibility``.
    options : EvaluationOptions, optional
        Metrics and hubness correction; no intervals are drawn.
    stimulus_bias, response_bias : array of shape (n_splits, 2, n_stimuli), optional
        Biases of each half when it stands for the stimuli or for the responses.

    Returns
    -------
    ceiling : DataFrame
        Columns ``task``, ``metric`` and ``ceiling``: the mean over splits and over both
        assignments of the halves.

    Raises
    ------
    InputError
        If the shape is wrong or a half is not finite, as with fewer than two repeats.

    Notes
    -----
    A reference and not an upper bound: both sides carry the noise of half the repeats, while a
    model's side carries none, so a good model can lie above it.
    """
    options = options or EvaluationOptions()
    halves = np.asarray(half_embedding)
    _check_halves(halves, np.shape(stimulus_ids))
    metrics = list_metrics(options)
    totals: dict[str, NDArray[np.float64]] = {}
    for split in range(len(halves)):
        for stimulus_half, response_half in ((0, 1), (1, 0)):
            compatibility = compute_compatibility(
                halves[split, stimulus_half],
                halves[split, response_half],
                similarity,
                _take_half(stimulus_bias, split, stimulus_half),
                _take_half(response_bias, split, response_half),
            )
            ranks = rank_discrimination(compatibility, stimulus_ids, stimulus_ids, options)
            for task, queries in ranks.list_tasks():
                values = [summarise_queries(m.score_queries(queries), m.statistic) for m in metrics]
                totals[task] = totals.get(task, np.zeros(len(metrics))) + np.array(values)
    return pd.DataFrame(
        [
            {"task": task, "metric": metric.name, "ceiling": float(total / (2 * len(halves)))}
            for task, task_totals in totals.items()
            for metric, total in zip(metrics, task_totals, strict=True)
        ]
    )


def _check_halves(halves: NDArray[np.floating], ids_shape: tuple[int, ...]) -> None:
    if halves.ndim != 4 or halves.shape[1] != 2 or halves.shape[2:3] != ids_shape:
        raise InputError(
            "half embeddings have the wrong shape",
            where="half_embedding",
            expected=f"(n_splits, 2, n_stimuli, dimension) for ids of shape {ids_shape}",
            found=halves.shape,
        )
    if not np.isfinite(halves).all():
        raise InputError(
            "half embeddings are not finite",
            where="half_embedding",
            remedy="Leave out stimuli with fewer than two repeats.",
        )


def _take_half(bias: ArrayLike | None, split: int, half: int) -> NDArray[np.floating] | None:
    return None if bias is None else np.asarray(bias)[split, half]
