"""An epoch of shuffled rows holds each row once, in an order that the generator decides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.rows import RowBatch, iterate_shuffled_rows, open_rows
from brainalign.stores.write import write_store
from example_stores import make_features

_ROW_BYTES = 3 * 8


def _make_array(n_rows: int, rows_per_chunk: int) -> zarr.Array:
    array = zarr.create_array(
        zarr.storage.MemoryStore(),
        shape=(n_rows, 3),
        chunks=(rows_per_chunk, 3),
        shards=(2 * rows_per_chunk, 3),
        dtype="int64",
    )
    array[:] = np.arange(n_rows)[:, None] * [1, 10, 100]
    return array


def _read_epoch(
    array: zarr.Array | np.ndarray, batch_size: int, seed: int, window_rows: int = 10**6
) -> list[RowBatch]:
    generator = np.random.default_rng(seed)
    return list(iterate_shuffled_rows(array, batch_size, generator, window_rows * _ROW_BYTES))


@settings(max_examples=50)
@given(
    n_rows=st.integers(1, 40),
    rows_per_chunk=st.integers(1, 12),
    batch_size=st.integers(1, 45),
    window_rows=st.integers(1, 50),
    seed=st.integers(0, 5),
)
def test_each_row_comes_exactly_once_in_full_batches(
    n_rows: int, rows_per_chunk: int, batch_size: int, window_rows: int, seed: int
) -> None:
    array = _make_array(n_rows, min(rows_per_chunk, n_rows))
    batches = _read_epoch(array, batch_size, seed, window_rows)
    index = np.concatenate([batch.index for batch in batches])
    rows = np.concatenate([batch.rows for batch in batches])
    assert sorted(index) == list(range(n_rows))
    np.testing.assert_array_equal(rows, array[:][index])
    assert all(len(batch.index) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1].index) <= batch_size


@pytest.mark.parametrize("window_rows", [10, 1000])
def test_the_generator_decides_the_order(window_rows: int) -> None:
    array = _make_array(50, 5)
    orders = [
        np.concatenate([batch.index for batch in _read_epoch(array, 8, seed, window_rows)]).tolist()
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != list(range(50))


def test_an_array_that_fits_is_shuffled_across_all_its_chunks() -> None:
    array = _make_array(1000, 10)
    first = _read_epoch(array, 100, seed=0)[0].index
    assert len(set(first // 10)) > 40


def test_a_window_mixes_distant_chunks() -> None:
    array = _make_array(1000, 10)
    first = _read_epoch(array, 100, seed=0, window_rows=100)[0].index
    assert len(set(first // 10)) == 10
    assert first.max() - first.min() > 300


def test_no_more_than_the_window_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    array = _make_array(100, 5)
    lengths: list[int] = []
    read = zarr.Array.__getitem__

    def count_rows(self: zarr.Array, place: slice) -> object:
        lengths.append(place.stop - place.start)
        return read(self, place)

    monkeypatch.setattr(zarr.Array, "__getitem__", count_rows)
    _read_epoch(array, 8, seed=0, window_rows=20)
    assert max(lengths) <= 20
    assert sum(lengths) == 100


def test_an_array_in_memory_gives_the_same_epoch_as_the_store() -> None:
    array = _make_array(60, 7)
    for stored, plain in zip(
        _read_epoch(array, 16, seed=2), _read_epoch(array[:], 16, seed=2), strict=True
    ):
        np.testing.assert_array_equal(stored.index, plain.index)
        np.testing.assert_array_equal(stored.rows, plain.rows)


def test_an_empty_array_gives_no_batch() -> None:
    assert _read_epoch(np.empty((0, 3)), 4, seed=0) == []


def test_a_batch_size_of_zero_is_refused() -> None:
    with pytest.raises(InputError, match="batch size"):
        _read_epoch(np.zeros((4, 3)), 0, seed=0)


def test_rows_of_a_published_store_are_its_values(tmp_path: Path) -> None:
    tree = make_features()
    write_store(tmp_path / "pixels.zarr", tree, "features")
    array = open_rows(tmp_path / "pixels.zarr", "layer_1/mean/feature")
    batch = next(iterate_shuffled_rows(array, 6, np.random.default_rng(0)))
    expected = tree["layer_1/mean/feature"].values[batch.index]
    np.testing.assert_array_equal(batch.rows, expected)


def test_an_unknown_variable_is_an_input_error(tmp_path: Path) -> None:
    write_store(tmp_path / "pixels.zarr", make_features(), "features")
    with pytest.raises(InputError, match="no variable 'layer_9/mean/feature'"):
        open_rows(tmp_path / "pixels.zarr", "layer_9/mean/feature")


def test_rows_of_an_unpublished_store_are_refused(tmp_path: Path) -> None:
    write_store(tmp_path / "pixels.zarr", make_features(), "features")
    (tmp_path / "pixels.zarr" / "manifest.json").unlink()
    with pytest.raises(CorruptDataError, match="never published"):
        open_rows(tmp_path / "pixels.zarr", "layer_1/mean/feature")


def test_a_damaged_chunk_is_corrupt_data(tmp_path: Path) -> None:
    write_store(tmp_path / "pixels.zarr", make_features(), "features")
    chunk = tmp_path / "pixels.zarr" / "layer_1" / "mean" / "feature" / "c" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.write_bytes(bytes(content))
    array = open_rows(tmp_path / "pixels.zarr", "layer_1/mean/feature")
    with pytest.raises(CorruptDataError, match="does not decode"):
        list(iterate_shuffled_rows(array, 2, np.random.default_rng(0)))
