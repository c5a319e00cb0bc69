"""Score grouped latents: reconstruction, what each group tells of stimuli, stability over seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm

from brainalign.evaluation.bootstrap import bootstrap_interval
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.variants import iterate_variants
from brainalign.stores.read import read_labels

ALL = "all"
_RIDGE = 1e-3
_LEAST_RIDGE = 1e-9
# Without held-out data nothing can be scored.
_FEWEST = 3

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LatentSet:
    """Latents of one seed, divided into training and test stimuli.

    Attributes
    ----------
    training, test : array of shape (n_stimuli, n_latents)
        Latents.
    """

    training: Array
    test: Array


def score_group_latents(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score every group of a store that holds grouped latents.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions``.
    options : EvaluationOptions
        Bootstrap.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy; ``matching`` is the variant and ``response`` the group of latents. Tasks:
        ``reconstruction`` (R2, and bits per spike of Poisson fits), ``label_information`` (held-out
        accuracy and R2 of read-outs from one group), ``group_independence`` and ``stability``.
    details : dict of str to pandas.DataFrame
        ``reconstructed_units``: R2 and ceiling of every unit.
    """
    rows: list[dict[str, object]] = []
    units = []
    for place, group in iterate_variants(predictions, "group_latent"):
        names = {"subject": place.subject, "area": place.area, "matching": place.variant}
        rows += [{**names, **row} for row in _score_group(group, options)]
        units.append(_list_units(group).assign(**names))
    return pd.DataFrame(rows), {"reconstructed_units": pd.concat(units, ignore_index=True)}


def _score_group(group: xr.Dataset, options: EvaluationOptions) -> Iterator[dict[str, object]]:
    split = read_labels(group, "split")
    training, test = split == "train", split == "test"
    if test.sum() < _FEWEST or training.sum() < _FEWEST:
        return
    seeds = [str(seed) for seed in group["seed"].values]
    latents = [
        LatentSet(latent[training].astype(np.float64), latent[test].astype(np.float64))
        for latent in group["group_latent"].values
    ]
    yield from _pool(list(_score_reconstruction(group, test, seeds, options)))
    yield from _pool(list(_score_labels(group, training, test, latents, seeds, options)))
    yield from _score_independence(group, latents, seeds)
    yield from _score_stability(group, latents, options)


def measure_reconstruction(observed: Array, predicted: Array) -> Array:
    """R2 of every unit over stimuli.

    Parameters
    ----------
    observed, predicted : array of shape (n_stimuli, n_units)
        NaN where a unit was not recorded.

    Returns
    -------
    r2 : array of shape (n_units,)
        NaN for units without variance.
    """
    there = np.isfinite(observed)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, observed, 0).sum(axis=0) / count
    error = np.where(there, (observed - predicted) ** 2, 0).sum(axis=0)
    total = np.where(there, (observed - mean) ** 2, 0).sum(axis=0)
    return 1 - np.divide(error, total, out=np.full_like(error, np.nan), where=total > 0)


def _score_reconstruction(
    group: xr.Dataset, test: NDArray[np.bool_], seeds: list[str], options: EvaluationOptions
) -> Iterator[dict[str, object]]:
    observed = group["observed_response"].values[test].astype(np.float64)
    ceiling = group["unit_ceiling"].values
    generator = np.random.default_rng(options.seed)
    draws = generator.integers(len(observed), size=(options.n_bootstrap, len(observed)))
    for position, seed in enumerate(seeds):
        predicted = group["reconstructed_response"].values[position][test].astype(np.float64)
        drawn = _draw_reconstruction(observed, predicted, draws)
        yield {
            "task": "reconstruction",
            "metric": "r2",
            "direction": "higher",
            "response": "mean",
            "seed": seed,
            "value": float(np.nanmean(measure_reconstruction(observed, predicted))),
            **_take_interval(drawn, options),
            "chance": 0.0,
            "ceiling": float(np.nanmean(ceiling)) if np.isfinite(ceiling).any() else np.nan,
            "n_queries": len(observed),
        }
        if "likelihood_gain" in group:
            gain = group["likelihood_gain"].values[position][test]
            spikes = group["n_spikes"].values[test]
            bits = gain[draws].sum(axis=1) / (spikes[draws].sum(axis=1) * np.log(2))
            yield {
                "task": "reconstruction",
                "metric": "bits_per_spike",
                "direction": "higher",
                "response": "mean",
                "seed": seed,
                "value": float(gain.sum() / (spikes.sum() * np.log(2))),
                **_take_interval(bits, options),
                "chance": 0.0,
                "ceiling": np.nan,
                "n_queries": len(observed),
            }


def _draw_reconstruction(observed: Array, predicted: Array, draws: NDArray[np.int64]) -> Array:
    """Mean R2 over units under bootstrap draws of stimuli, by weighted sums."""
    weight = np.stack([np.bincount(draw, minlength=len(observed)) for draw in draws]).astype(float)
    there = np.isfinite(observed).astype(float)
    filled = np.nan_to_num(observed)
    count = np.maximum(weight @ there, 1)
    total = weight @ (filled**2) - (weight @ filled) ** 2 / count
    error = weight @ (there * (filled - np.nan_to_num(predicted)) ** 2)
    share = np.divide(error, total, out=np.full_like(error, np.nan), where=total > 1e-12)
    return np.nanmean(1 - share, axis=1)


def _score_labels(
    group: xr.Dataset,
    training: NDArray[np.bool_],
    test: NDArray[np.bool_],
    latents: list[LatentSet],
    seeds: list[str],
    options: EvaluationOptions,
) -> Iterator[dict[str, object]]:
    category = read_labels(group, "category")
    member = read_labels(group, "latent_group")
    columns = {str(name): member == name for name in read_labels(group, "group")}
    columns = {**columns, ALL: np.ones(len(member), dtype=bool)}
    named = category[training & (category != "")]
    names, counts = np.unique(named, return_counts=True)
    for position, seed in enumerate(seeds):
        for name, chosen in columns.items():
            fitted, asked = latents[position].training[:, chosen], latents[position].test[:, chosen]
            if len(names) > 1:
                hit = _classify(fitted, category[training], asked) == category[test]
                hit = hit[category[test] != ""].astype(np.float64)
                yield {
                    **_describe_label(name, seed, "category_accuracy", hit, options),
                    "chance": float(counts.max() / counts.sum()),
                }
            for attribute, factor in _list_factors(group).items():
                gains = _explain(fitted, factor[training], asked, factor[test])
                if gains is not None:
                    yield {
                        **_describe_label(name, seed, f"{attribute}_r2", gains, options),
                        "chance": 0.0,
                    }


def _describe_label(
    group: str, seed: str, metric: str, values: Array, options: EvaluationOptions
) -> dict[str, object]:
    low, high = bootstrap_interval(
        values, n_draws=options.n_bootstrap, level=options.level, seed=options.seed
    )
    return {
        "task": "label_information",
        "metric": metric,
        "direction": "higher",
        "response": group,
        "seed": seed,
        "value": float(values.mean()),
        "ci_low": float(low),
        "ci_high": float(high),
        # How much a brain area could tell at best is not known.
        "ceiling": np.nan,
        "n_queries": len(values),
    }


def _list_factors(group: xr.Dataset) -> dict[str, Array]:
    """Factors of each attribute, as arrays (stimuli, factors)."""
    if "factor" not in group:
        return {}
    known = read_labels(group, "factor_name").tolist()
    factors: dict[str, list[int]] = {}
    for pair in np.atleast_1d(group.attrs.get("attributes", [])):
        attribute, _, factor = str(pair).partition(":")
        factors.setdefault(attribute, []).append(known.index(factor))
    return {name: group["factor"].values[:, places] for name, places in factors.items()}


def _explain(fitted: Array, known: Array, asked: Array, truth: Array) -> Array | None:
    """Share of the variance that each test stimulus contributes to R2, a mean over factors."""
    rows, held = np.isfinite(known).all(axis=1), np.isfinite(truth).all(axis=1)
    if rows.sum() < _FEWEST or held.sum() < _FEWEST:
        return None
    spread = truth[held].var(axis=0)
    if not (spread > 0).all():
        return None
    predicted = _regress(fitted[rows], known[rows], asked[held])
    return (1 - (predicted - truth[held]) ** 2 / spread).mean(axis=1)


def _regress(fitted: Array, known: Array, asked: Array) -> Array:
    mean, centre = fitted.mean(axis=0), known.mean(axis=0)
    covariance = (fitted - mean).T @ (fitted - mean)
    ridge = _make_ridge(covariance)
    weight = np.linalg.solve(covariance + ridge, (fitted - mean).T @ (known - centre))
    return (asked - mean) @ weight + centre


def _classify(fitted: Array, category: NDArray[np.str_], asked: Array) -> NDArray[np.str_]:
    """Linear discriminant analysis with a pooled covariance and equal priors."""
    rows = category != ""
    names, number = np.unique(category[rows], return_inverse=True)
    means = np.stack([fitted[rows][number == place].mean(axis=0) for place in range(len(names))])
    centred = fitted[rows] - means[number]
    covariance = centred.T @ centred / len(centred)
    ridge = _make_ridge(covariance)
    weight = np.linalg.solve(covariance + ridge, means.T)
    return names[(asked @ weight - 0.5 * np.sum(means.T * weight, axis=0)).argmax(axis=1)]


def _make_ridge(covariance: Array) -> Array:
    """Make a ridge that keeps the covariance of collapsed latents invertible as well."""
    size = len(covariance)
    return (_RIDGE * np.trace(covariance) / size + _LEAST_RIDGE) * np.eye(size)


def _score_independence(
    group: xr.Dataset, latents: list[LatentSet], seeds: list[str]
) -> Iterator[dict[str, object]]:
    member = read_labels(group, "latent_group")
    names = np.unique(member)
    if len(names) < 2:
        return
    for seed, latent in zip(seeds, latents, strict=True):
        covariance = np.cov(latent.test.T) + 1e-3 * np.eye(latent.test.shape[1])
        parts = sum(
            np.linalg.slogdet(covariance[np.ix_(member == n, member == n)])[1] for n in names
        )
        yield {
            "task": "group_independence",
            "metric": "gaussian_total_correlation",
            "direction": "lower",
            "response": ALL,
            "seed": seed,
            "value": float(0.5 * (parts - np.linalg.slogdet(covariance)[1])),
            "ci_low": np.nan,
            "ci_high": np.nan,
            # Independent groups have 0; there is no chance level and nothing above.
            "chance": np.nan,
            "ceiling": np.nan,
            "n_queries": len(latent.test),
        }


def _score_stability(
    group: xr.Dataset, latents: list[LatentSet], options: EvaluationOptions
) -> Iterator[dict[str, object]]:
    if len(latents) < 2:
        return
    member = read_labels(group, "latent_group")
    columns = [member == name for name in dict.fromkeys(member.tolist())]
    tests = [latent.test for latent in latents]
    value = _match_groups(tests, columns)
    generator = np.random.default_rng(options.seed)
    shuffled = [test[generator.permutation(len(test))] for test in tests]
    yield {
        "task": "stability",
        "metric": "matched_group_correlation",
        "direction": "higher",
        "response": ALL,
        "seed": ALL,
        "value": value,
        **_jackknife_stability(tests, columns, value, options),
        "chance": _match_groups(shuffled, columns),
        "ceiling": 1.0,
        "n_queries": len(tests[0]),
    }


def _jackknife_stability(
    tests: list[Array], columns: list[NDArray[np.bool_]], value: float, options: EvaluationOptions
) -> dict[str, object]:
    """Interval from leaving out one stimulus at a time.

    Stimuli drawn twice, as a bootstrap does, look like agreement to canonical correlations: the
    interval would lie above the value itself.
    """
    n_stimuli = len(tests[0])
    left_out = [
        _match_groups([np.delete(test, row, axis=0) for test in tests], columns)
        for row in range(n_stimuli)
    ]
    half = norm.ppf((1 + options.level) / 2) * np.std(left_out) * np.sqrt(n_stimuli - 1)
    return {"ci_low": float(value - half), "ci_high": float(value + half)}


def _match_groups(latents: list[Array], columns: list[NDArray[np.bool_]]) -> float:
    """Mean canonical correlation of groups after matching them, over pairs of seeds."""
    bases = [[_orthonormalise(latent[:, chosen]) for chosen in columns] for latent in latents]
    values = []
    for first, second in combinations(bases, 2):
        similarity = np.array(
            [[np.linalg.svd(a.T @ b, compute_uv=False).mean() for b in second] for a in first]
        )
        rows, matched = linear_sum_assignment(-similarity)
        values.append(similarity[rows, matched].mean())
    return float(np.mean(values))


def _orthonormalise(latent: Array) -> Array:
    return np.linalg.qr(latent - latent.mean(axis=0))[0]


def _pool(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Add rows that average over seeds; intervals are averaged, too, as stimuli are the same."""
    if not rows:
        return rows
    table = pd.DataFrame(rows)
    keys = ["task", "metric", "direction", "response"]
    numbers = ["value", "ci_low", "ci_high", "chance", "ceiling", "n_queries"]
    pooled = table.groupby(keys, sort=False)[numbers].mean()
    pooled["seed_sd"] = table.groupby(keys, sort=False)["value"].std()
    pooled["n_queries"] = pooled["n_queries"].astype(int)
    records = pooled.reset_index().assign(seed=ALL).to_dict("records")
    return rows + [{str(name): value for name, value in row.items()} for row in records]


def _take_interval(draws: Array, options: EvaluationOptions) -> dict[str, object]:
    tail = (1 - options.level) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return {"ci_low": float(low), "ci_high": float(high)}


def _list_units(group: xr.Dataset) -> pd.DataFrame:
    test = read_labels(group, "split") == "test"
    observed = group["observed_response"].values[test].astype(np.float64)
    r2 = np.mean(
        [
            measure_reconstruction(observed, predicted[test].astype(np.float64))
            for predicted in group["reconstructed_response"].values
        ],
        axis=0,
    )
    return pd.DataFrame(
        {"unit": read_labels(group, "unit"), "r2": r2, "ceiling": group["unit_ceiling"].values}
    )
