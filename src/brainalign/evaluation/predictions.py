"""Score one prediction store: every subject, seed, variant of matching and kind of response."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import CorruptDataError
from brainalign.evaluation.ceiling import estimate_half_split_ceiling
from brainalign.evaluation.discriminative import (
    DiscriminationRanks,
    pool_queries,
    rank_discrimination,
    summarise_ranks,
)
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.similarity import compute_compatibility
from brainalign.stores.read import read_labels

ALL = "all"
"""What stands in the columns ``seed`` and ``subject`` of rows that pool over them."""

KEYS = ("subject", "area", "matching", "response", "seed")
_Key = tuple[str, str, str, str, str]


@dataclass(frozen=True)
class Gallery:
    """The test stimuli and responses of one fold of one subject, seed and variant.

    Parameters
    ----------
    fold : int
        Number of the fold.
    compatibility : array of shape (n_stimuli, n_responses)
        S of the specification: how well a stimulus and a response fit.
    stimulus, response_stimulus : array of str
        Stimulus ids of the rows and of the columns.
    """

    fold: int
    compatibility: np.ndarray
    stimulus: np.ndarray
    response_stimulus: np.ndarray


def score_predictions(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score the predictions of one method on one data set with one backbone.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions`` with embeddings.
    options : EvaluationOptions
        Metrics and intervals.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy: one row per subject, area, matching, response, seed, task and metric. ``response`` is
        ``mean`` (over repeats) or ``single`` (one presentation). ``all`` pools queries over
        subjects or seeds; bootstrap draws are over stimuli there too.
    details : dict of str to pandas.DataFrame
        ``queries``: for each query of mean responses the counts behind its rank.
    """
    ranks: dict[_Key, DiscriminationRanks] = {}
    ceilings = []
    for subject, area, matching, group in _iterate_groups(predictions):
        for position, seed in enumerate(group["seed"].values):
            for response in ("mean", "single"):
                galleries = cut_galleries(group, position, response)
                parts = [
                    rank_discrimination(
                        gallery.compatibility, gallery.stimulus, gallery.response_stimulus, options
                    )
                    for gallery in galleries
                ]
                if parts:
                    ranks[subject, area, matching, response, str(seed)] = pool_queries(parts)
            ceilings.append(
                _estimate_ceiling(group, position, options).assign(
                    subject=subject, area=area, matching=matching, seed=str(seed), response="mean"
                )
            )
    scores = pd.concat(
        [
            summarise_ranks(pooled, options).assign(**dict(zip(KEYS, key, strict=True)))
            for key, pooled in _pool(ranks).items()
        ],
        ignore_index=True,
    )
    scores = _add_seed_spread(_add_ceilings(scores, pd.concat(ceilings, ignore_index=True)))
    return scores, {"queries": _list_queries(ranks)}


def _iterate_groups(predictions: xr.DataTree) -> Iterator[tuple[str, str, str, xr.Dataset]]:
    for node in predictions.subtree:
        if "stimulus_embedding" in node.data_vars:
            subject, area, matching = node.path.strip("/").split("/")
            yield subject, area, matching, node.to_dataset()


def cut_galleries(group: xr.Dataset, seed: int, response: str) -> list[Gallery]:
    """Cut one seed into its folds; a fold's test stimuli are its gallery.

    Parameters
    ----------
    group : xarray.Dataset
        The predictions of one subject, area and variant of matching.
    seed : int
        Position of the seed in the group, from 0.
    response : {"mean", "single"}
        Responses as means over repeats, or single presentations.

    Returns
    -------
    galleries : list of Gallery
        Folds have models of their own and are never compared with each other. Empty where the
        group has no responses of that kind.
    """
    axis = "stimulus" if response == "mean" else "presentation"
    prefix = "response" if response == "mean" else "presentation"
    if f"{prefix}_embedding" not in group:
        return []
    stimulus = read_labels(group, "stimulus")
    shown = stimulus if response == "mean" else read_labels(group, "presented_stimulus")
    fold = group["fold"].values
    response_fold = fold if response == "mean" else group["presentation_fold"].values
    galleries = []
    for number in np.unique(fold):
        rows, columns = fold == number, response_fold == number
        one = group.isel(seed=seed)
        stimulus_embedding = one["stimulus_embedding"].values[rows]
        # A fold that kept fewer units has fewer dimensions; the rest is NaN for all its rows.
        kept = np.isfinite(stimulus_embedding).any(axis=0)
        compatibility = compute_compatibility(
            stimulus_embedding[:, kept],
            one[f"{prefix}_embedding"].values[columns][:, kept],
            str(group.attrs["similarity"]),
            _take_bias(one, "stimulus_bias", "stimulus", rows),
            _take_bias(one, f"{prefix}_bias", axis, columns),
        )
        galleries.append(Gallery(int(number), compatibility, stimulus[rows], shown[columns]))
    return galleries


def _take_bias(one: xr.Dataset, name: str, axis: str, chosen: np.ndarray) -> np.ndarray | None:
    return one[name].isel({axis: np.flatnonzero(chosen)}).values if name in one else None


def _pool(
    ranks: dict[_Key, DiscriminationRanks],
) -> dict[_Key, DiscriminationRanks]:
    """Add rows that pool over seeds, over subjects, and over both."""
    pooled = dict(ranks)
    groups: dict[_Key, list[DiscriminationRanks]] = {}
    n_subjects = len({subject for subject, *_ in ranks})
    for (subject, area, matching, response, seed), part in ranks.items():
        groups.setdefault((subject, area, matching, response, ALL), []).append(part)
        if n_subjects > 1:
            groups.setdefault((ALL, area, matching, response, seed), []).append(part)
            groups.setdefault((ALL, area, matching, response, ALL), []).append(part)
    return pooled | {key: pool_queries(parts) for key, parts in groups.items()}


def _estimate_ceiling(group: xr.Dataset, seed: int, options: EvaluationOptions) -> pd.DataFrame:
    """Average the half-split ceiling over folds; NaN where stimuli were shown once."""
    columns = ["task", "metric", "ceiling"]
    if "half_embedding" not in group:
        return pd.DataFrame(columns=columns)
    one = group.isel(seed=seed)
    fold = group["fold"].values
    stimulus = read_labels(group, "stimulus")
    parts = []
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        halves = one["half_embedding"].isel(stimulus=rows).values
        kept = np.isfinite(halves).any(axis=(0, 1, 2))
        if not np.isfinite(halves[..., kept]).all():
            raise CorruptDataError("half embeddings are not finite", where=group.attrs.get("path"))
        bias = one["half_bias"].isel(stimulus=rows).values if "half_bias" in one else None
        parts.append(
            estimate_half_split_ceiling(
                halves[..., kept],
                stimulus[rows],
                str(group.attrs["similarity"]),
                options,
                response_bias=bias,
            ).assign(weight=len(rows))
        )
    joined = pd.concat(parts)
    joined["ceiling"] *= joined["weight"]
    total = joined.groupby(["task", "metric"], sort=False)[["ceiling", "weight"]].sum(min_count=1)
    return (total["ceiling"] / total["weight"]).rename("ceiling").reset_index()[columns]


def _add_ceilings(scores: pd.DataFrame, ceilings: pd.DataFrame) -> pd.DataFrame:
    """Join ceilings to their rows; pooled rows get the mean of what they pool."""
    keys = [*KEYS, "task", "metric"]
    if not len(ceilings):
        return scores.assign(ceiling=np.nan)
    tables = [ceilings]
    for pooled in (["seed"], ["subject"], ["subject", "seed"]):
        rest = [key for key in keys if key not in pooled]
        mean = ceilings.groupby(rest, sort=False)["ceiling"].mean().reset_index()
        tables.append(mean.assign(**dict.fromkeys(pooled, ALL)))
    return scores.merge(pd.concat(tables)[[*keys, "ceiling"]], on=keys, how="left")


def _add_seed_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """Give pooled rows the SD of the value over seeds; it is no part of their interval."""
    keys = ["subject", "area", "matching", "response", "task", "metric"]
    spread = scores[scores["seed"] != ALL].groupby(keys)["value"].std().rename("seed_sd")
    joined = scores.merge(spread.reset_index(), on=keys, how="left")
    joined.loc[joined["seed"] != ALL, "seed_sd"] = np.nan
    return joined


def _list_queries(
    ranks: dict[_Key, DiscriminationRanks],
) -> pd.DataFrame:
    tables = []
    for key, pooled in ranks.items():
        described = dict(zip(KEYS, key, strict=True))
        if described["response"] != "mean":
            continue
        for task, queries in pooled.list_tasks():
            tables.append(
                pd.DataFrame(
                    {
                        "stimulus": queries.query,
                        "n_better": queries.n_better,
                        "n_tied": queries.n_tied,
                        "n_distractors": queries.n_distractors,
                    }
                ).assign(task=task, **described)
            )
    return pd.concat(tables, ignore_index=True)
