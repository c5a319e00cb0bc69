"""Reading a training epoch from our store against random rows of the same Zarr.

Run with ``pytest tests/benchmarks/benchmark_store_reading.py -s``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from benchmarks.timing import compare_times
from brainalign.stores.rows import iterate_shuffled_rows, open_rows
from brainalign.stores.write import write_store

_N_STIMULI, _N_FEATURES, _BATCH_SIZE = 4000, 1536, 32
_VARIABLE = "layer_1/mean/feature"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 25 MB of features in 6 chunks."""
    path = tmp_path_factory.mktemp("benchmark") / "pixels.zarr"
    generator = np.random.default_rng(0)
    values = generator.normal(size=(_N_STIMULI, _N_FEATURES)).astype(np.float32)
    stimuli = [f"stimulus-{position:05d}" for position in range(_N_STIMULI)]
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"stimulus": stimuli}),
            "/layer_1/mean": xr.Dataset({"feature": (("stimulus", "dimension"), values)}),
        }
    )
    write_store(path, tree, "features")
    return path


def _read_random_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read an epoch as a plain data loader does: one random batch after the other."""
    feature = xr.open_datatree(path, chunks=None)[_VARIABLE]
    order = np.random.default_rng(0).permutation(len(feature))
    batches = [
        feature[order[start : start + _BATCH_SIZE]].values
        for start in range(0, len(order), _BATCH_SIZE)
    ]
    return order, np.concatenate(batches)


def _read_shuffled_chunks(path: Path, window_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    array = open_rows(path, _VARIABLE)
    batches = list(iterate_shuffled_rows(array, _BATCH_SIZE, generator, window_bytes))
    return (
        np.concatenate([batch.index for batch in batches]),
        np.concatenate([batch.rows for batch in batches]),
    )


@pytest.mark.benchmark
@pytest.mark.parametrize(
    "window_bytes",
    [pytest.param(1 << 30, id="whole array"), pytest.param(8 << 20, id="windows of 8 MiB")],
)
def test_an_epoch_of_whole_chunks_against_random_rows(store: Path, window_bytes: int) -> None:
    epochs = [_read_random_rows(store), _read_shuffled_chunks(store, window_bytes)]
    sorted_rows = [rows[np.argsort(order)] for order, rows in epochs]
    np.testing.assert_array_equal(*sorted_rows)
    compare_times(
        f"an epoch from the store, window of {window_bytes >> 20} MiB",
        lambda: _read_random_rows(store),
        lambda: _read_shuffled_chunks(store, window_bytes),
        n_repeats=3,
    )
