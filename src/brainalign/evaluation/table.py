"""The tidy table of scores and its store."""

from __future__ import annotations

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

_NUMBERS = ("value", "ci_low", "ci_high", "chance", "ceiling", "seed_sd", "n_candidates")


def compose_score_tree(scores: pd.DataFrame, queries: pd.DataFrame) -> xr.DataTree:
    """Put the tidy table and the counts per query into a tree for a score store.

    Parameters
    ----------
    scores : pandas.DataFrame
        With the columns of :data:`COLUMNS`.
    queries : pandas.DataFrame
        Counts per query, any columns.
    """
    table = _to_dataset(scores[list(COLUMNS)], "row")
    for column, description in COLUMNS.items():
        table[column].attrs.update({"long_name": description, "units": "1"})
    counts = _to_dataset(queries, "query")
    for name in counts.data_vars:
        counts[name].attrs.update({"long_name": str(name).replace("_", " "), "units": "1"})
    return xr.DataTree.from_dict({"/": xr.Dataset(), "/table": table, "/queries": counts})


def read_score_table(tree: xr.DataTree, group: str = "table") -> pd.DataFrame:
    """Read a group of a score store back as a table.

    Parameters
    ----------
    tree : xarray.DataTree
        A store of kind ``scores``.
    group : {"table", "queries"}
        The tidy scores, or the counts per query.
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
