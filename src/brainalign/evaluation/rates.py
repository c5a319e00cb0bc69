"""Score predicted rates: every subject, seed and protocol, with intervals over cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.evaluation.bootstrap import bootstrap_interval, summarise_queries
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.population import identify_segments
from brainalign.evaluation.rate_metrics import (
    average_repeats,
    compute_bits_per_spike,
    correlate_rates,
    correlate_shifted,
    estimate_ceiling,
)
from brainalign.evaluation.spike_durations import (
    REASONS,
    Direction,
    Reason,
    compare_durations,
    compute_duration_distance,
    measure_durations,
)
from brainalign.stores.read import read_labels

ALL = "all"
TASK = "rate_prediction"
ALPHAS = (0.3, 0.5)
"""Bandwidth factors of SD-KL: that of the paper, and the default of the public code."""

DIRECTIONS: tuple[Direction, ...] = ("code", "paper")
KEYS = ["subject", "area", "matching", "seed"]


def score_rates(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score the predicted rates of one method on one data set with one backbone.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions`` with ``predicted_response``.
    options : EvaluationOptions
        Bootstrap draws, coverage and seed.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy: one row per subject, protocol (column ``matching``), seed and metric. Where a
        protocol has several folds, cells have their mean over folds, and each fold has rows of
        its own (``cross_movie on <tested movies>``). Intervals are over cells; in rows that pool
        over seeds each cell has its mean over seeds.
    details : dict of str to pandas.DataFrame
        ``units``: every metric of every cell; ``population``: identification of moments against
        the number of cells.

    Notes
    -----
    Chance of correlations is that of circular shifts, of durations that of the recorded rate
    in a random order. The ceiling of SD-KL is half of the repeats against the other half, which
    it may beat: it is biased by the noise of a half. Likelihoods have no ceiling here, since a
    model-free one depends on how recorded rates are smoothed.
    """
    tables, populations = [], []
    for subject, area, protocol, group in _iterate_groups(predictions):
        names = {"subject": subject, "area": area, "matching": protocol}
        for fold in np.unique(group["fold"].values):
            # A model per fold: their predictions are never joined into one trace.
            tested = group.isel(frame=np.flatnonzero(group["fold"].values == fold))
            movies = ", ".join(dict.fromkeys(read_labels(tested, "movie").tolist()))
            recorded, reference = _measure_recording(tested, options.seed)
            for position, seed in enumerate(group["seed"].values):
                part: dict[str, Any] = {
                    **names,
                    "fold": int(fold),
                    "tested_movies": movies,
                    "seed": str(seed),
                }
                table = _measure_units(tested, position, recorded, reference)
                tables.append(table.assign(**part))
                segments = identify_segments(
                    tested["predicted_response"].values[position],
                    recorded,
                    tested["stretch"].values,
                )
                populations.append(segments.assign(**part))
    units = pd.concat(tables, ignore_index=True)
    scores = [
        _summarise(rows, options).assign(**dict(zip(KEYS, map(str, key), strict=True)))
        for key, rows in _pool(units).groupby(KEYS, sort=False)
    ]
    details = {"units": units, "population": pd.concat(populations, ignore_index=True)}
    if not len(details["population"]):
        del details["population"]
    return _add_seed_spread(pd.concat(scores, ignore_index=True)), details


def _iterate_groups(predictions: xr.DataTree) -> Iterator[tuple[str, str, str, xr.Dataset]]:
    for node in predictions.subtree:
        if "predicted_response" in node.data_vars:
            subject, area, protocol = node.path.strip("/").split("/")
            yield subject, area, protocol, node.to_dataset()


def _measure_recording(group: xr.Dataset, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Mean rate in Hz, and what the recording says about itself: ceilings and durations."""
    count = group["recorded_response"].values
    frame_rate = float(group.attrs["frame_rate_hz"])
    recorded = average_repeats(count) * frame_rate
    halves = [average_repeats(count[start::2]) * frame_rate for start in (0, 1)]
    shuffled = np.random.default_rng(seed).permutation(len(recorded))
    return recorded, {
        "ceiling": estimate_ceiling(count, seed),
        "durations": _list_durations(recorded),
        "halves": [_list_durations(np.nan_to_num(half)) for half in halves],
        "shuffled": _list_durations(recorded[shuffled]),
        "has_halves": len(count) > 1,
    }


def _list_durations(rate: np.ndarray) -> list[np.ndarray]:
    return [measure_durations(trace) for trace in rate.T]


def _measure_units(
    group: xr.Dataset, position: int, recorded: np.ndarray, reference: dict[str, Any]
) -> pd.DataFrame:
    """Every metric of every cell of one seed, with chance and ceiling beside it."""
    predicted = group["predicted_response"].values[position].astype(np.float64)
    # Cells that a fit left out have no score at all.
    fitted = np.isfinite(predicted).all(0)
    chosen = np.flatnonzero(fitted)
    predicted, recorded = predicted[:, chosen], recorded[:, chosen]
    correlation = correlate_rates(predicted, recorded)
    ceiling = reference["ceiling"][chosen]
    chance = correlate_shifted(predicted, recorded)
    columns: dict[str, Any] = {
        "unit": read_labels(group, "unit")[chosen],
        "correlation": correlation,
        "correlation.chance": chance,
        "correlation.ceiling": ceiling,
        "normalised_correlation": correlation / ceiling,
        "normalised_correlation.chance": chance / ceiling,
        "normalised_correlation.ceiling": np.where(np.isfinite(ceiling), 1.0, np.nan),
        "bits_per_spike": compute_bits_per_spike(
            predicted,
            recorded,
            group["mean_rate"].values[:, chosen],
            float(group.attrs["frame_rate_hz"]),
        ),
        "bits_per_spike.chance": np.zeros(len(chosen)),
        "rmse_hz": np.sqrt(((predicted - recorded) ** 2).mean(0)),
        "negative_share": (predicted < 0).mean(0),
    }
    for control in ("reversed", "shuffled"):
        name = f"predicted_response_{control}"
        if name in group:
            shown = group[name].values[position][:, chosen]
            columns[f"correlation_{control}_stimulus"] = correlate_rates(shown, recorded)
            columns[f"correlation_{control}_stimulus.chance"] = np.zeros(len(chosen))
    return pd.DataFrame(columns | _measure_durations(predicted, chosen, reference))


def _measure_durations(
    predicted: np.ndarray, chosen: np.ndarray, reference: dict[str, Any]
) -> dict[str, Any]:
    durations = _list_durations(predicted)
    recorded = [reference["durations"][unit] for unit in chosen]
    halves = [[half[unit] for unit in chosen] for half in reference["halves"]]
    shuffled = [reference["shuffled"][unit] for unit in chosen]
    # Prediction, chance and ceiling, each beside what it is compared with.
    compared: list[list[tuple[np.ndarray, np.ndarray]]] = [
        list(zip(durations, recorded, strict=True)),
        list(zip(shuffled, recorded, strict=True)),
        list(zip(halves[1], halves[0], strict=True)) if reference["has_halves"] else [],
    ]
    columns: dict[str, Any] = {}
    for direction in DIRECTIONS:
        for alpha in ALPHAS:
            columns |= _compare_all(
                f"sd_kl_{direction}_{alpha}",
                [
                    [compare_durations(*pair, alpha, direction) for pair in pairs]
                    for pairs in compared
                ],
            )
    pairs = {"": durations, ".chance": shuffled}
    for suffix, own in pairs.items():
        columns[f"duration_distance{suffix}"] = [
            compute_duration_distance(first, second)
            for first, second in zip(own, recorded, strict=True)
        ]
    columns["duration_distance.ceiling"] = [
        compute_duration_distance(second, first) for first, second in zip(*halves, strict=True)
    ]
    return columns


def _compare_all(
    name: str, results: list[list[tuple[float, Reason]]]
) -> dict[str, list[float] | float]:
    """Columns of one SD-KL: ordinary values, published ones, and marks of degenerate cells.

    An ordinary value is NaN where the divergence is infinite or undefined, so that no mean over
    folds, seeds or cells mixes it with the 1000 that stands for it in the published convention.
    """
    columns: dict[str, list[float] | float] = {}
    for suffix, pairs in zip(("", ".chance", ".ceiling"), results, strict=True):
        columns[name + suffix] = [np.nan if reason else value for value, reason in pairs] or np.nan
        columns[f"{name}.published{suffix}"] = [value for value, _ in pairs] or np.nan
    for reason in REASONS:
        mark = f"{name}.{reason.replace(' ', '_')}"
        columns[mark] = [float(found == reason) for _, found in results[0]]
    return columns


def _pool(units: pd.DataFrame) -> pd.DataFrame:
    """Average each cell over folds and over seeds, and join the cells of all subjects."""
    tables = [_average(units, ["subject", "area", "matching", "unit", "seed"])]
    if (units.groupby("matching")["fold"].nunique() > 1).any():
        several = units.groupby("matching")["fold"].transform("nunique") > 1
        alone = units[several]
        tables.append(alone.assign(matching=alone["matching"] + " on " + alone["tested_movies"]))
    by_seed = pd.concat(tables, ignore_index=True)
    over_seeds = _average(by_seed, ["subject", "area", "matching", "unit"]).assign(seed=ALL)
    tables = [by_seed, over_seeds]
    if units["subject"].nunique() > 1:
        tables += [table.assign(subject=ALL) for table in tables]
    return pd.concat(tables, ignore_index=True)


def _average(units: pd.DataFrame, identity: list[str]) -> pd.DataFrame:
    known = {*identity, "fold", "seed", "matching", "tested_movies", "unit", "subject"}
    numbers = [name for name in units.columns if name not in {*known, "area"}]
    return units.groupby(identity, sort=False)[numbers].mean().reset_index()


def _summarise(rows: pd.DataFrame, options: EvaluationOptions) -> pd.DataFrame:
    scores = []
    for metric, column, statistic, direction in _list_metrics(rows):
        values = _transform(metric, rows[column].to_numpy(np.float64))
        known = np.isfinite(values)
        low, high = np.nan, np.nan
        if known.any():
            low, high = bootstrap_interval(
                values, statistic, options.n_bootstrap, options.level, options.seed
            )
        scores.append(
            {
                "metric": metric,
                "direction": direction,
                "value": summarise_queries(values, statistic),
                "ci_low": low,
                "ci_high": high,
                "chance": _summarise_reference(rows, metric, f"{column}.chance", statistic),
                "ceiling": _summarise_reference(rows, metric, f"{column}.ceiling", statistic),
                # The others are undefined: a constant rate has no correlation.
                "n_queries": int(known.sum()),
            }
        )
    scores += _count_degenerate(rows)
    return pd.DataFrame(scores).assign(task=TASK, response="mean")


def _list_metrics(
    rows: pd.DataFrame,
) -> Iterator[tuple[str, str, Literal["mean", "median"], str]]:
    """Name of the metric, column of the cells, statistic over cells, better direction."""
    yield "correlation", "correlation", "mean", "higher"
    yield "correlation_median", "correlation", "median", "higher"
    # Conventions of the public code, for comparison with its numbers only.
    yield "correlation_absolute", "correlation", "mean", "higher"
    yield "correlation_of_positive_cells", "correlation", "mean", "higher"
    yield "share_of_positive_cells", "correlation", "mean", "higher"
    yield "normalised_correlation", "normalised_correlation", "mean", "higher"
    yield "bits_per_spike", "bits_per_spike", "mean", "higher"
    yield "rmse_hz", "rmse_hz", "mean", "lower"
    yield "negative_share", "negative_share", "mean", "lower"
    for control in ("reversed", "shuffled"):
        name = f"correlation_{control}_stimulus"
        if name in rows:
            yield name, name, "mean", "zero"
    for direction in DIRECTIONS:
        for alpha in ALPHAS:
            name = f"sd_kl_{direction}_{alpha}"
            yield f"{name}_median", name, "median", "lower"
            yield f"{name}_mean", name, "mean", "lower"
            # 1000 for each degenerate cell: comparable with published numbers, with nothing else.
            yield f"{name}_published_mean", f"{name}.published", "mean", "lower"
    yield "duration_distance_median", "duration_distance", "median", "lower"


def _transform(metric: str, values: np.ndarray) -> np.ndarray:
    if metric == "correlation_absolute":
        # The public scalar counts an undefined correlation as 0.
        return np.abs(np.nan_to_num(values))
    if metric == "correlation_of_positive_cells":
        return np.where(values > 0, values, np.nan)
    if metric == "share_of_positive_cells":
        return np.where(np.isfinite(values), values > 0, np.nan)
    return values


def _summarise_reference(
    rows: pd.DataFrame, metric: str, column: str, statistic: Literal["mean", "median"]
) -> float:
    if column not in rows or metric == "share_of_positive_cells":
        return float("nan")
    return summarise_queries(_transform(metric, rows[column].to_numpy(np.float64)), statistic)


def _count_degenerate(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Cells whose SD-KL is infinite or undefined, in all and by reason; most underflow.

    In rows that pool, the count is the mean over folds and seeds.
    """
    counts: list[dict[str, Any]] = []
    for direction in DIRECTIONS:
        for alpha in ALPHAS:
            name = f"sd_kl_{direction}_{alpha}"
            by_reason = {
                f"cells_with_{mark}": float(rows[f"{name}.{mark}"].sum())
                for mark in (reason.replace(" ", "_") for reason in REASONS)
            }
            named = {"degenerate_cells": sum(by_reason.values()), **by_reason}
            counts += [
                {
                    "metric": f"{name}_{kind}",
                    "direction": "lower",
                    "value": value,
                    "ci_low": np.nan,
                    "ci_high": np.nan,
                    "chance": np.nan,
                    "ceiling": np.nan,
                    "n_queries": len(rows),
                }
                for kind, value in named.items()
            ]
    return counts


def _add_seed_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """Give pooled rows the SD of the value over seeds."""
    keys = ["subject", "area", "matching", "metric"]
    spread = scores[scores["seed"] != ALL].groupby(keys)["value"].std().rename("seed_sd")
    joined = scores.merge(spread.reset_index(), on=keys, how="left")
    joined.loc[joined["seed"] != ALL, "seed_sd"] = np.nan
    return joined
