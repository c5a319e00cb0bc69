"""Work through a response store that exceeds memory, block of units by block of units.

Stores are cut by rows, since most readers take whole presentations; what is computed per unit
needs all presentations of some units. One pass over the store turns it round on disk, a chunk at
a time; dask then works on the blocks, in this process or in jobs of SLURM.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import zarr

from brainalign.errors import CorruptDataError, ResourceError
from brainalign.stores.block_options import ArrayOptions
from brainalign.stores.publish import convert_resource_errors

SharedT = TypeVar("SharedT")

_ITEM_BYTES = 4
# In z-scoring and averaging a block lives in several copies, most of them in float64.
_BYTES_PER_VALUE = 48
# A worker's Python, NumPy and dask, beside its block.
_PROGRAM_MB = 500


@dataclass(frozen=True)
class UnitBlocks:
    """A copy of a response array on disk in which each block of units lies in one piece.

    Attributes
    ----------
    path : Path
        Raw float32 values: blocks one after the other, each (row, unit).
    n_rows, n_units : int
        Shape of the array.
    n_units_per_block : int
        Width of all blocks but the last.
    """

    path: Path
    n_rows: int
    n_units: int
    n_units_per_block: int

    def list_blocks(self) -> list[slice]:
        """List the units of each block.

        Returns
        -------
        blocks : list of slice
            In order; every unit is in exactly one.
        """
        starts = range(0, self.n_units, self.n_units_per_block)
        return [slice(start, min(start + self.n_units_per_block, self.n_units)) for start in starts]

    def read(self, units: slice) -> np.ndarray:
        """Read one block.

        Parameters
        ----------
        units : slice
            One of `list_blocks`.

        Returns
        -------
        response : array of shape (n_rows, n_block), float32
            All rows of these units.
        """
        width = units.stop - units.start
        values = np.fromfile(
            self.path,
            np.float32,
            count=self.n_rows * width,
            offset=self.n_rows * units.start * _ITEM_BYTES,
        )
        return values.reshape(self.n_rows, width)


@contextlib.contextmanager
def divide_by_units(
    store: Path, scratch: Path, options: ArrayOptions, variable: str = "response"
) -> Iterator[UnitBlocks]:
    """Copy a response array so that blocks of units can be read, and remove the copy at the end.

    Parameters
    ----------
    store : Path
        A published response store; the caller has opened it and so checked its manifest.
    scratch : Path
        Folder for the copy, which all workers must see. It needs 4 bytes per value.
    options : ArrayOptions
        Memory of a block.
    variable : str
        Variable of shape (row, unit) in the root group.

    Yields
    ------
    blocks : UnitBlocks
        The copy.

    Raises
    ------
    CorruptDataError
        A chunk does not decode.
    ResourceError
        The copy does not fit on the disk.

    Notes
    -----
    One chunk of the store is in memory at a time.
    """
    array = zarr.open_array(store / variable, mode="r")
    n_rows, n_units = array.shape
    budget = options.memory_mb * (1 << 20) // (_BYTES_PER_VALUE * max(1, n_rows))
    if budget < 1:
        raise ResourceError(
            "one unit alone exceeds the memory of a block",
            where="arrays.memory_mb",
            expected=f"{_BYTES_PER_VALUE * n_rows >> 20} MB or more for {n_rows} presentations",
            found=options.memory_mb,
        )
    blocks = UnitBlocks(scratch / f"units-{os.getpid()}.float32", n_rows, n_units, budget)
    with convert_resource_errors(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with blocks.path.open("wb") as file:
                for start in range(0, n_rows, array.chunks[0]):
                    _write_rows(file.fileno(), blocks, start, _read_rows(array, start, store))
            yield blocks
        finally:
            blocks.path.unlink(missing_ok=True)


def map_unit_blocks(
    function: Callable[[UnitBlocks, slice, SharedT], dict[str, np.ndarray]],
    blocks: UnitBlocks,
    shared: SharedT,
    options: ArrayOptions,
) -> dict[str, np.ndarray]:
    """Compute something per unit for all blocks with dask.

    Parameters
    ----------
    function : callable
        Gets the blocks, the units of one of them and `shared`; gives arrays whose last axis is
        that of these units. A function of a module, so that other processes can import it.
    blocks : UnitBlocks
        From `divide_by_units`.
    shared : object
        What all blocks need; sent once to each worker.
    options : ArrayOptions
        Where to compute, and how many blocks at a time.

    Returns
    -------
    results : dict of str to array
        Joined along the last axis, in the order of the units.
    """
    with _open_client(options, blocks.path.parent) as client:
        sent = client.scatter(shared, broadcast=True, hash=False)
        futures = [
            client.submit(function, blocks, units, sent, pure=False)
            for units in blocks.list_blocks()
        ]
        parts: list[dict[str, np.ndarray]] = client.gather(futures)
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def make_slurm_cluster(options: ArrayOptions, logs: Path) -> Any:
    """Describe the SLURM jobs that dask submits as its workers; none is submitted yet.

    Parameters
    ----------
    options : ArrayOptions
        Partition, account, memory and time of a job.
    logs : Path
        Folder for the logs of the jobs.

    Returns
    -------
    cluster : dask_jobqueue.SLURMCluster
        Scaled and closed by the caller.
    """
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(
        queue=options.partition,
        account=options.account,
        cores=1,
        processes=1,
        memory=f"{options.memory_mb + _PROGRAM_MB}MiB",
        local_directory=str(logs),
        walltime=f"{options.runtime_min // 60:02d}:{options.runtime_min % 60:02d}:00",
        log_directory=str(logs),
        scheduler_options={"dashboard": False},
    )


@contextlib.contextmanager
def _open_client(options: ArrayOptions, scratch: Path) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as opened:
        if options.cluster == "slurm":
            cluster = opened.enter_context(make_slurm_cluster(options, scratch / "workers"))
            cluster.scale(jobs=options.n_workers)
        else:
            # Threads of this process: no port is opened and nothing is copied.
            cluster = opened.enter_context(
                LocalCluster(
                    n_workers=1,
                    threads_per_worker=options.n_workers,
                    processes=False,
                    dashboard_address=None,
                    memory_limit=0,
                    local_directory=str(scratch / "workers"),
                )
            )
        yield opened.enter_context(Client(cluster))


def _read_rows(array: zarr.Array, start: int, store: Path) -> np.ndarray:
    try:
        return np.asarray(array[start : start + array.chunks[0]], np.float32)
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptDataError(
            "a chunk does not decode",
            where=store,
            found=str(error),
            remedy="Run brainalign verify, delete the store and run its rule again.",
        ) from error


def _write_rows(descriptor: int, blocks: UnitBlocks, start: int, rows: np.ndarray) -> None:
    for units in blocks.list_blocks():
        width = units.stop - units.start
        place = (blocks.n_rows * units.start + start * width) * _ITEM_BYTES
        content = np.ascontiguousarray(rows[:, units]).data.cast("B")
        while content:
            # A disk that fills up writes a part without an error.
            n_written = os.pwrite(descriptor, content, place)
            content, place = content[n_written:], place + n_written
