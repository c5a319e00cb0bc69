"""A program that writes stores and is meant to be killed, raced or starved of disk.

Usage: ``writer.py serve`` forks a writer for each path on standard input, prints its process id
and, once it is gone, ``gone``. ``writer.py replace PATH FIRST COUNT`` and
``writer.py limit PATH BYTES`` write from the process itself.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import dask.array  # noqa: F401  (loaded before the forks, so that kills hit the writing)
import numpy as np
import xarray as xr

from brainalign.errors import BrainalignError
from brainalign.stores.write import write_store

N_PRESENTATIONS, N_UNITS = 400, 300


def make_version(version: int, n_presentations: int = N_PRESENTATIONS) -> xr.DataTree:
    """Responses in which every number and every text is the version."""
    presentations = ("presentation", [str(version)] * n_presentations)
    units = ("unit", [str(version)] * N_UNITS)
    dataset = xr.Dataset(
        {
            "response": (
                ("presentation", "unit"),
                np.full((n_presentations, N_UNITS), version, np.float32),
            ),
            "stimulus": presentations,
            "session": presentations,
            "repeat": ("presentation", np.full(n_presentations, version)),
            "area": units,
            "unit_status": units,
            "noise_ceiling": ("unit", np.full(N_UNITS, float(version))),
            "reliability": ("unit", np.full(N_UNITS, float(version))),
        },
        coords={"unit": [f"unit-{position}" for position in range(N_UNITS)]},
    )
    return xr.DataTree(dataset)


def find_versions(tree: xr.DataTree) -> set[int]:
    """All versions that a store holds; more than one is a mixture."""
    variables = tree.to_dataset().drop_vars("unit").variables.values()
    return {int(value) for variable in variables for value in np.unique(variable.values)}


def _replace(path: Path, first_version: int, count: int) -> None:
    for version in range(first_version, first_version + count):
        write_store(path, make_version(version), "responses", {"version": version})


def _serve() -> None:
    for line in sys.stdin:
        path, first_version = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            _replace(Path(path), int(first_version), 10_000)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


def _write_under_limit(path: Path, max_file_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
    tree = make_version(2, n_presentations=4000)
    noise = np.random.default_rng(0).random(tree["response"].shape, dtype=np.float32)
    write_store(path, tree.assign(response=tree["response"].copy(data=noise)), "responses")


def main() -> int:
    """Run one command."""
    command, *arguments = sys.argv[1:]
    try:
        if command == "serve":
            _serve()
        elif command == "replace":
            _replace(Path(arguments[0]), int(arguments[1]), int(arguments[2]))
        else:
            _write_under_limit(Path(arguments[0]), int(arguments[1]))
    except BrainalignError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
