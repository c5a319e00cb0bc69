"""Percentile bootstrap over query stimuli, for one method and for the difference of two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainalign.errors import InputError
from brainalign.options import suggest_name

Statistic = Literal["mean", "median"]

# Resampling weights held at once; sized to stay near the processor's cache.
_CHUNK_BYTES = 2**23


@dataclass(frozen=True)
class BootstrapDifference:
    """Difference of two methods on the same queries.

    Attributes
    ----------
    difference : float
        Statistic of the first method less that of the second.
    ci_low, ci_high : float
        Percentile interval of the difference.
    p_value : float
        Two-sided: twice the smaller share of draws on one side of zero, both counted with the
        observed sample (never exactly 0).
    n_queries : int
        Queries on which both methods have a value.
    """

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    n_queries: int


def summarise_queries(values: NDArray[np.float64], statistic: Statistic) -> float:
    """Take the mean or median over the queries that have a value.

    Parameters
    ----------
    values : array of shape (n_queries,)
        NaN for queries without a value.
    statistic : {'mean', 'median'}
        What is taken.

    Returns
    -------
    summary : float
        NaN if no query has a value.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan")
    return float(np.mean(known) if statistic == "mean" else np.median(known))


def bootstrap_interval(
    values: ArrayLike,
    statistic: Statistic = "mean",
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Percentile interval of a mean or median over queries.

    Parameters
    ----------
    values : array of shape (n_queries,) or (n_queries, n_metrics)
        One value per query; all metrics see the same draws. NaN says that a query has no value:
        it has no weight in any draw of that metric.
    statistic : {'mean', 'median'}
        What is taken over the queries.
    n_draws : int
        Bootstrap draws.
    level : float
        Coverage of the interval, in (0, 1).
    seed : int
        Seed of the draws.
    groups : array of shape (n_queries,), optional
        Stimulus of each query. Stimuli are drawn with all their queries, because trials of one
        stimulus are not independent. By default each query is its own stimulus.

    Returns
    -------
    interval : array of shape (2,) or (2, n_metrics)
        Lower and upper end; NaN where no query has a value.

    Raises
    ------
    InputError
        If the statistic is unknown, or shapes or level do not fit.

    Notes
    -----
    Efron (1979). The gallery stays as it is: the interval holds for new queries against this
    gallery and ignores that the gallery is a sample, too.
    """
    array = np.asarray(values, dtype=np.float64)
    columns = array[:, None] if array.ndim == 1 else array
    draws = _draw_statistics([columns], statistic, n_draws, seed, groups)[0]
    return _take_percentiles(draws, level).reshape((2, *array.shape[1:]))


def paired_bootstrap_difference(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Statistic = "mean",
    n_draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    groups: ArrayLike | None = None,
) -> BootstrapDifference:
    """Compare two methods on the same queries by drawing the queries of both together.

    Parameters
    ----------
    first, second : array of shape (n_queries,)
        One value per query and method, aligned by query id. A query that is NaN in either is
        left out of both.
    statistic, n_draws, level, seed, groups
        As in :func:`bootstrap_interval`.

    Returns
    -------
    comparison : BootstrapDifference
        ``statistic(first) - statistic(second)`` with its interval and two-sided p value; all
        NaN where no query has both values.

    Raises
    ------
    InputError
        If the two do not have the same queries.

    Notes
    -----
    It does not align: the caller puts both in one order of query ids.
    """
    pair = [np.asarray(values, dtype=np.float64) for values in (first, second)]
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape:
        raise InputError(
            "two methods can only be paired on the same queries",
            expected=f"two lists of length {len(pair[0]) if pair[0].ndim else 0}",
            found=f"shapes {pair[0].shape} and {pair[1].shape}",
            remedy="Align both by query id first.",
        )
    both = np.isfinite(pair[0]) & np.isfinite(pair[1])
    masked = [np.where(both, values, np.nan)[:, None] for values in pair]
    if not both.any():
        return BootstrapDifference(np.nan, np.nan, np.nan, np.nan, 0)
    draws = _draw_statistics(masked, statistic, n_draws, seed, groups)
    difference_draws = (draws[0] - draws[1])[:, 0]
    difference_draws = difference_draws[np.isfinite(difference_draws)]
    low, high = _take_percentiles(difference_draws[:, None], level)[:, 0]
    n_side = min(np.sum(difference_draws <= 0), np.sum(difference_draws >= 0))
    return BootstrapDifference(
        difference=summarise_queries(pair[0][both], statistic)
        - summarise_queries(pair[1][both], statistic),
        ci_low=float(low),
        ci_high=float(high),
        p_value=float(min(1.0, 2 * (n_side + 1) / (len(difference_draws) + 1))),
        n_queries=int(both.sum()),
    )


def _draw_statistics(
    tables: list[NDArray[np.float64]],
    statistic: str,
    n_draws: int,
    seed: int,
    groups: ArrayLike | None,
) -> list[NDArray[np.float64]]:
    """Statistic of each table's columns under the same draws: arrays (n_draws, n_metrics)."""
    if statistic not in _WEIGHTED_STATISTICS:
        raise InputError(
            f"unknown statistic '{statistic}'", remedy=suggest_name(statistic, _WEIGHTED_STATISTICS)
        )
    n_queries = len(tables[0])
    if not n_queries or tables[0].ndim != 2:
        raise InputError(
            "a bootstrap needs a value per query",
            expected="shape (n_queries,) or (n_queries, n_metrics), with queries",
            found=tables[0].shape,
        )
    summarise = _WEIGHTED_STATISTICS[statistic]
    chunks: list[list[NDArray[np.float64]]] = [[] for _ in tables]
    for weights in _draw_weights(n_queries, n_draws, seed, groups):
        for table, collected in zip(tables, chunks, strict=True):
            collected.append(summarise(weights, table))
    return [np.concatenate(collected) for collected in chunks]


def _draw_weights(
    n_queries: int, n_draws: int, seed: int, groups: ArrayLike | None
) -> Iterator[NDArray[np.float64]]:
    """Yield how often each draw holds each query, as arrays (n_draws_of_chunk, n_queries)."""
    group = _number_groups(n_queries, groups)
    n_groups = int(group.max()) + 1
    generator = np.random.default_rng(seed)
    chunk_size = max(1, _CHUNK_BYTES // (8 * n_queries))
    for start in range(0, n_draws, chunk_size):
        n_rows = min(chunk_size, n_draws - start)
        drawn = generator.integers(n_groups, size=(n_rows, n_groups))
        drawn += n_groups * np.arange(n_rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=n_rows * n_groups)
        weights = counts.reshape(n_rows, n_groups).astype(np.float64)
        yield weights if groups is None else weights[:, group]


def _number_groups(n_queries: int, groups: ArrayLike | None) -> NDArray[np.intp]:
    if groups is None:
        return np.arange(n_queries)
    labels = np.asarray(groups)
    if labels.shape != (n_queries,):
        raise InputError(
            "each query needs the stimulus it belongs to",
            where="groups",
            expected=f"shape ({n_queries},)",
            found=labels.shape,
        )
    return np.unique(labels, return_inverse=True)[1]


def _average_weighted(
    weights: NDArray[np.float64], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    known = ~np.isnan(table)
    total = weights @ np.where(known, table, 0.0)
    weight = weights @ known.astype(np.float64)
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def _take_weighted_median(
    weights: NDArray[np.float64], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    medians = np.full((len(weights), table.shape[1]), np.nan)
    for column, values in enumerate(table.T):
        order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]
        if len(order):
            medians[:, column] = _take_middle(weights[:, order], values[order])
    return medians


def _take_middle(
    weights: NDArray[np.float64], sorted_values: NDArray[np.float64]
) -> NDArray[np.float64]:
    position = np.cumsum(weights, axis=1)
    n_drawn = position[:, -1:]
    # The element at sorted place p is the first whose cumulative count exceeds p.
    lower = np.count_nonzero(position <= (n_drawn - 1) // 2, axis=1)
    upper = np.count_nonzero(position <= n_drawn // 2, axis=1)
    last = len(sorted_values) - 1
    middle = (sorted_values[np.minimum(lower, last)] + sorted_values[np.minimum(upper, last)]) / 2
    return np.where(n_drawn[:, 0] > 0, middle, np.nan)


_WEIGHTED_STATISTICS = {"mean": _average_weighted, "median": _take_weighted_median}


def _take_percentiles(draws: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    if not 0 < level < 1:
        raise InputError("a level lies between 0 and 1", where="level", found=level)
    tail = (1 - level) / 2
    interval = np.full((2, draws.shape[1]), np.nan)
    for column, values in enumerate(draws.T):
        defined = values[~np.isnan(values)]
        if len(defined):
            interval[:, column] = np.quantile(defined, [tail, 1 - tail])
    return interval
