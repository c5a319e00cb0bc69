"""Recompute what a manifest promises."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from brainalign.errors import BrainalignError
from brainalign.stores.contracts import CONTRACTS
from brainalign.stores.manifest import MANIFEST_NAME, find_damage, read_manifest
from brainalign.stores.read import iterate_blocks, open_store


def find_store_problems(path: Path) -> list[str]:
    """Check a published folder: every checksum, and for stores their contract and every chunk.

    Parameters
    ----------
    path : Path
        A store, or a folder of raw data, a backbone, a model or a report.

    Returns
    -------
    problems : list of str
        One sentence each; empty for a sound folder.

    Raises
    ------
    InputError
        If nothing is there.
    CorruptDataError
        If it has no readable manifest.
    """
    problems = find_damage(path)
    kind = read_manifest(path).kind
    if kind in CONTRACTS and not problems:
        try:
            _decode_every_chunk(open_store(path, kind))
        except BrainalignError as error:
            problems.append(error.what)
    return problems


def _decode_every_chunk(tree: xr.DataTree) -> None:
    for node in tree.subtree:
        for variable in node.to_dataset(inherit=False).variables.values():
            for _ in iterate_blocks(variable):
                pass


def list_published_folders(path: Path) -> list[Path]:
    """Find the published folders at or below a path, without looking inside them.

    A Zarr store without a manifest is listed too: it is broken, not absent.
    """
    if (path / MANIFEST_NAME).is_file() or (path / "zarr.json").is_file():
        return [path]
    found: list[Path] = []
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if child.is_dir() and not child.name.startswith("."):
                found += list_published_folders(child)
    return found
