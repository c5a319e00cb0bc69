"""Write xarray trees as published Zarr v3 stores."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import ZstdCodec
from zarr.core.sync import sync

from brainalign.errors import CorruptDataError
from brainalign.stores.contracts import check_contract
from brainalign.stores.layout import choose_chunks, choose_shards, limit_shard_bytes
from brainalign.stores.publish import publish_folder

# A text element is a pointer in memory; on disk ids take about this many bytes.
_TEXT_BYTES = 32
# Recordings fill memory already, so their writing must add little: small shards, one at a time.
# Other stores come in blocks from dask, or are small.
_LEAN_KINDS = {"responses"}


def write_store(
    path: Path,
    tree: xr.DataTree | xr.Dataset,
    kind: str,
    provenance: dict[str, Any] | None = None,
) -> None:
    """Write a tree as a Zarr v3 store and publish it whole.

    Parameters
    ----------
    path : Path
        Where the store shall appear.
    tree : xarray.DataTree or xarray.Dataset
        The content. Text may be any of NumPy's kinds; dask arrays are written chunk by chunk.
    kind : str
        Kind of store, a key of :data:`brainalign.stores.contracts.CONTRACTS`.
    provenance : dict, optional
        Written into the manifest and, but for its times, into the attributes of the root.

    Raises
    ------
    CorruptDataError
        If the tree breaks the contract, or if what came to the disk is not what was written.
    ResourceError
        If the disk is full or not writable.
    """
    if isinstance(tree, xr.Dataset):
        tree = xr.DataTree(tree)
    check_contract(tree, kind, where=path)
    limit = limit_shard_bytes(tree.nbytes) if kind in _LEAN_KINDS else None
    prepared = tree.map_over_datasets(_prepare_dataset, kwargs={"shard_bytes": limit})
    prepared.attrs.update({"kind": kind, **_attributes_from(provenance or {})})
    encoding = {
        node.path: _choose_encoding(node.to_dataset(inherit=False), limit)
        for node in prepared.subtree
    }
    with publish_folder(path, kind, provenance) as draft, warnings.catch_warnings():
        # Readers need consolidated metadata to open without a warning; the writer is told that
        # other implementations may not know it, which is no news to the user.
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        settings: dict[str, Any] = {"array.write_empty_chunks": True}
        if kind in _LEAN_KINDS:
            settings["async.concurrency"] = 1
        with zarr.config.set(settings):
            try:
                prepared.to_zarr(
                    draft, mode="a", zarr_format=3, encoding=encoding, consolidated=True
                )
            except Exception:
                sync(_finish_other_writes())
                raise
        _check_chunks_on_disk(draft)


async def _finish_other_writes() -> None:
    """Wait for what else Zarr's loop writes: after a failed chunk others still make their files.

    They would come back after the draft was removed.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def _attributes_from(provenance: dict[str, Any]) -> dict[str, Any]:
    """Keep what identifies the content: times differ between equal runs."""
    return {name: value for name, value in provenance.items() if name != "run"}


def _prepare_dataset(dataset: xr.Dataset, shard_bytes: int | None) -> xr.Dataset:
    """Store text as variable-length UTF-8, the only text that Zarr v3 specifies."""
    text = {
        name: _prepare_text(str(name), variable)
        for name, variable in dataset.variables.items()
        if variable.dtype.kind in "OUT" or str(variable.dtype).startswith(("str", "string"))
    }
    prepared = dataset.assign_coords({k: v for k, v in text.items() if k in dataset.coords})
    prepared = prepared.assign({k: v for k, v in text.items() if k not in dataset.coords})
    for name, variable in list(prepared.variables.items()):
        variable.encoding = {}
        if variable.chunks is not None and 0 not in variable.shape:
            # Two tasks that write into one shard would lose data: one task per shard.
            _, shards = _choose_grid(variable, shard_bytes)
            prepared[name] = prepared[name].chunk(dict(zip(variable.dims, shards, strict=True)))
    return prepared


def _prepare_text(name: str, variable: xr.Variable) -> xr.Variable:
    labels = np.asarray(variable.values, dtype=object)
    for label in labels.flat:
        if not isinstance(label, str):
            raise CorruptDataError(f"'{name}' must hold text", found=repr(label))
    # As objects, the text of an empty array would be written as numbers.
    return xr.Variable(variable.dims, labels.astype(np.dtypes.StringDType()), variable.attrs)


def _choose_grid(
    variable: xr.Variable, shard_bytes: int | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    item_bytes = _TEXT_BYTES if variable.dtype.kind in "OT" else variable.dtype.itemsize
    chunks = choose_chunks(variable.shape, item_bytes)
    return chunks, choose_shards(variable.shape, chunks, item_bytes, shard_bytes)


def _choose_encoding(dataset: xr.Dataset, shard_bytes: int | None) -> dict[str, dict[str, Any]]:
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        if variable.ndim == 0 or 0 in variable.shape:
            continue
        chunks, shards = _choose_grid(variable, shard_bytes)
        settings: dict[str, Any] = {
            "chunks": chunks,
            # The checksum in each frame lets a reader notice a flipped byte by itself.
            "compressors": [ZstdCodec(level=3, checksum=True)],
        }
        if shards != chunks:
            settings["shards"] = shards
        if variable.dtype.kind == "f":
            settings["_FillValue"] = np.nan
        encoding[str(name)] = settings
    return encoding


def _check_chunks_on_disk(draft: Path) -> None:
    """Refuse a store with a chunk file that is missing or empty.

    A full disk can swallow single chunks, which later read as fill values without an error.
    """
    for name, array in _walk_arrays(zarr.open_group(draft, mode="r"), ""):
        files = [path for path in (draft / name / "c").rglob("*") if path.is_file()]
        grid = array.shards or array.chunks
        expected = 1
        for length, step in zip(array.shape, grid, strict=True):
            expected *= -(-length // step)
        if array.ndim == 0:
            files = [path for path in (draft / name).iterdir() if path.name == "c"]
        if len(files) != expected or any(path.stat().st_size == 0 for path in files):
            raise CorruptDataError(
                "chunks did not reach the disk; nothing was published",
                where=name,
                expected=f"{expected} chunk files",
                found=f"{len(files)}, of which {sum(p.stat().st_size == 0 for p in files)} empty",
                remedy="Check the disk and run the command again.",
            )


def _walk_arrays(group: zarr.Group, prefix: str) -> list[tuple[str, zarr.Array]]:
    arrays = []
    for name, member in group.members():
        path = f"{prefix}{name}"
        if isinstance(member, zarr.Array):
            arrays.append((path, member))
        else:
            arrays += _walk_arrays(member, f"{path}/")
    return arrays
