"""Encoding scores of all layers for one subject: per unit, per area, best layer by validation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.evaluation.yardsticks.category_scores import (
    FROM_FEATURES,
    Categories,
    check_answers,
    score_answers,
)
from brainalign.evaluation.yardsticks.layer_encoding import (
    EncodingSplit,
    bootstrap_correlations,
    correlate_units,
    normalise_correlations,
    predict_responses,
)
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.recordings import ALL_AREAS, YardstickSubject
from brainalign.evaluation.yardsticks.resampling import draw_weights
from brainalign.evaluation.yardsticks.retrieval_scores import score_retrieval

TASK = "layer_encoding"
BEST = "best layer on validation"
EACH = "each layer"
TakeFeatures = Callable[[str, NDArray[np.str_]], NDArray[np.floating]]
"""Gives the features of a layer for stimuli by their ids."""


@dataclass(frozen=True)
class LayerPrediction:
    """What one layer predicts of one subject.

    Attributes
    ----------
    validation_correlation : array of shape (n_units,)
        Mean over folds.
    test : list of array of shape (n_test_stimuli, n_units)
        Predicted responses, fold by fold.
    is_right : dict of str to array of shape (n_stimuli,)
        Whether categories are told, for ``validation`` and ``test``; empty without categories.
    """

    validation_correlation: NDArray[np.float64]
    test: list[NDArray[np.float64]]
    is_right: dict[str, NDArray[np.float64]]


def score_encoding(
    subject: YardstickSubject,
    layers: Iterable[str],
    take_features: TakeFeatures,
    options: YardstickOptions,
    categories: Categories | None = None,
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
    categories : Categories, optional
        What stimuli show; read out of each layer beside the responses.

    Returns
    -------
    scores : pandas.DataFrame
        Mean over the units of each area: ``pearson`` and ``normalised_pearson``, for each layer
        and for the layer with the highest correlation on validation stimuli; for the latter also
        retrieval both ways. Accuracy of categories for each layer, and for the layer with the
        highest accuracy on validation stimuli.
    units : pandas.DataFrame
        One row per unit and layer.
    """
    recorded = np.concatenate([fold.response["test"] for fold in subject.folds])
    weights = draw_weights(len(recorded), options.n_bootstrap, options.seed)
    units, draws = [], {}
    predictions: dict[str, LayerPrediction] = {}
    for layer in layers:
        predictions[layer] = _predict_layer(subject, layer, take_features, categories)
        validation = predictions[layer].validation_correlation
        predicted = np.concatenate(predictions[layer].test)
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
        for row in _summarise_area(subject, area, table, draws, predictions, options)
    ]
    if categories is not None:
        rows += _summarise_categories(subject, predictions, categories, options)
    return pd.DataFrame(rows).assign(subject=subject.subject), table


def _predict_layer(
    subject: YardstickSubject,
    layer: str,
    take_features: TakeFeatures,
    categories: Categories | None,
) -> LayerPrediction:
    """Predict validation and test stimuli, fold by fold; categories are targets like units."""
    correlations, tests = [], []
    right: dict[str, list[NDArray[np.float64]]] = {"validation": [], "test": []}
    n_units = len(subject.unit)
    for fold in subject.folds:
        feature = {split: take_features(layer, ids) for split, ids in fold.stimulus.items()}
        target = fold.response["train"]
        if categories is not None:
            # One decomposition of the layer serves both; each target has its own penalty.
            target = np.hstack([target, categories.mark(fold.stimulus["train"])])
        predicted = dict(
            zip(
                ("validation", "test"),
                predict_responses(
                    EncodingSplit(feature["train"], target),
                    [feature["validation"], feature["test"]],
                ),
                strict=True,
            )
        )
        validation = predicted["validation"][:, :n_units]
        correlations.append(correlate_units(validation, fold.response["validation"]))
        tests.append(predicted["test"][:, :n_units])
        if categories is not None:
            for split, answers in right.items():
                answer = predicted[split][:, n_units:]
                answers.append(check_answers(answer, fold.stimulus[split], categories))
    return LayerPrediction(
        np.mean(correlations, axis=0),
        tests,
        {split: np.concatenate(answers) for split, answers in right.items() if answers},
    )


def _summarise_categories(
    subject: YardstickSubject,
    predictions: dict[str, LayerPrediction],
    categories: Categories,
    options: YardstickOptions,
) -> list[dict[str, object]]:
    stimuli = np.concatenate([fold.stimulus["test"] for fold in subject.folds])
    validation = {
        layer: np.nan_to_num(one.is_right["validation"]).mean()
        for layer, one in predictions.items()
    }
    best = max(validation, key=lambda layer: validation[layer])
    rows: list[dict[str, object]] = []
    for layer, one in predictions.items():
        row = {
            **score_answers(one.is_right["test"], stimuli, subject, categories, options),
            "area": ALL_AREAS,
            "feature": layer,
            "metric": FROM_FEATURES,
        }
        rows.append({**row, "matching": EACH})
        if layer == best:
            rows.append({**row, "matching": BEST})
    return rows


def _summarise_area(
    subject: YardstickSubject,
    area: str,
    table: pd.DataFrame,
    draws: dict[str, NDArray[np.float64]],
    predictions: dict[str, LayerPrediction],
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
                "n_queries": sum(len(test) for test in predictions[layer].test),
            }
            rows.append({**row, "matching": EACH})
            if layer == best:
                rows.append({**row, "matching": BEST})
    retrieved = score_retrieval(subject, predictions[best].test, chosen, options)
    named: dict[str, object] = {"area": area, "feature": best, "matching": BEST}
    return rows + [{**named, **row} for row in retrieved]


def _average(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average over units that have a value, along the last axis; NaN where none has."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
