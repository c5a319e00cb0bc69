"""Score edited images: which attributes move with which group, against controls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from brainalign.evaluation.bootstrap import bootstrap_interval
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.variants import iterate_variants
from brainalign.stores.read import read_labels

ALL = "all"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class AttributeChange:
    """How far one attribute moved.

    Attributes
    ----------
    edit : array of shape (n_seeds, n_references, n_groups, n_strengths)
        Of edits.
    control : array of shape (n_seeds, n_controls, n_references, n_groups)
        Of controls; NaN where a control was not made.
    chance : float
        What nothing would give.
    ceiling : float
        What the targets themselves give; NaN where there are none.
    """

    edit: Array
    control: Array
    chance: float
    ceiling: float


def score_edits(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score every group of a store that holds edited images.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions``.
    options : EvaluationOptions
        Bootstrap.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy; ``matching`` is the variant and ``response`` the moved group. Task
        ``edit_selectivity``: for every attribute ``…_shift`` (distance between the readings of
        edit and reference, 1 is that of two random test stimuli), ``…_transfer`` (share of the way
        towards the target over all references, swaps only) and for both ``…_margin``, the paired
        difference to the strongest control; its chance is 0. Task ``attribute_reading``: how well
        the predictors read test stimuli. All are of the last strength; draws are over
        references, and over seeds where several are edited.
    details : dict of str to pandas.DataFrame
        ``edits``: change of every edit and control.
    """
    rows: list[dict[str, object]] = []
    details = []
    for place, group in iterate_variants(predictions, "synthesised_image"):
        names = {"subject": place.subject, "area": place.area, "matching": place.variant}
        changes = measure_changes(group)
        rows += [{**names, **row} for row in _score_changes(group, changes, options)]
        rows += [{**names, **row} for row in _score_selectivity(group, changes, options)]
        rows += [{**names, **row} for row in _score_readers(group)]
        details.append(list_edits(group, changes).assign(**names))
    return pd.DataFrame(rows), {"edits": pd.concat(details, ignore_index=True)}


def measure_changes(group: xr.Dataset) -> dict[str, AttributeChange]:
    """Measure how far each attribute moved, as distance and as share of the way to the target.

    Parameters
    ----------
    group : xarray.Dataset
        One group of a prediction store with readings.

    Returns
    -------
    changes : dict of str to AttributeChange
        ``{attribute}_shift``, and for swaps ``{attribute}_transfer``.
    """
    edit = group["reading"].values.astype(np.float64)
    control = group["control_reading"].values.astype(np.float64)
    start = group["reference_reading"].values.astype(np.float64)
    target = group["target_reading"].values.astype(np.float64)
    changes = {}
    for name, columns in locate_attributes(group).items():
        begin, way = start[:, columns], target[:, columns] - start[:, columns]
        # Two random test stimuli are as far apart as references of different rows.
        apart = [float(np.linalg.norm(a - b)) for i, a in enumerate(begin) for b in begin[:i]]
        unit = max(float(np.mean(apart)), 1e-9) if apart else 1.0
        moved = edit[..., columns] - begin[:, None, None]
        controlled = control[..., columns] - begin[:, None]
        changes[f"{name}_shift"] = AttributeChange(
            np.linalg.norm(moved, axis=-1) / unit,
            np.linalg.norm(controlled, axis=-1) / unit,
            0.0,
            float(np.linalg.norm(way, axis=-1).mean() / unit),
        )
        if group.attrs.get("move") == "swap":
            # One denominator for all references: a target that happens to lie near its reference
            # would divide by next to nothing, and one pair would make the mean.
            length = max(float((way**2).sum(axis=-1).mean()), 1e-12)
            changes[f"{name}_transfer"] = AttributeChange(
                (moved * way[:, None, None]).sum(axis=-1) / length,
                (controlled * way[:, None]).sum(axis=-1) / length,
                0.0,
                1.0,
            )
    return changes


def locate_attributes(group: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    """Find the columns of readings that belong to each attribute.

    Parameters
    ----------
    group : xarray.Dataset
        One group of a prediction store with readings.

    Returns
    -------
    columns : dict of str to array of shape (n_reading_columns,)
        Attributes of the predictors, and the weak labels that are made of several of them, such as
        a pose of rotation, position and size.
    """
    attribute, factor = read_labels(group, "attribute"), read_labels(group, "reading_name")
    columns = {name: attribute == name for name in dict.fromkeys(attribute.tolist())}
    labels: dict[str, list[str]] = {}
    for entry in np.atleast_1d(group.attrs.get("attributes", [])).tolist():
        name, _, one = str(entry).partition(":")
        labels.setdefault(name, []).append(one)
    numeric = set(factor[attribute != "category"].tolist())
    for name, factors in labels.items():
        if name not in columns and set(factors) <= numeric:
            columns[name] = np.isin(factor, factors) & (attribute != "category")
    return columns


def _score_changes(
    group: xr.Dataset, changes: dict[str, AttributeChange], options: EvaluationOptions
) -> Iterator[dict[str, object]]:
    seeds = [str(seed) for seed in group["edited_seed"].values]
    for metric, change in changes.items():
        for number, name in enumerate(read_labels(group, "group").tolist()):
            last = change.edit[:, :, number, -1]
            margin = _measure_margin(change, number)
            chosen = {**{s: slice(p, p + 1) for p, s in enumerate(seeds)}, ALL: slice(None)}
            for seed, rows in chosen.items():
                both = {
                    metric: (last[rows], change.chance, change.ceiling),
                    f"{metric}_margin": (margin[rows], 0.0, np.nan),
                }
                for label, (values, chance, ceiling) in both.items():
                    yield {
                        **_summarise(values, options),
                        "metric": label,
                        "response": name,
                        "seed": seed,
                        "chance": chance,
                        "ceiling": ceiling,
                    }


def _measure_margin(change: AttributeChange, number: int) -> Array:
    """Paired difference to the strongest control of this group, by seed and reference."""
    control = change.control[:, :, :, number]
    means = np.array(
        [
            np.nanmean(one) if np.isfinite(one).any() else -np.inf
            for one in np.moveaxis(control, 1, 0)
        ]
    )
    if not np.isfinite(means).any():
        return np.full(change.edit.shape[:2], np.nan)
    return change.edit[:, :, number, -1] - control[:, int(means.argmax())]


def _score_selectivity(
    group: xr.Dataset, changes: dict[str, AttributeChange], options: EvaluationOptions
) -> Iterator[dict[str, object]]:
    """Compare the group that is labelled with an attribute with the other that moves it most."""
    names = read_labels(group, "group").tolist()
    quantity = "transfer" if group.attrs.get("move") == "swap" else "shift"
    for number, name in enumerate(names):
        label = name.partition("-")[2]
        if f"{label}_{quantity}" not in changes or len(names) < 2:
            continue
        last = changes[f"{label}_{quantity}"].edit[..., -1]
        others = np.delete(last, number, axis=2)
        # The strongest on average: the largest of each reference would be one of noise.
        strongest = others[..., int(np.nanmean(others, axis=(0, 1)).argmax())]
        yield {
            **_summarise(last[:, :, number] - strongest, options),
            "metric": f"{label}_planted_margin",
            "response": name,
            "seed": ALL,
            "chance": 0.0,
            "ceiling": np.nan,
        }


def _summarise(values: Array, options: EvaluationOptions) -> dict[str, object]:
    """Mean over seeds and references with an interval over both, or references of one seed."""
    flat = values.ravel()
    if len(values) > 1:
        low, high = _draw_both(values, options)
    else:
        low, high = bootstrap_interval(
            flat, n_draws=options.n_bootstrap, level=options.level, seed=options.seed
        )
    known = np.isfinite(flat)
    return {
        "task": "edit_selectivity",
        "direction": "higher",
        "value": float(flat[known].mean()) if known.any() else np.nan,
        "ci_low": float(low),
        "ci_high": float(high),
        "seed_sd": float(np.nanstd(np.nanmean(values, axis=1), ddof=1))
        if len(values) > 1 and known.any()
        else np.nan,
        "n_queries": int(values.shape[1]),
    }


def _draw_both(values: Array, options: EvaluationOptions) -> Array:
    """Percentile interval of the mean with seeds and references drawn apart from each other.

    Every seed edits the same references, so that neither is nested in the other.
    """
    generator = np.random.default_rng(options.seed)
    drawn = [
        generator.multinomial(size, np.full(size, 1 / size), size=options.n_bootstrap)
        for size in values.shape
    ]
    known = np.isfinite(values)
    total = np.einsum("ds,sr,dr->d", drawn[0], np.where(known, values, 0), drawn[1])
    count = np.einsum("ds,sr,dr->d", drawn[0], known, drawn[1])
    means = total[count > 0] / count[count > 0]
    if not len(means):
        return np.full(2, np.nan)
    tail = (1 - options.level) / 2
    return np.quantile(means, [tail, 1 - tail])


def _score_readers(group: xr.Dataset) -> Iterator[dict[str, object]]:
    attribute, name = read_labels(group, "attribute"), read_labels(group, "reading_name")
    quality = group["reading_quality"].values
    for kind in dict.fromkeys(attribute.tolist()):
        columns = attribute == kind
        is_category = kind == "category"
        yield {
            "task": "attribute_reading",
            "metric": f"{kind}_accuracy" if is_category else f"{kind}_r2",
            "direction": "higher",
            "response": "mean",
            "seed": ALL,
            "value": float(np.mean(quality[columns])),
            "ci_low": np.nan,
            "ci_high": np.nan,
            "chance": 1 / len(name[columns]) if is_category else 0.0,
            "ceiling": np.nan,
        }


def list_edits(group: xr.Dataset, changes: dict[str, AttributeChange]) -> pd.DataFrame:
    """List the change of every edit and control.

    Returns
    -------
    edits : pandas.DataFrame
        One row per seed, reference, group, metric and strength; ``kind`` is ``edit`` or the name
        of the control.
    """
    labels = {
        "seed": group["edited_seed"].values.astype(str),
        "reference": read_labels(group, "reference"),
        "group": read_labels(group, "group"),
        "strength": group["strength"].values,
    }
    tables = []
    for metric, change in changes.items():
        index = pd.MultiIndex.from_product(list(labels.values()), names=list(labels))
        edits = pd.DataFrame({"value": change.edit.ravel()}, index=index).reset_index()
        tables.append(edits.assign(metric=metric, kind="edit"))
        keys = ("seed", "control", "reference", "group")
        parts = {**labels, "control": read_labels(group, "control")}
        index = pd.MultiIndex.from_product([parts[key] for key in keys], names=list(keys))
        controls = pd.DataFrame({"value": change.control.ravel()}, index=index).reset_index()
        last = float(labels["strength"][-1])
        tables.append(
            controls.rename(columns={"control": "kind"}).assign(metric=metric, strength=last)
        )
    return pd.concat(tables, ignore_index=True)
