"""Open published stores, and only published ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.contracts import check_contract
from brainalign.stores.layout import choose_chunks, join_chunks
from brainalign.stores.manifest import find_incomplete_files, read_manifest

_BLOCK_BYTES = 16 << 20
_REMEDY = "Run brainalign verify, delete the store and run its rule again."


def open_store(path: Path, kind: str) -> xr.DataTree:
    """Open a published store after checking its manifest and contract.

    Parameters
    ----------
    path : Path
        The store.
    kind : str
        The kind that the caller needs.

    Returns
    -------
    tree : xarray.DataTree
        Lazy; values are read on access. Text comes as objects.

    Raises
    ------
    InputError
        If nothing is there or it is a store of another kind.
    CorruptDataError
        If it was never published, lacks a file, cannot be opened, or breaks its contract.

    Notes
    -----
    Checksums are not recomputed here; ``brainalign verify`` does that. A changed byte in a chunk
    is still found when the chunk is decoded, since each carries a checksum of its own.
    """
    manifest = read_manifest(path)
    if manifest.kind != kind:
        raise InputError(
            "is a store of another kind", where=path, expected=kind, found=manifest.kind
        )
    incomplete = find_incomplete_files(path, manifest)
    if incomplete:
        # Zarr reads a chunk that is gone as fill values, without an error.
        raise CorruptDataError("; ".join(incomplete), where=path, remedy=_REMEDY)
    try:
        # The labels of a group are read here, so a damaged chunk can show itself already.
        tree = xr.open_datatree(path, engine="zarr", chunks=None)
        check_contract(tree, kind, where=path)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise CorruptDataError(
            "cannot be opened as Zarr", where=path, found=str(error), remedy=_REMEDY
        ) from error
    return tree


def read_store(path: Path, kind: str) -> xr.DataTree:
    """Open a published store and read all of it into memory.

    Raises
    ------
    CorruptDataError
        Also if a chunk does not decode.
    """
    tree = open_store(path, kind)
    try:
        return tree.load()
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptDataError(
            "a chunk does not decode", where=path, found=str(error), remedy=_REMEDY
        ) from error


def iterate_blocks(variable: xr.Variable) -> Iterator[np.ndarray]:
    """Read a variable of an open store in blocks of about 16 MB.

    Parameters
    ----------
    variable : xarray.Variable
        A lazy variable of :func:`open_store`, of any shape.

    Yields
    ------
    block : array
        Every element of the variable is in exactly one block; blocks are whole chunks.

    Raises
    ------
    CorruptDataError
        If a chunk does not decode.
    """
    item_bytes = max(1, variable.dtype.itemsize)
    chunks = variable.encoding.get("chunks") or choose_chunks(variable.shape, item_bytes)
    blocks = join_chunks(variable.shape, chunks, item_bytes, _BLOCK_BYTES)
    starts = (range(0, length, block) for length, block in zip(variable.shape, blocks, strict=True))
    for corner in product(*starts):
        place = tuple(
            slice(start, start + block) for start, block in zip(corner, blocks, strict=True)
        )
        yield _decode(variable[place])


def _decode(part: xr.Variable) -> np.ndarray:
    try:
        return np.asarray(part.values)
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptDataError(
            "a chunk does not decode", found=str(error), remedy=_REMEDY
        ) from error


def take_rows(variable: xr.Variable, rows: np.ndarray) -> np.ndarray:
    """Take rows of a lazy variable in any order, reading stretches of about 16 MB.

    Parameters
    ----------
    variable : xarray.Variable
        A lazy variable of :func:`open_store`.
    rows : array of shape (n_rows,), int
        Positions along the first axis.

    Returns
    -------
    taken : array of shape (n_rows, ...)
        Rows in the order that was asked for.

    Raises
    ------
    CorruptDataError
        If a chunk does not decode.

    Notes
    -----
    Zarr answers a list of rows with index arrays as large as the result, for every axis: a hundred
    times its memory for images.
    """
    row_bytes = max(1, variable.dtype.itemsize * int(np.prod(variable.shape[1:])))
    step = max(1, _BLOCK_BYTES // row_bytes)
    taken = np.empty((len(rows), *variable.shape[1:]), dtype=variable.dtype)
    for start in range(0, variable.shape[0], step):
        here = np.flatnonzero((rows >= start) & (rows < start + step))
        if len(here):
            taken[here] = _decode(variable[start : start + step])[rows[here] - start]
    return taken


def read_digest(path: Path) -> str:
    """Read the content digest of a published folder from its manifest."""
    return read_manifest(path).digest


def read_labels(dataset: xr.Dataset | xr.DataTree, name: str) -> np.ndarray:
    """Read a text variable as a plain array of NumPy strings.

    Parameters
    ----------
    dataset : xarray.Dataset or xarray.DataTree
        A group of an open store.
    name : str
        Name of the variable.

    Returns
    -------
    labels : array of shape (length,) of str
        NumPy's fixed-width text, which compares and sorts fast.
    """
    return np.asarray([str(label) for label in dataset.variables[name].values], dtype=np.str_)
