"""Read one epoch of shuffled rows from a store, chunk by chunk instead of row by row.

A random row costs the decoding of its whole chunk. Reading whole chunks once and shuffling in
memory gives the same rows for a small part of the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.manifest import find_incomplete_files, read_manifest

_WINDOW_BYTES = 512 << 20


@dataclass(frozen=True)
class RowBatch:
    """Some rows of an array.

    Attributes
    ----------
    index : array of shape (n_rows,) of int64
        Position of each row along the first axis of the array.
    rows : array of shape (n_rows, ...)
        The rows themselves.
    """

    index: np.ndarray
    rows: np.ndarray


def open_rows(path: Path, variable: str) -> zarr.Array:
    """Open one variable of a published store for reading by rows.

    Parameters
    ----------
    path : Path
        The store.
    variable : str
        Path of the variable inside it, such as ``layer_4/mean/feature``.

    Raises
    ------
    InputError
        If the store or the variable does not exist.
    CorruptDataError
        If the store was never published or lacks a file.
    """
    incomplete = find_incomplete_files(path, read_manifest(path))
    if incomplete:
        raise CorruptDataError("; ".join(incomplete), where=path)
    member = zarr.open_group(path, mode="r").get(variable)
    if not isinstance(member, zarr.Array):
        raise InputError(f"no variable '{variable}' in the store", where=path)
    return member


def iterate_shuffled_rows(
    array: zarr.Array | np.ndarray,
    batch_size: int,
    generator: np.random.Generator,
    window_bytes: int = _WINDOW_BYTES,
) -> Iterator[RowBatch]:
    """Go through all rows of an array once, in random order.

    Parameters
    ----------
    array : zarr.Array or array of shape (n_rows, ...)
        Where to read, see :func:`open_rows`.
    batch_size : int
        Rows per batch; the last batch holds the rest.
    generator : numpy.random.Generator
        Source of the order.
    window_bytes : int
        How much may be held for shuffling, in bytes; about twice as much is in memory. An array
        that fits is shuffled perfectly. Of a larger one, chunks in random order are gathered
        into windows of this size, and rows are shuffled within their window.

    Yields
    ------
    batch : RowBatch
        Each row of the array is in exactly one batch.

    Raises
    ------
    InputError
        If the batch size is not positive.
    CorruptDataError
        If a chunk does not decode.
    """
    if batch_size < 1:
        raise InputError("batch size must be positive", expected="1 or more", found=batch_size)
    nothing = RowBatch(np.empty(0, np.int64), np.empty((0, *array.shape[1:]), array.dtype))
    rest = nothing
    for window in _iterate_windows(array, generator, window_bytes):
        order = generator.permutation(len(window.index))
        # The rest of a window joins the next, so that only the last batch is short.
        cuts = range(batch_size - len(rest.index), len(order), batch_size)
        for places in np.split(order, cuts):
            batch = _join(rest, RowBatch(window.index[places], window.rows[places]))
            rest = nothing
            if len(batch.index) < batch_size:
                rest = batch
            else:
                yield batch
    if len(rest.index):
        yield rest


def _iterate_windows(
    array: zarr.Array | np.ndarray, generator: np.random.Generator, window_bytes: int
) -> Iterator[RowBatch]:
    n_rows = array.shape[0]
    row_bytes = max(1, array.dtype.itemsize * math.prod(array.shape[1:]))
    if n_rows == 0:
        return
    if isinstance(array, np.ndarray) or n_rows * row_bytes <= window_bytes:
        yield RowBatch(np.arange(n_rows), _read_slab(array, 0, n_rows))
        return
    rows_per_chunk = array.chunks[0]
    chunks_per_window = max(1, window_bytes // (row_bytes * rows_per_chunk))
    starts = generator.permutation(np.arange(0, n_rows, rows_per_chunk))
    for first in range(0, len(starts), chunks_per_window):
        chosen = np.sort(starts[first : first + chunks_per_window])
        spans = _merge_neighbours(chosen, np.minimum(chosen + rows_per_chunk, n_rows))
        yield RowBatch(
            np.concatenate([np.arange(start, stop) for start, stop in spans]),
            np.concatenate([_read_slab(array, start, stop) for start, stop in spans]),
        )


def _merge_neighbours(starts: np.ndarray, stops: np.ndarray) -> list[tuple[int, int]]:
    """Join chunks that follow each other: one read of many chunks decodes them in parallel."""
    is_first = np.r_[True, starts[1:] != stops[:-1]]
    is_last = np.r_[is_first[1:], True]
    return list(zip(starts[is_first].tolist(), stops[is_last].tolist(), strict=True))


def _read_slab(array: zarr.Array | np.ndarray, start: int, stop: int) -> np.ndarray:
    try:
        return np.asarray(array[start:stop])
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptDataError(
            "a chunk does not decode",
            where=f"rows {start} to {stop}",
            found=str(error),
            remedy="Run brainalign verify, delete the store and run its rule again.",
        ) from error


def _join(first: RowBatch, second: RowBatch) -> RowBatch:
    if not len(first.index):
        return second
    return RowBatch(
        np.concatenate([first.index, second.index]), np.concatenate([first.rows, second.rows])
    )
