"""Samples of stores that may be far larger than memory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from brainalign.report.artifacts import read_values

# Neighbours share chunks, so a few runs of rows cost far fewer chunks than single rows do.
_N_RUNS = 8
_MOST_BYTES = 32 << 20


@dataclass(frozen=True)
class Sample:
    """Some values of a variable.

    Attributes
    ----------
    values : array
        As many dimensions as the variable.
    rows : array of shape (n_rows,)
        Places along the first axis.
    note : str
        What was taken, for readers: ``64 of 1,000 stimulus``; ends with nothing.
    """

    values: NDArray
    rows: NDArray[np.int64]
    note: str


def sample_variable(
    variable: xr.Variable, where: Path, n_rows: int, limits: Mapping[str, int] | None = None
) -> Sample:
    """Read evenly spaced runs of rows, and no more.

    Parameters
    ----------
    variable : xarray.Variable
        A lazy variable of an open store with at least one dimension.
    where : Path
        The store, for errors.
    n_rows : int
        The most rows of the first axis; fewer where rows are so large that the sample would pass
        32 MB.
    limits : mapping of str to int, optional
        The most places of other dimensions, from the first on.

    Raises
    ------
    CorruptDataError
        If a chunk does not decode.
    """
    limits = limits or {}
    axis, *others = (str(name) for name in variable.dims)
    lengths = {name: min(variable.sizes[name], limits.get(name, 1 << 60)) for name in others}
    row_bytes = max(1, math.prod(lengths.values()) * variable.dtype.itemsize)
    n_total = variable.sizes[axis]
    n_taken = min(n_total, n_rows, max(1, _MOST_BYTES // row_bytes))
    runs = _place_runs(n_total, n_taken)
    inside = {name: slice(0, length) for name, length in lengths.items()}
    parts = [read_values(variable.isel({axis: run, **inside}), where) for run in runs]
    rows = np.concatenate([np.arange(run.start, run.stop) for run in runs])
    return Sample(np.concatenate(parts), rows, _describe(variable, axis, len(rows), lengths))


def _place_runs(n_total: int, n_taken: int) -> list[slice]:
    if n_taken >= n_total:
        return [slice(0, n_total)]
    n_runs = min(_N_RUNS, n_taken)
    length = n_taken // n_runs
    starts = np.linspace(0, n_total - length, n_runs).astype(int)
    return [slice(int(start), int(start) + length) for start in starts]


def _describe(variable: xr.Variable, axis: str, n_rows: int, lengths: Mapping[str, int]) -> str:
    taken = {axis: n_rows, **lengths}
    parts = [
        f"{name} {length:,} of {variable.sizes[name]:,}"
        if length < variable.sizes[name]
        else f"{name} all {length:,}"
        for name, length in taken.items()
    ]
    return ", ".join(parts)
