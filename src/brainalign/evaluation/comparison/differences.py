"""The table of paired differences: every method against every other on the same queries."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from brainalign.evaluation.comparison.options import ComparisonOptions
from brainalign.evaluation.comparison.paired import bootstrap_means, flip_signs
from brainalign.evaluation.comparison.unit_values import Contest, Contestant

COLUMNS: dict[str, str] = {
    "dataset": "name of the data set",
    "task": "what is asked",
    "metric": "how the answers are summarised",
    "protocol": "split of movies, or empty",
    "direction": "higher or lower is better",
    "compared": "methods (with one backbone) or backbones (of one method)",
    "method_a": "first method",
    "backbone_a": "its backbone",
    "matching_a": "its way of matching",
    "method_b": "second method",
    "backbone_b": "its backbone",
    "matching_b": "its way of matching",
    "value_a": "mean of the first over the common queries",
    "value_b": "mean of the second over the common queries",
    "difference": "value_a less value_b",
    "ci_low": "lower end of the bootstrap interval of the difference",
    "ci_high": "upper end of the interval",
    "p_value": "two-sided sign-flip test over units",
    "p_corrected": "the same, corrected over the family (Westfall-Young, largest statistic)",
    "family": "comparisons that are corrected together: all of one data set, task and metric",
    "n_pairs": "queries that both have, over all subjects",
    "n_units": "units that are drawn and flipped",
    "n_subjects": "subjects that both have",
    "unit": "what is flipped",
    "resampled": "what the interval is over",
}
"""Columns of the table of comparisons."""


def compare_contests(contests: list[Contest], options: ComparisonOptions) -> pd.DataFrame:
    """Compare all contestants of all contests.

    Parameters
    ----------
    contests : list of Contest
        From :func:`~brainalign.evaluation.comparison.unit_values.list_contests`.
    options : ComparisonOptions
        Flips, draws and coverage.

    Returns
    -------
    comparisons : pandas.DataFrame
        With the columns of :data:`COLUMNS`, one row per pair.
    """
    tables = [compare_contestants(contest, options) for contest in contests]
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def compare_contestants(contest: Contest, options: ComparisonOptions) -> pd.DataFrame:
    """Compare methods that share a backbone, and backbones of one method, as one family.

    Parameters
    ----------
    contest : Contest
        One data set, task and metric.
    options : ComparisonOptions
        Flips, draws and coverage.

    Returns
    -------
    comparisons : pandas.DataFrame
        One row per pair that has a query in common. The order of stimuli does not matter: units
        are sorted by id.
    """
    pairs = [
        (first, second, _join(first, second))
        for first, second in combinations(contest.contestants, 2)
        if (first.method == second.method) != (first.backbone == second.backbone)
    ]
    pairs = [pair for pair in pairs if len(pair[2])]
    if not pairs:
        return pd.DataFrame(columns=list(COLUMNS))
    subjects = sorted({name for *_, joined in pairs for name in joined["subject"]})
    units = sorted({name for *_, joined in pairs for name in joined["unit"]})
    shape = len(subjects), len(units), len(pairs)
    total, count = np.zeros(shape), np.zeros(shape)
    row_of = {name: row for row, name in enumerate(subjects)}
    column_of = {name: column for column, name in enumerate(units)}
    for number, (*_, joined) in enumerate(pairs):
        row = joined["subject"].map(row_of).to_numpy(dtype=np.intp)
        column = joined["unit"].map(column_of).to_numpy(dtype=np.intp)
        difference = (joined["value_a"] - joined["value_b"]).to_numpy()
        np.add.at(total[:, :, number], (row, column), difference)
        np.add.at(count[:, :, number], (row, column), 1.0)
    tested = flip_signs(total.sum(axis=0), options.n_permutations, options.seed)
    draw_subjects = len(subjects) >= options.min_subjects
    interval = bootstrap_means(
        total,
        count,
        options.n_bootstrap,
        options.level,
        options.seed,
        draw_subjects=draw_subjects,
    )
    rows = [
        {
            **_name(first, "a"),
            **_name(second, "b"),
            "compared": "backbones" if first.method == second.method else "methods",
            "value_a": joined["value_a"].mean(),
            "value_b": joined["value_b"].mean(),
            "difference": total[..., number].sum() / count[..., number].sum(),
            "ci_low": interval[0, number],
            "ci_high": interval[1, number],
            "p_value": tested.p_value[number],
            "p_corrected": tested.p_corrected[number],
            "n_pairs": len(joined),
            "n_units": joined["unit"].nunique(),
            "n_subjects": joined["subject"].nunique(),
        }
        for number, (first, second, joined) in enumerate(pairs)
    ]
    return pd.DataFrame(rows).assign(
        dataset=contest.dataset,
        task=contest.task,
        metric=contest.metric,
        protocol=contest.protocol,
        direction=contest.direction,
        family=len(pairs),
        unit=contest.unit,
        resampled=f"{contest.unit} and subject" if draw_subjects else contest.unit,
    )[list(COLUMNS)]


def _join(first: Contestant, second: Contestant) -> pd.DataFrame:
    """Pair the queries of two contestants by their ids; queries of one alone are left out."""
    return first.values.merge(
        second.values, on=["subject", "unit", "query"], suffixes=("_a", "_b"), validate="1:1"
    )


def _name(one: Contestant, place: str) -> dict[str, str]:
    return {
        f"method_{place}": one.method,
        f"backbone_{place}": one.backbone,
        f"matching_{place}": one.matching,
    }
