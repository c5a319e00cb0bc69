"""Score windows of movies against windows of BOLD: retrieval at several levels, shared codes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.evaluation.bootstrap import bootstrap_interval, summarise_queries
from brainalign.evaluation.metrics import Metric, list_metrics
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.ranking import QueryRanks, count_better_and_tied
from brainalign.stores.read import read_labels

ALL = "all"
CODE_TASK = "code_agreement"
DIRECTIONS = ("bold_to_video", "video_to_bold")
LEVELS = {
    "window": "all test windows, which overlap",
    "disjoint": "windows that share no TR",
    "segment": "windows of the same segment, without neighbours",
    "moment": "single TRs of windows that share no TR",
}
"""Galleries; tasks are named after one of these and a direction."""

N_WAY: list[int] = [2, 32]
BLOCK_TRS = 30
"""TRs of a block of the bootstrap: neighbouring windows are correlated."""

NEIGHBOUR_TRS = 2
"""Windows of a segment that start this near to each other are near-duplicates, no distractors."""

CODE_SHARES = {"embedding": 0.0, "codes": 1.0, "mixed": 0.5}
"""Share of codes in the score, by the name of the matching."""

_KEYS = ["subject", "area", "matching", "task", "seed"]


@dataclass(frozen=True)
class ClipPredictions:
    """What one seed of one group predicts.

    Attributes
    ----------
    stimulus, response : array of shape (n_clips, dimension)
        Unit vectors of windows.
    stimulus_moment, response_moment : array of shape (n_clips, n_steps, dimension)
        The same per TR.
    half : array of shape (2, n_clips, dimension) or None
        Windows of two halves of the runs.
    half_moment : array of shape (2, n_clips, n_steps, dimension) or None
    stimulus_code, response_code : array of shape (n_clips, n_steps, dimension) or None
        Unit vectors of the codes.
    agreement : array of shape (n_clips, n_steps) or None
        Whether both have the same code.
    chance_agreement : float
        Of codes drawn from the shares of both.
    """

    stimulus: np.ndarray
    response: np.ndarray
    stimulus_moment: np.ndarray
    response_moment: np.ndarray
    half: np.ndarray | None
    half_moment: np.ndarray | None
    stimulus_code: np.ndarray | None
    response_code: np.ndarray | None
    agreement: np.ndarray | None
    chance_agreement: float


@dataclass(frozen=True)
class ClipTable:
    """Where the windows of a group lie.

    Attributes
    ----------
    segment : array of shape (n_clips,) of str
    start : array of shape (n_clips,), int
        First TR, from the start of the segment.
    is_disjoint : array of shape (n_clips,), bool
    """

    segment: np.ndarray
    start: np.ndarray
    is_disjoint: np.ndarray

    def name_blocks(self, offset: np.ndarray | int = 0) -> np.ndarray:
        """Name the block of the bootstrap that a window or moment lies in."""
        number = (self.start + offset) // BLOCK_TRS
        return np.array([f"{s}/{n}" for s, n in zip(self.segment, number, strict=True)])


def score_clips(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score the windows of one method on one data set with one backbone.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions`` with ``clip_stimulus_embedding``.
    options : EvaluationOptions
        Values of k, bootstrap draws, coverage and seed.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy. Tasks are a gallery of `LEVELS` and a direction, such as ``window_bold_to_video``;
        the matching is ``embedding``, ``codes`` or ``mixed``. Intervals are over blocks of 30 TRs
        of a segment. In rows that pool over seeds each query has its mean over seeds.
    details : dict of str to pandas.DataFrame
        ``clip_queries``: reciprocal rank of every query; ``codes``: use of every code.

    Notes
    -----
    The ceiling is half of the runs against the other half in the method's own space: a reference
    and no upper bound, since both sides carry noise. It exists for embeddings only. Chance of the
    same code follows from how often both modalities use each code.
    """
    tables, codes = [], []
    for subject, area, group in _iterate_groups(predictions):
        clips = ClipTable(
            read_labels(group, "segment"),
            group["start_tr"].values,
            group["is_disjoint"].values.astype(bool),
        )
        for position, seed in enumerate(group["seed"].values):
            part = {"subject": subject, "area": area, "seed": str(seed)}
            one = _read_predictions(group, position)
            tables += [table.assign(**part) for table in _score_seed(one, clips, options)]
            usage = _count_codes(group, position)
            if usage is not None:
                codes.append(usage.assign(**part))
    queries = _pool(pd.concat(tables, ignore_index=True))
    scores = [
        _summarise(rows, options).assign(**dict(zip(_KEYS, map(str, key), strict=True)))
        for key, rows in queries.groupby(_KEYS, sort=False)
    ]
    ranked = queries[queries["metric"] == "mean_reciprocal_rank"]
    details = {"clip_queries": ranked.drop(columns=["metric", "chance", "ceiling"])}
    if codes:
        details["codes"] = pd.concat(codes, ignore_index=True)
    return _add_seed_spread(pd.concat(scores, ignore_index=True)), details


def _iterate_groups(predictions: xr.DataTree) -> Iterator[tuple[str, str, xr.Dataset]]:
    for node in predictions.subtree:
        if "clip_stimulus_embedding" in node.data_vars:
            subject, area, _ = node.path.strip("/").split("/")
            yield subject, area, node.to_dataset()


def _read_predictions(group: xr.Dataset, position: int) -> ClipPredictions:
    def take(name: str) -> np.ndarray | None:
        return group[name].values[position] if name in group else None

    def require(name: str) -> np.ndarray:
        return group[name].values[position]

    stimulus_code = response_code = agreement = None
    chance = float("nan")
    if "codebook" in group:
        book, seen, answered = (
            require(name) for name in ("codebook", "clip_stimulus_code", "clip_response_code")
        )
        stimulus_code, response_code = book[seen], book[answered]
        agreement = (seen == answered).astype(np.float64)
        shares = [
            np.bincount(one.ravel(), minlength=len(book)) / one.size for one in (seen, answered)
        ]
        chance = float(shares[0] @ shares[1])
    return ClipPredictions(
        require("clip_stimulus_embedding"),
        require("clip_response_embedding"),
        require("moment_stimulus_embedding"),
        require("moment_response_embedding"),
        take("half_clip_embedding"),
        take("half_moment_embedding"),
        stimulus_code,
        response_code,
        agreement,
        chance,
    )


def _score_seed(
    one: ClipPredictions, clips: ClipTable, options: EvaluationOptions
) -> Iterator[pd.DataFrame]:
    metrics = list_metrics(options.model_copy(update={"n_way": N_WAY}))
    for matching, share in CODE_SHARES.items():
        if share and one.stimulus_code is None:
            continue
        for level in LEVELS:
            chosen, block, mask = _choose_gallery(clips, level, one.stimulus_moment.shape[1])
            score = _compare(one, level, chosen, share)
            ceiling = _compare_halves(one, level, chosen) if not share else None
            for direction in DIRECTIONS:
                flip = direction == "video_to_bold"
                ranks = _rank(score.T if flip else score, mask)
                # Halves are equals: their mean over both orders is the ceiling of both directions.
                references = (
                    [] if ceiling is None else [_rank(ceiling, mask), _rank(ceiling.T, mask)]
                )
                yield _tabulate(ranks, references, metrics).assign(
                    matching=matching,
                    task=f"{level}_{direction}",
                    block=np.tile(block, len(metrics)),
                )
    if one.agreement is not None:
        yield pd.DataFrame(
            {
                "query": [str(clip) for clip in range(len(one.agreement))],
                "metric": "same_code_rate",
                "value": one.agreement.mean(1),
                "chance": one.chance_agreement,
                "ceiling": np.nan,
                "n_candidates": np.nan,
                "matching": "codes",
                "task": CODE_TASK,
                "block": clips.name_blocks(),
            }
        )


def _choose_gallery(
    clips: ClipTable, level: str, n_steps: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Rows of clips, block of each query, and pairs that are no candidates (or None)."""
    if level == "window":
        return np.arange(len(clips.start)), clips.name_blocks(), None
    if level == "segment":
        far = clips.segment[:, None] != clips.segment[None, :]
        near = np.abs(clips.start[:, None] - clips.start[None, :]) <= NEIGHBOUR_TRS
        own = np.eye(len(far), dtype=bool)
        return np.arange(len(far)), clips.name_blocks(), (far | near) & ~own
    chosen = np.flatnonzero(clips.is_disjoint)
    part = ClipTable(clips.segment[chosen], clips.start[chosen], clips.is_disjoint[chosen])
    if level == "disjoint":
        return chosen, part.name_blocks(), None
    block = np.stack([part.name_blocks(step) for step in range(n_steps)], axis=1)
    return chosen, block.reshape(-1), None


def _compare(one: ClipPredictions, level: str, chosen: np.ndarray, share: float) -> np.ndarray:
    """Score of every response (rows) for every stimulus (columns)."""
    if level == "moment":
        response, stimulus = _flatten(one.response_moment[chosen]), one.stimulus_moment[chosen]
        score = response @ _flatten(stimulus).T
    else:
        score = one.response[chosen] @ one.stimulus[chosen].T
    if not share or one.response_code is None or one.stimulus_code is None:
        return score
    response, stimulus = one.response_code[chosen], one.stimulus_code[chosen]
    if level == "moment":
        coded = _flatten(response) @ _flatten(stimulus).T
    else:
        n_clips, n_steps, _ = response.shape
        coded = response.reshape(n_clips, -1) @ stimulus.reshape(n_clips, -1).T / n_steps
    # Equal codes must tie: rounding would break ties by the order of a sum.
    return np.round((1 - share) * score + share * coded, 6)


def _compare_halves(one: ClipPredictions, level: str, chosen: np.ndarray) -> np.ndarray | None:
    if one.half is None or one.half_moment is None:
        return None
    if level == "moment":
        first, second = (_flatten(half[chosen]) for half in one.half_moment)
    else:
        first, second = (half[chosen] for half in one.half)
    return first @ second.T


def _flatten(moment: np.ndarray) -> np.ndarray:
    return moment.reshape(-1, moment.shape[-1])


def _rank(score: np.ndarray, mask: np.ndarray | None) -> QueryRanks:
    names = np.arange(len(score)).astype(np.str_)
    if mask is None:
        return count_better_and_tied(score, names, names)
    ranks = count_better_and_tied(np.where(mask, -np.inf, score), names, names)
    return QueryRanks(
        ranks.query,
        ranks.n_better,
        ranks.n_tied,
        ranks.n_distractors - mask.sum(1),
        ranks.n_targets,
    )


def _tabulate(
    ranks: QueryRanks, references: list[QueryRanks], metrics: list[Metric]
) -> pd.DataFrame:
    tables = []
    for metric in metrics:
        ceiling = np.full(len(ranks), np.nan)
        if references:
            ceiling = np.mean([metric.score_queries(one) for one in references], axis=0)
        tables.append(
            pd.DataFrame(
                {
                    "query": ranks.query,
                    "metric": metric.name,
                    "value": metric.score_queries(ranks),
                    "chance": metric.score_chance(ranks),
                    "ceiling": ceiling,
                    "n_candidates": ranks.n_candidates.astype(np.float64),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _pool(queries: pd.DataFrame) -> pd.DataFrame:
    """Average each query over seeds, and join the queries of all subjects."""
    identity = ["subject", "area", "matching", "task", "metric", "query", "block"]
    numbers = ["value", "chance", "ceiling", "n_candidates"]
    over_seeds = queries.groupby(identity, sort=False)[numbers].mean().reset_index()
    tables = [queries, over_seeds.assign(seed=ALL)]
    if queries["subject"].nunique() > 1:
        # Blocks of different subjects are different blocks.
        tables += [
            table.assign(subject=ALL, block=table["subject"] + "/" + table["block"])
            for table in tables
        ]
    return pd.concat(tables, ignore_index=True)


def _summarise(queries: pd.DataFrame, options: EvaluationOptions) -> pd.DataFrame:
    scores: list[dict[str, Any]] = []
    for metric, rows in queries.groupby("metric", sort=False):
        statistic: Any = "median" if metric == "median_rank" else "mean"
        values = rows["value"].to_numpy(np.float64)
        if not np.isfinite(values).any():
            continue
        low, high = bootstrap_interval(
            values,
            statistic,
            options.n_bootstrap,
            options.level,
            options.seed,
            groups=rows["block"].to_numpy(dtype=np.str_),
        )
        scores.append(
            {
                "metric": metric,
                "direction": "lower" if metric == "median_rank" else "higher",
                "value": summarise_queries(values, statistic),
                "ci_low": low,
                "ci_high": high,
                **{
                    name: summarise_queries(rows[name].to_numpy(np.float64), statistic)
                    for name in ("chance", "ceiling")
                },
                "n_candidates": float(rows["n_candidates"].mean()),
                "n_queries": int(np.isfinite(values).sum()),
            }
        )
    return pd.DataFrame(scores).assign(response="mean")


def _count_codes(group: xr.Dataset, position: int) -> pd.DataFrame | None:
    if "codebook" not in group:
        return None
    n_codes = group.sizes["code"]
    seen, answered = (
        np.bincount(group[name].values[position].ravel(), minlength=n_codes)
        for name in ("clip_stimulus_code", "clip_response_code")
    )
    return pd.DataFrame({"code": np.arange(n_codes), "n_video": seen, "n_bold": answered})


def _add_seed_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """Give pooled rows the SD of the value over seeds."""
    keys = ["subject", "area", "matching", "task", "metric"]
    spread = scores[scores["seed"] != ALL].groupby(keys)["value"].std().rename("seed_sd")
    joined = scores.merge(spread.reset_index(), on=keys, how="left")
    joined.loc[joined["seed"] != ALL, "seed_sd"] = np.nan
    return joined
