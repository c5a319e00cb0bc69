"""Extraction split over jobs: which rows a job computes, and how its part joins the others.

Rows are stimuli or frames: what is here knows only that each variable's first dimension is that of
the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.read import open_store


def choose_shard_rows(n_rows: int, shard: int, n_shards: int, batch_size: int) -> slice:
    """Choose the rows of one job.

    Parameters
    ----------
    n_rows : int
        Rows of all jobs together.
    shard : int
        Number of the job, from 0.
    n_shards : int
        Number of jobs.
    batch_size : int
        Rows per forward pass.

    Returns
    -------
    rows : slice
        Whole batches but for the last job, so that the jobs compute the same batches as a single
        one would (where no image comes twice), and with them bitwise the same features.

    Raises
    ------
    InputError
        There is no such job, or fewer batches than jobs.
    """
    if not 0 <= shard < n_shards:
        raise InputError("no such shard", expected=f"0 to {n_shards - 1}", found=shard)
    n_batches = -(-n_rows // batch_size)
    if n_batches < n_shards:
        raise InputError(
            "more shards than batches of stimuli",
            where="backbones",
            expected=f"shards of {n_batches} or less ({n_rows} rows, batch_size {batch_size})",
            found=n_shards,
            remedy="Lower shards or batch_size of this backbone.",
        )
    start, stop = (n_batches * number // n_shards * batch_size for number in (shard, shard + 1))
    return slice(start, min(stop, n_rows))


def join_parts(paths: Sequence[Path], rows: xr.Dataset) -> xr.DataTree:
    """Join the parts of all jobs in the order of their rows.

    Parameters
    ----------
    paths : sequence of Path
        Feature stores of the jobs, in the order of their numbers.
    rows : xarray.Dataset
        Coordinates that the root of the joined store must have, along one dimension.

    Returns
    -------
    tree : xarray.DataTree
        Lazy arrays: the writer holds a few blocks in memory and not all features.

    Raises
    ------
    CorruptDataError
        The parts do not give exactly these rows, or come from different models.
    """
    (row,) = (str(name) for name in rows.sizes)
    for path in paths:
        # Checks manifest and contract, which opening lazily does not.
        open_store(path, "features")
    parts = [xr.open_datatree(path, engine="zarr", chunks={}) for path in paths]
    for name, expected in rows.coords.items():
        found = np.concatenate([part.coords[name].values for part in parts])
        if not np.array_equal(found.astype(expected.dtype), expected.values):
            raise CorruptDataError(
                f"the parts do not hold the rows of the stimulus store ({name} differs)",
                where=paths[0].parent,
                expected=f"{rows.sizes[row]} rows in its order",
                found=f"{len(found)} rows",
                remedy="Delete the parts and run again.",
            )
    facts = [_keep_facts(part) for part in parts]
    groups = [tuple(node.path for node in part.subtree) for part in parts]
    if any(fact != facts[0] for fact in facts) or len(set(groups)) > 1:
        raise CorruptDataError(
            "the parts come from different models or layers",
            where=paths[0].parent,
            remedy="Delete the parts and run again.",
        )
    nodes = [{node.path: node.to_dataset(inherit=False) for node in part.subtree} for part in parts]
    joined = {
        group: xr.concat([node[group] for node in nodes], row)
        for group in groups[0]
        if group != "/"
    }
    tree = xr.DataTree.from_dict({"/": rows, **joined})
    tree.attrs.update(facts[0])
    return tree


def _keep_facts(part: xr.DataTree) -> dict[str, object]:
    """Attributes about data set and backbone; those about a run are written anew."""
    return {
        str(name): value
        for name, value in part.attrs.items()
        if name in ("dataset", "backbone") or str(name).startswith("backbone_")
    }
