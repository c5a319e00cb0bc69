"""What writing a response store needs of memory, beside the arrays that are written."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.stores.write import write_store
from example_stores import make_responses

_MB = 1 << 20
_N_UNITS = 4000
# A chunk of 4 MB padded, packed and on its way to the disk, and small change.
_FIXED_MB = 12
_SHARD_MB = 256  # of other stores


def _make_responses(n_mb: int, names: tuple[str, ...]) -> xr.Dataset:
    """Responses of random numbers, which do not pack, of so many MB together."""
    random = np.random.default_rng(0).standard_normal((512, _N_UNITS), dtype=np.float32)
    n_rows = n_mb * _MB // (4 * _N_UNITS * len(names))
    small = make_responses(1, _N_UNITS).to_dataset()
    large = small.isel(presentation=np.zeros(n_rows, dtype=int)).drop_vars("response")
    for name in names:
        values = np.empty((n_rows, _N_UNITS), dtype=np.float32)
        for start in range(0, n_rows, len(random)):
            values[start : start + len(random)] = random[: n_rows - start]
        large[name] = (("presentation", "unit"), values, {"units": "1", "long_name": name})
    return large


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the first write imports is no part of what a write needs."""
    write_store(tmp_path_factory.mktemp("first") / "r.zarr", make_responses(), "responses")


@pytest.mark.parametrize(
    ("n_mb", "names"),
    [
        pytest.param(24, ("response",), id="a few chunks"),
        pytest.param(120, ("response",), id="below a shard"),
        pytest.param(120, ("response", "cleaned", "windows"), id="three arrays"),
        pytest.param(_SHARD_MB, ("response",), id="one shard"),
        pytest.param(_SHARD_MB + 64, ("response",), id="above a shard"),
    ],
)
def test_arrays_and_their_writing_stay_below_one_and_a_half_times_the_arrays(
    tmp_path: Path, n_mb: int, names: tuple[str, ...]
) -> None:
    path = tmp_path / "r.zarr"
    tracemalloc.start()
    try:
        responses = _make_responses(n_mb, names)
        output = sum(responses[name].nbytes for name in names)
        tracemalloc.reset_peak()
        write_store(path, responses, "responses")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    n_files = sum(one.is_file() for one in path.rglob("*"))
    print(f"{output / _MB:.0f} MB: peak {peak / output:.2f} times it, {n_files} files")
    assert peak < 1.5 * output + _FIXED_MB * _MB
    assert n_files < 50
