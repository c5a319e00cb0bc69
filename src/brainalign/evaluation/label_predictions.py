"""Score label predictions: metrics with chance and intervals, tokens, and attention by region."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import CorruptDataError
from brainalign.evaluation.label_metrics import (
    LABEL_METRICS,
    compute_auc,
    compute_average_precision,
    compute_label_metrics,
    share_precision,
    share_wrong_labels,
)
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.similarity import compute_compatibility
from brainalign.evaluation.token_metrics import (
    correlate_ranks,
    draw_retrieval_hits,
    permute_correlation,
    rank_dissimilarities,
)
from brainalign.stores.read import read_labels

ALL = "all"
LEVELS = ("low", "high")
LABEL_TASK, RETRIEVAL_TASK, RSA_TASK = "label_decoding", "token_retrieval", "token_rsa"

Key = tuple[str, str, str]
"""Task, metric, direction."""


@dataclass(frozen=True)
class Resampled:
    """Scores of one fit on one subject, for the sample and its resamplings.

    Attributes
    ----------
    draws : dict of (task, metric, direction) to array of shape (1 + n_draws,)
        The first is the sample itself.
    chance : dict of the same keys to float
        What predictions without information reach.
    n_stimuli : int
        Test stimuli.
    """

    draws: dict[Key, np.ndarray]
    chance: dict[Key, float]
    n_stimuli: int


def score_labels(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score the label predictions of one method on one data set with one backbone.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions`` with groups that hold ``label_score``.
    options : EvaluationOptions
        Intervals, permutations and galleries.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy. Pooled rows are means over subjects, seeds or both of scores under the same draws of
        stimuli. The ceiling is NaN: labels are known without noise, and how much of them noisy
        responses could give at most is not estimable without a model.
    details : dict of str to pandas.DataFrame
        ``classes``: average precision and AUC of each class; ``stimuli``: each stimulus's share of
        the mean average precision, and its wrong labels; ``attention``: attention and
        occlusion of both tokens by region; ``token_rsa``: 95th percentile and p value of the
        permutations.
    """
    groups = list(_iterate_groups(predictions))
    names = sorted({name for *_, group in groups for name in read_labels(group, "stimulus")})
    weight = _draw_weights(len(names), options)
    position = {name: row for row, name in enumerate(names)}
    parts: dict[tuple[str, str, str, str], Resampled] = {}
    classes, stimuli, attention, permutations = [], [], [], []
    for subject, area, matching, group in groups:
        columns = [position[name] for name in read_labels(group, "stimulus").tolist()]
        tokens = _find_tokens(predictions, subject, area, matching)
        for row, seed in enumerate(group["seed"].values):
            key = (subject, area, matching, str(seed))
            one = group.isel(seed=row)
            parts[key], null = _score_fit(
                one, None if tokens is None else tokens.isel(seed=row), weight[:, columns], options
            )
            described = dict(zip(("subject", "area", "matching", "seed"), key, strict=True))
            classes.append(_tabulate_classes(one).assign(**described))
            stimuli.append(_tabulate_stimuli(one).assign(**described))
            if "stimulus_attention" in one:
                attention.append(_tabulate_attention(one, weight[:, columns], options, described))
            if len(null):
                permutations.append(null.assign(**described))
    scores = pd.concat(
        [_summarise(key, fits, options) for key, fits in _pool(parts).items()], ignore_index=True
    )
    details = {
        "classes": pd.concat(classes, ignore_index=True),
        "stimuli": pd.concat(stimuli, ignore_index=True),
    }
    if attention:
        details["attention"] = pd.concat(attention, ignore_index=True)
    if permutations:
        details["token_rsa"] = pd.concat(permutations, ignore_index=True)
    return _add_seed_spread(scores), details


def _iterate_groups(predictions: xr.DataTree) -> Iterator[tuple[str, str, str, xr.Dataset]]:
    for node in predictions.subtree:
        if "label_score" in node.data_vars:
            subject, area, matching = node.path.strip("/").split("/")
            group = node.to_dataset()
            score = group["label_score"].values
            if not np.isfinite(score).all() or "label" not in group:
                raise CorruptDataError("label scores are not finite or lack truth", where=node.path)
            yield subject, area, matching, group


def _find_tokens(
    predictions: xr.DataTree, subject: str, area: str, matching: str
) -> xr.Dataset | None:
    """Take the embeddings of tokens; the controls with other tokens have none of their own."""
    node = predictions.children[subject].children[area].children.get("tokens")
    if matching != "labels" or node is None or "response_embedding" not in node.data_vars:
        return None
    return node.to_dataset()


def _draw_weights(n_stimuli: int, options: EvaluationOptions) -> np.ndarray:
    """Draw how often each resampling holds each stimulus; the first row is the sample itself."""
    generator = np.random.default_rng(options.seed)
    drawn = generator.integers(n_stimuli, size=(options.n_bootstrap, n_stimuli))
    weight = np.ones((options.n_bootstrap + 1, n_stimuli))
    for row, chosen in enumerate(drawn, start=1):
        weight[row] = np.bincount(chosen, minlength=n_stimuli)
    return weight


def _score_fit(
    one: xr.Dataset, tokens: xr.Dataset | None, weight: np.ndarray, options: EvaluationOptions
) -> tuple[Resampled, pd.DataFrame]:
    """Score one fit fold by fold; models of different folds are never compared."""
    generator = np.random.default_rng(options.seed)
    fold = one["fold"].values
    folds = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    collected: dict[Key, list[tuple[np.ndarray, float, int]]] = {}
    nulls = []
    for rows in folds:
        part = one.isel(stimulus=rows)
        # A draw without any of the subject's stimuli has no scores.
        drawn = np.where(weight[:, rows].sum(axis=1, keepdims=True) > 0, weight[:, rows], np.nan)
        value, chance = compute_label_metrics(
            part["label_score"].values.astype(np.float64),
            part["label"].values,
            drawn,
            legacy_auc=options.legacy_auc,
        )
        for metric, direction in LABEL_METRICS.items():
            key = (LABEL_TASK, metric, direction)
            result = (value[metric], float(chance[metric][0]), len(rows))
            collected.setdefault(key, []).append(result)
        if "token_low" in part:
            for key, result, null in _compare_tokens(part, drawn, options, generator):
                collected.setdefault(key, []).append(result)
                nulls.append(null)
        if tokens is not None:
            for key, result in _retrieve(tokens.isel(stimulus=rows), drawn, options, generator):
                collected.setdefault(key, []).append(result)
    draws, chances = {}, {}
    for key, results in collected.items():
        share = np.array([number for *_, number in results], dtype=np.float64)
        share /= share.sum()
        draws[key] = share @ np.stack([values for values, *_ in results])
        chances[key] = float(share @ [by_chance for _, by_chance, _ in results])
    return Resampled(draws, chances, len(fold)), pd.DataFrame(nulls)


def _compare_tokens(
    part: xr.Dataset, weight: np.ndarray, options: EvaluationOptions, generator: np.random.Generator
) -> Iterator[tuple[Key, tuple[np.ndarray, float, int], dict[str, object]]]:
    """Correlate the similarities of both tokens with those of both levels of features."""
    ranks = {
        f"{kind}_{level}": rank_dissimilarities(part[f"{kind}_{level}"].values)
        for kind in ("token", "target")
        for level in LEVELS
    }
    for token in LEVELS:
        for target in LEVELS:
            pair = ranks[f"token_{token}"], ranks[f"target_{target}"]
            values = correlate_ranks(*pair, weight)
            null = permute_correlation(*pair, options.n_permutations, generator)
            metric = f"{token}_token_{target}_features"
            described: dict[str, object] = {
                "metric": metric,
                "value": float(values[0]),
                "null_mean": float(np.mean(null)),
                "null_95": float(np.quantile(null, 0.95)),
                "p_value": float((1 + np.sum(null >= values[0])) / (1 + len(null))),
            }
            result = (values, float(np.mean(null)), part.sizes["stimulus"])
            yield (RSA_TASK, metric, "higher"), result, described


def _retrieve(
    tokens: xr.Dataset,
    weight: np.ndarray,
    options: EvaluationOptions,
    generator: np.random.Generator,
) -> Iterator[tuple[Key, tuple[np.ndarray, float, int]]]:
    """Retrieve stimuli by tokens and tokens by stimuli, in random galleries."""
    similarity = compute_compatibility(
        tokens["stimulus_embedding"].values,
        tokens["response_embedding"].values,
        str(tokens.attrs["similarity"]),
    ).astype(np.float64)
    n_stimuli = len(similarity)
    n_gallery = min(options.retrieval_gallery, n_stimuli)
    for name, table in (("image", similarity.T), ("brain", similarity)):
        hits = draw_retrieval_hits(table, n_gallery, options.retrieval_draws, generator)
        known = np.isfinite(hits)
        values = weight[:, known] @ hits[known] / np.maximum(weight[:, known].sum(axis=1), 1)
        key = (RETRIEVAL_TASK, f"{name}_top_1", "higher")
        yield key, (values, 1 / n_gallery, n_stimuli)


def _pool(
    parts: dict[tuple[str, str, str, str], Resampled],
) -> dict[tuple[str, str, str, str], list[Resampled]]:
    """Add rows that pool over seeds, over subjects, and over both."""
    pooled = {key: [fit] for key, fit in parts.items()}
    n_subjects = len({subject for subject, *_ in parts})
    for (subject, area, matching, seed), fit in parts.items():
        pooled.setdefault((subject, area, matching, ALL), []).append(fit)
        if n_subjects > 1:
            pooled.setdefault((ALL, area, matching, seed), []).append(fit)
            pooled.setdefault((ALL, area, matching, ALL), []).append(fit)
    return pooled


def _summarise(
    key: tuple[str, str, str, str], fits: list[Resampled], options: EvaluationOptions
) -> pd.DataFrame:
    tail = (1 - options.level) / 2
    subject, area, matching, seed = key
    rows = []
    for task, metric, direction in fits[0].draws:
        name = (task, metric, direction)
        # A class may be absent from a draw for one subject; the others then stand for the mean.
        draws = _average(np.stack([fit.draws[name] for fit in fits if name in fit.draws]))
        known = draws[1:][~np.isnan(draws[1:])]
        low, high = np.quantile(known, [tail, 1 - tail]) if len(known) else (np.nan, np.nan)
        rows.append(
            {
                "subject": subject,
                "area": area,
                "matching": matching,
                "response": "mean",
                "seed": seed,
                "task": task,
                "metric": metric,
                "direction": direction,
                "value": draws[0],
                "ci_low": low,
                "ci_high": high,
                "chance": float(np.mean([fit.chance[name] for fit in fits if name in fit.chance])),
                "ceiling": np.nan,
                "n_candidates": float(np.mean([fit.n_stimuli for fit in fits])),
                "n_queries": sum(fit.n_stimuli for fit in fits),
            }
        )
    return pd.DataFrame(rows)


def _average(draws: np.ndarray) -> np.ndarray:
    known = ~np.isnan(draws)
    number = known.sum(axis=0)
    total = np.where(known, draws, 0).sum(axis=0)
    return np.divide(total, number, out=np.full(draws.shape[1], np.nan), where=number > 0)


def _add_seed_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """Give pooled rows the SD of the value over seeds; it is no part of their interval."""
    keys = ["subject", "area", "matching", "task", "metric"]
    spread = scores[scores["seed"] != ALL].groupby(keys)["value"].std().rename("seed_sd")
    joined = scores.merge(spread.reset_index(), on=keys, how="left")
    joined.loc[joined["seed"] != ALL, "seed_sd"] = np.nan
    return joined


def _tabulate_classes(one: xr.Dataset) -> pd.DataFrame:
    """Score each class; folds are scored apart and averaged by their numbers of stimuli."""
    fold = one["fold"].values
    score, label = one["label_score"].values.astype(np.float64), one["label"].values
    names = read_labels(one, "class")
    rows = []
    for position, name in enumerate(names.tolist()):
        parts = []
        for number in np.unique(fold):
            chosen = fold == number
            weight = np.ones((1, int(chosen.sum())))
            pair = score[chosen, position], label[chosen, position]
            precision = compute_average_precision(*pair, weight)[0]
            parts.append((precision, compute_auc(*pair, weight)[0], chosen.sum()))
        precisions, areas, sizes = np.array(parts, dtype=np.float64).T
        rows.append(
            {
                "class": name,
                "average_precision": _average_by_size(precisions, sizes),
                "auc": _average_by_size(areas, sizes),
                "chance": float(label[:, position].mean()),
                "n_positive": int(label[:, position].sum()),
            }
        )
    return pd.DataFrame(rows)


def _tabulate_stimuli(one: xr.Dataset) -> pd.DataFrame:
    """Give each stimulus its share of the scores; the mean over stimuli is the score."""
    fold = one["fold"].values
    score, label = one["label_score"].values.astype(np.float64), one["label"].values
    precision, wrong = np.empty(len(fold)), np.empty(len(fold))
    for number in np.unique(fold):
        rows = fold == number
        precision[rows] = share_precision(score[rows], label[rows])
        wrong[rows] = share_wrong_labels(score[rows], label[rows])
    return pd.DataFrame(
        {"stimulus": read_labels(one, "stimulus"), "map": precision, "hamming": wrong}
    )


def _average_by_size(values: np.ndarray, sizes: np.ndarray) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=sizes[known])) if known.any() else float("nan")


def _tabulate_attention(
    one: xr.Dataset, weight: np.ndarray, options: EvaluationOptions, described: dict[str, str]
) -> pd.DataFrame:
    """Average attention over stimuli by region; chance is an equal share for every region."""
    share = one["stimulus_attention"].values.astype(np.float64)
    tail = (1 - options.level) / 2
    areas = read_labels(one, "area")
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1)
    rows = []
    for row, level in enumerate(read_labels(one, "level").tolist()):
        present = np.isfinite(share[:, row]).all(axis=0)
        for column in np.flatnonzero(present):
            draws = (weight @ share[:, row, [column]] / total)[1:, 0]
            low, high = np.quantile(draws, [tail, 1 - tail])
            rows.append(
                {
                    "level": level,
                    "region": str(areas[column]),
                    "attention": float(share[:, row, column].mean()),
                    "attention_ci_low": low,
                    "attention_ci_high": high,
                    "attention_chance": 1 / present.sum(),
                    "occlusion": float(one["occlusion"].values[row, column]),
                }
            )
    return pd.DataFrame(rows).assign(**described)
