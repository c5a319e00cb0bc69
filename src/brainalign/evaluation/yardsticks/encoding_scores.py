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
    best = max(by_layer, key=lambda layer: np.nanmean(by_layer[layer]["validation_pearson"]))
    tails = [(1 - options.level) / 2 * 100, (1 + options.level) / 2 * 100]
    rows: list[dict[str, object]] = []
    for layer, units in by_layer.items():
        drawn = draws[layer][:, chosen]
        for metric, values, resampled, bound in (
            ("pearson", units["pearson"], drawn, np.sqrt(np.clip(ceiling, 0, None)).mean()),
            (
                "normalised_pearson",
                units["normalised_pearson"],
                normalise_correlations(drawn, ceiling),
                1.0,
            ),
        ):
            low, high = np.percentile(np.nanmean(resampled, axis=1), tails)
            row: dict[str, object] = {
                "area": area,
                "feature": layer,
                "task": TASK,
                "metric": metric,
                "direction": "higher",
                "value": np.nanmean(values),
                "ci_low": low,
                "ci_high": high,
                "chance": 0.0,
                "ceiling": bound,
            }
            rows.append({**row, "matching": EACH})
            if layer == best:
                rows.append({**row, "matching": BEST})
    return rows
