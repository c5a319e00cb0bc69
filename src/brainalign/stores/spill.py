"""Arrays that may not fit into memory: gathered in a file, written from there chunk by chunk."""

from __future__ import annotations

import tempfile

import dask.array as da
import numpy as np
from numpy.typing import DTypeLike

_MB = 1_000_000


def allocate_array(shape: tuple[int, ...], dtype: DTypeLike, budget_mb: float) -> np.ndarray:
    """Make an array in memory, or in a file without a name where it would be too large.

    Parameters
    ----------
    shape : tuple of int
        Of the array, whose values are undefined at first.
    dtype : numpy dtype
        Of its values.
    budget_mb : float
        Larger arrays lie in a temporary file (in ``TMPDIR``), in MB.
    """
    if np.dtype(dtype).itemsize * int(np.prod(shape, dtype=object)) <= budget_mb * _MB:
        return np.empty(shape, dtype=dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)


def make_lazy(values: np.ndarray) -> np.ndarray | da.Array:
    """Leave arrays in memory as they are; those in a file are written chunk by chunk."""
    if not isinstance(values, np.memmap):
        return values
    return da.from_array(values, chunks=("auto", *values.shape[1:]), asarray=False)
