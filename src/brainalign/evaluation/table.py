"""The tidy table of scores and its store."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

COLUMNS: dict[str, str] = {
    "dataset": "name of the data set",
    "subject": "id of the subject, or all: queries of all subjects pooled",
    "area": "area whose units were fitted, or all",
    "method": "name of the method in the configuration",
    "matching": "how predictions and responses are compared",
    "backbone": "name of the backbone",
    "feature": "layer and output of the backbone",
    "response": "mean: over repeats; single: one presentation",
    "seed": "seed of the fit, or all: queries of all seeds pooled",
    "task": "what is asked",
    "metric": "how the answers are summarised",
    "direction": "higher or lower is better",
    "value": "the score",
    "ci_low": "lower end of the bootstrap interval over stimuli, gallery fixed",
    "ci_high": "upper end of the interval",
    "chance": "what random scores would reach",
    "ceiling": "half of the repeats against the other half in the same space: a reference, no "
    "upper bound",
    "seed_sd": "standard deviation of the value over seeds, in pooled rows",
    "n_candidates": "size of the gallery, a mean over queries",
    "n_queries": "number of queries",
}

# What stands in columns that a kind of prediction has no use for.
_EMPTY: dict[str, str | int] = {"subject": "all", "area": "all", "seed": "all", "n_queries": 0}
_NUMBERS = ("value", "ci_low", "ci_high", "chance", "ceiling", "seed_sd", "n_candidates")


def compose_score_tree(scores: pd.DataFrame, details: Mapping[str, pd.DataFrame]) -> xr.DataTree:
    """Put the tidy table and the tables behind it into a tree for a score store.

    Parameters
    ----------
    scores : pandas.DataFrame
        With the columns of :data:`COLUMNS`; a kind of prediction that has no use for one of them
        may leave it out.
    details : mapping of str to pandas.DataFrame
        Tables by name of their group, any columns: ``queries``, ``units`` …
    """
    table = _to_dataset(complete_scores(scores), "row")
    for column, description in COLUMNS.items():
        table[column].attrs.update({"long_name": description, "units": "1"})
    groups = {"/": xr.Dataset(), "/table": table}
    for group, rows in details.items():
        groups[f"/{group}"] = _to_dataset(rows, "row")
        for name in groups[f"/{group}"].data_vars:
            groups[f"/{group}"][name].attrs.update(
                {"long_name": str(name).replace("_", " "), "units": "1"}
            )
    return xr.DataTree.from_dict(groups)


def complete_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Put the columns of :data:`COLUMNS` into order; those that are missing become empty.

    Returns
    -------
    completed : pandas.DataFrame
        Text that is missing is ``all`` for pooled identities and ``none`` elsewhere, numbers NaN,
        counts 0.
    """
    completed = pd.DataFrame(index=scores.index)
    for column in COLUMNS:
        if column in scores:
            completed[column] = scores[column]
        elif column in _NUMBERS:
            completed[column] = np.nan
        else:
            completed[column] = _EMPTY.get(column, "none")
    return completed


def read_score_table(tree: xr.DataTree, group: str = "table") -> pd.DataFrame:
    """Read a group of a score store back as a table.

    Parameters
    ----------
    tree : xarray.DataTree
        A store of kind ``scores``.
    group : str
        ``table`` for the tidy scores, or the name of a table behind them, such as ``queries``.
    """
    dataset = tree[group].to_dataset()
    columns = {
        str(name): [str(value) for value in variable.values]
        if variable.dtype.kind in "TOU"
        else variable.values
        for name, variable in dataset.data_vars.items()
    }
    return pd.DataFrame(columns)


def _to_dataset(table: pd.DataFrame, dimension: str) -> xr.Dataset:
    variables = {}
    for name in table.columns:
        values = table[name]
        if name in _NUMBERS:
            variables[str(name)] = (dimension, values.to_numpy(dtype="float64"))
        elif pd.api.types.is_numeric_dtype(values):
            variables[str(name)] = (dimension, values.to_numpy())
        else:
            variables[str(name)] = (dimension, values.astype(object).map(str).to_numpy())
    return xr.Dataset(variables)
