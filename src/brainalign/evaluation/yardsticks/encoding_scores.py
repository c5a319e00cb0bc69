"""Encoding scores of all layers for one subject: per unit, per area, best layer by validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.evaluation.yardsticks.layer_encoding import (
    EncodingSplit,
    bootstrap_correlations,
    correlate_units,
    normalise_correlations,
    predict_responses,
)
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.recordings import YardstickSubject
from brainalign.evaluation.yardsticks.resampling import draw_weights

TASK = "layer_encoding"
BEST = "best layer on validation"
EACH = "each layer"
TakeFeatures = Callable[[str, NDArray[np.str_]], NDArray[np.floating]]
"""Gives the features of a layer for stimuli by their ids."""


def score_encoding(
    subject: YardstickSubject,
    layers: Iterable[str],
    take_features: TakeFeatures,
    options: YardstickOptions,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the responses of one subject from each layer.

    Parameters
    ----------
    subject : YardstickSubject
        Mean responses.
    layers : iterable of str
        Paths of layers in the feature store.
    take_features : callable
        Features of a layer for stimuli by id.
    options : YardstickOptions
        Draws and coverage of the intervals.

    Returns
    -------
    scores : pandas.DataFrame
        Mean over the units of each area: ``pearson`` and ``normalised_pearson``, for each layer
        and for the layer with the highest correlation on validation stimuli.
    units : pandas.DataFrame
        One row per unit and layer.
    """
    recorded = np.concatenate([fold.response["test"] for fold in subject.folds])
    weights = draw_weights(len(recorded), options.n_bootstrap, options.seed)
    units, draws = [], {}
    for layer in layers:
        validation, predicted = _predict_layer(subject, layer, take_features)
        correlation = correlate_units(predicted, recorded)
        draws[layer] = bootstrap_correlations(predicted, recorded, weights)
        units.append(
            pd.DataFrame(
                {
                    "subject": subject.subject,
                    "area": subject.area,
                    "unit": subject.unit,
                    "feature": layer,
                    "validation_pearson": validation,
                    "pearson": correlation,
                    "normalised_pearson": normalise_correlations(
                        correlation, subject.noise_ceiling
                    ),
                    "noise_ceiling": subject.noise_ceiling,
                }
            )
        )
    table = pd.concat(units, ignore_index=True)
    rows = [
        row
        for area in subject.list_areas()
        for row in _summarise_area(subject, area, table, draws, options)
    ]
    return pd.DataFrame(rows).assign(subject=subject.subject, n_queries=len(recorded)), table


def _predict_layer(
    subject: YardstickSubject, layer: str, take_features: TakeFeatures
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlate on validation stimuli, and predict the test stimuli, fold by fold."""
    correlations, predictions = [], []
    for fold in subject.folds:
        feature = {split: take_features(layer, ids) for split, ids in fold.stimulus.items()}
        validation, test = predict_responses(
            EncodingSplit(feature["train"], fold.response["train"]),
            [feature["validation"], feature["test"]],
        )
        correlations.append(correlate_units(validation, fold.response["validation"]))
        predictions.append(test)
    return np.mean(correlations, axis=0), np.concatenate(predictions)


def _summarise_area(
    subject: YardstickSubject,
    area: str,
    table: pd.DataFrame,
    draws: dict[str, NDArray[np.float64]],
    options: YardstickOptions,
) -> list[dict[str, object]]:
    chosen = subject.choose_units(area)
    ceiling = subject.noise_ceiling[chosen]
    by_layer = {layer: table[table["feature"] == layer][chosen] for layer in draws}
    validation = {layer: units["validation_pearson"] for layer, units in by_layer.items()}
    best = max(validation, key=lambda layer: np.nan_to_num(validation[layer]).mean())
    tails = [(1 - options.level) / 2 * 100, (1 + options.level) / 2 * 100]
    rows: list[dict[str, object]] = []
    for layer, units in by_layer.items():
        drawn = draws[layer][:, chosen]
        for metric, values, resampled, bound in (
            ("pearson", units["pearson"], drawn, _average(np.sqrt(np.clip(ceiling, 0, None)))),
            (
                "normalised_pearson",
                units["normalised_pearson"],
                normalise_correlations(drawn, ceiling),
                1.0,
            ),
        ):
            drawn_means = _average(resampled)
            is_known = np.isfinite(drawn_means)
            low, high = (
                np.percentile(drawn_means[is_known], tails) if is_known.any() else (np.nan, np.nan)
            )
            row: dict[str, object] = {
                "area": area,
                "feature": layer,
                "task": TASK,
                "metric": metric,
                "direction": "higher",
                "value": float(_average(values.to_numpy())),
                "ci_low": low,
                "ci_high": high,
                "chance": 0.0,
                "ceiling": bound,
            }
            rows.append({**row, "matching": EACH})
            if layer == best:
                rows.append({**row, "matching": BEST})
    return rows


def _average(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average over units that have a value, along the last axis; NaN where none has."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
