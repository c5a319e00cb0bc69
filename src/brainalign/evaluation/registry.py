"""The table of scorers: which predictions a store holds, and what scores them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.evaluation.options import EvaluationOptions

Scorer = Callable[[xr.DataTree, EvaluationOptions], tuple[pd.DataFrame, dict[str, pd.DataFrame]]]
"""Gives the tidy scores, and tables with what lies behind them (per query, unit, class) by name."""


@dataclass(frozen=True)
class ScorerEntry:
    """One kind of prediction.

    Attributes
    ----------
    marker : str
        Variable by which a group of a prediction store is known to hold this kind.
    function : str
        ``module:function`` of the scorer; it reads the groups that have the marker.
    """

    marker: str
    function: str


SCORERS: dict[str, ScorerEntry] = {
    "embedding": ScorerEntry(
        "stimulus_embedding", "brainalign.evaluation.predictions:score_predictions"
    ),
    "group_latent": ScorerEntry(
        "group_latent", "brainalign.evaluation.group_latents:score_group_latents"
    ),
    "edited_image": ScorerEntry(
        "synthesised_image", "brainalign.evaluation.edit_selectivity:score_edits"
    ),
    "label": ScorerEntry("label_score", "brainalign.evaluation.label_predictions:score_labels"),
    "rate": ScorerEntry("predicted_response", "brainalign.evaluation.rates:score_rates"),
    "clip": ScorerEntry("clip_stimulus_embedding", "brainalign.evaluation.clips:score_clips"),
}


def score_all(
    predictions: xr.DataTree, options: EvaluationOptions
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Score every kind of prediction that a store holds.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions``.
    options : EvaluationOptions
        Metrics and intervals.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy scores of all kinds.
    details : dict of str to pandas.DataFrame
        Tables behind the scores, by name.

    Raises
    ------
    InputError
        If the store holds no kind that is known.
    """
    variables = {str(name) for node in predictions.subtree for name in node.data_vars}
    scores: list[pd.DataFrame] = []
    details: dict[str, pd.DataFrame] = {}
    for entry in SCORERS.values():
        if entry.marker in variables:
            module, _, function = entry.function.partition(":")
            table, tables = getattr(import_module(module), function)(predictions, options)
            scores.append(table)
            details |= tables
    if not scores:
        raise InputError(
            "the store holds no predictions that can be scored",
            expected="one of " + ", ".join(entry.marker for entry in SCORERS.values()),
            found=", ".join(sorted(variables)) or "nothing",
        )
    return pd.concat(scores, ignore_index=True), details


def list_scorer_modules() -> list[str]:
    """Name the modules of all scorers."""
    return sorted({entry.function.split(":")[0] for entry in SCORERS.values()})
