"""What is written is what is read, by us and by plain xarray."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.read import (
    iterate_blocks,
    open_store,
    read_digest,
    read_labels,
    read_store,
    take_rows,
)
from brainalign.stores.write import write_store
from example_stores import EXAMPLES, make_features, make_responses


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01.zarr"
    write_store(path, make_responses(), "responses")
    return path


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A store of several chunks whose content came in odd blocks."""
    path = tmp_path_factory.mktemp("large") / "pixels.zarr"
    values = np.random.default_rng(0).random((2003, 1501), dtype=np.float32)
    tree = make_features(n_stimuli=len(values))
    del tree["layer_1"]
    blocks = dask.array.from_array(values, chunks=(301, 499))
    tree["grid/feature"] = xr.Dataset({"feature": (("stimulus", "dimension"), blocks)})
    write_store(path, tree, "features")
    return path, values


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_kind_comes_back_as_it_was_written(tmp_path: Path, example: str) -> None:
    kind, make = EXAMPLES[example]
    written = make()
    write_store(tmp_path / "store.zarr", written, kind)
    read = read_store(tmp_path / "store.zarr", kind)
    assert [node.path for node in read.subtree] == [node.path for node in written.subtree]
    for node in written.subtree:
        expected, found = node.to_dataset(), read[node.path].to_dataset()
        assert set(found.variables) == set(expected.variables)
        assert set(found.coords) == set(expected.coords)
        for name, variable in expected.variables.items():
            same = found.variables[name]
            assert same.dims == variable.dims
            assert same.attrs == variable.attrs
            np.testing.assert_array_equal(same.values, variable.values)
            if variable.dtype.kind != "U":
                assert same.dtype == variable.dtype


@pytest.mark.parametrize("example", EXAMPLES)
def test_plain_xarray_opens_every_kind_without_warnings(tmp_path: Path, example: str) -> None:
    kind, make = EXAMPLES[example]
    write_store(tmp_path / "store.zarr", make(), kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xr.open_zarr(tmp_path / "store.zarr").load()
        xr.open_datatree(tmp_path / "store.zarr").load()


@pytest.mark.parametrize("example", EXAMPLES)
def test_writing_warns_of_nothing(tmp_path: Path, example: str) -> None:
    kind, make = EXAMPLES[example]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_store(tmp_path / "store.zarr", make(), kind)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_kind_is_tens_of_files(tmp_path: Path, example: str) -> None:
    kind, make = EXAMPLES[example]
    write_store(tmp_path / "store.zarr", make(), kind)
    files = [path for path in (tmp_path / "store.zarr").rglob("*") if path.is_file()]
    assert len(files) < 60


def test_dask_blocks_across_shard_borders_lose_nothing(
    large_store: tuple[Path, np.ndarray],
) -> None:
    path, values = large_store
    read = read_store(path, "features")["grid/feature/feature"]
    np.testing.assert_array_equal(read.values, values)


@pytest.mark.parametrize("blocks", [(1, 10), (7, 3), (20, 1)])
def test_dask_blocks_across_many_small_shards_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: tuple[int, int]
) -> None:
    monkeypatch.setattr("brainalign.stores.layout._CHUNK_BYTES", 80)
    monkeypatch.setattr("brainalign.stores.layout._SHARD_BYTES", 240)
    values = np.arange(200, dtype=np.float32).reshape(20, 10)
    tree = make_features(n_stimuli=20)
    del tree["layer_1"]
    tree["grid/feature"] = xr.Dataset(
        {"feature": (("stimulus", "dimension"), dask.array.from_array(values, chunks=blocks))}
    )
    write_store(tmp_path / "pixels.zarr", tree, "features")
    read = read_store(tmp_path / "pixels.zarr", "features")["grid/feature/feature"]
    np.testing.assert_array_equal(read.values, values)


def test_a_large_array_is_one_file_of_several_chunks(large_store: tuple[Path, np.ndarray]) -> None:
    path, values = large_store
    array = zarr.open_array(path / "grid" / "feature" / "feature", mode="r")
    assert array.metadata.zarr_format == 3
    assert array.chunks[0] < len(values)
    chunk_folder = path / "grid" / "feature" / "feature" / "c"
    assert sum(file.is_file() for file in chunk_folder.rglob("*")) == 1


def test_blocks_hold_every_element_once(large_store: tuple[Path, np.ndarray]) -> None:
    path, values = large_store
    variable = open_store(path, "features")["grid/feature/feature"].variable
    blocks = list(iterate_blocks(variable))
    assert sum(block.size for block in blocks) == values.size
    together = np.sort(np.concatenate([block.ravel() for block in blocks]))
    np.testing.assert_array_equal(together, np.sort(values.ravel()))


def test_missing_floats_are_stored_as_nan(store: Path) -> None:
    for name in ("response", "noise_ceiling", "reliability"):
        assert math.isnan(zarr.open_array(store / name, mode="r").fill_value)
    assert np.isnan(read_store(store, "responses")["response"].values[0, 0])


def test_an_empty_axis_comes_back_empty(tmp_path: Path) -> None:
    empty = xr.DataTree(make_responses().to_dataset().isel(presentation=slice(0)))
    write_store(tmp_path / "sub-01.zarr", empty, "responses")
    assert read_store(tmp_path / "sub-01.zarr", "responses")["response"].shape == (0, 5)


def test_a_label_that_is_no_text_is_refused_not_converted(tmp_path: Path) -> None:
    dataset = make_responses().to_dataset()
    labels = dataset["stimulus"].values.astype(object)
    labels[3] = None
    broken = xr.DataTree(dataset.assign(stimulus=("presentation", labels)))
    with pytest.raises(CorruptDataError, match="'stimulus' must hold text"):
        write_store(tmp_path / "sub-01.zarr", broken, "responses")


def test_labels_come_as_plain_text(store: Path) -> None:
    labels = read_labels(open_store(store, "responses"), "stimulus")
    assert labels.dtype.kind == "U"
    assert labels[:2].tolist() == ["bild-ä", "家"]


def test_writing_does_not_change_the_tree_of_the_caller(tmp_path: Path) -> None:
    tree, same = make_responses(), make_responses()
    write_store(tmp_path / "sub-01.zarr", tree, "responses", {"seed": 1})
    assert tree.identical(same)
    assert tree["stimulus"].dtype == same["stimulus"].dtype


def test_equal_content_has_an_equal_digest_at_another_time(tmp_path: Path) -> None:
    for name, started in (("a", "2020"), ("b", "2030")):
        provenance = {"seed": 1, "run": {"started_at": started}}
        write_store(tmp_path / name, make_responses(), "responses", provenance)
    assert read_digest(tmp_path / "a") == read_digest(tmp_path / "b")


def test_other_content_has_another_digest(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_store(tmp_path / str(seed), make_responses(seed=seed), "responses")
    assert read_digest(tmp_path / "0") != read_digest(tmp_path / "1")


def test_provenance_is_in_the_attributes_but_for_its_times(tmp_path: Path) -> None:
    provenance = {"options": {"x": 1}, "run": {"started_at": "2020"}}
    write_store(tmp_path / "sub-01.zarr", make_responses(), "responses", provenance)
    attributes = xr.open_zarr(tmp_path / "sub-01.zarr").attrs
    assert attributes == {"subject": "sub-é", "kind": "responses", "options": {"x": 1}}


def test_a_store_without_manifest_is_refused(store: Path) -> None:
    (store / "manifest.json").unlink()
    with pytest.raises(CorruptDataError, match="never published"):
        open_store(store, "responses")


def test_a_store_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such store.*snakemake"):
        open_store(tmp_path / "sub-02.zarr", "responses")


def test_a_store_of_another_kind_is_refused(store: Path) -> None:
    with pytest.raises(InputError, match="expected features, found responses"):
        open_store(store, "features")


def test_an_unknown_kind_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'responses'"):
        write_store(tmp_path / "x.zarr", make_responses(), "response")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_lost_a_chunk_is_refused_on_open(store: Path) -> None:
    # Zarr alone would read it as NaN.
    (store / "response" / "c" / "0" / "0").unlink()
    with pytest.raises(CorruptDataError, match="response/c/0/0 is missing"):
        open_store(store, "responses")


def test_a_store_that_was_cut_short_is_refused_on_open(store: Path) -> None:
    chunk = store / "response" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(CorruptDataError, match="response/c/0/0 has"):
        open_store(store, "responses")


def test_a_store_with_unreadable_metadata_is_refused(store: Path) -> None:
    metadata = (store / "zarr.json").read_text(encoding="utf-8")
    same_length = metadata.replace('"node_type": "group"', '"node_type": "grope"')
    (store / "zarr.json").write_text(same_length, encoding="utf-8")
    with pytest.raises(CorruptDataError, match="cannot be opened as Zarr"):
        open_store(store, "responses")


@pytest.mark.parametrize("name", ["response/c/0/0", "stimulus/c/0", "unit/c/0"])
def test_a_flipped_bit_in_a_chunk_never_reads_as_other_values(store: Path, name: str) -> None:
    sound = read_store(store, "responses")
    content = (store / name).read_bytes()
    for position in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        (store / name).write_bytes(bytes(damaged))
        try:
            assert read_store(store, "responses").identical(sound)
        except CorruptDataError:
            continue


def test_rows_come_in_the_order_that_was_asked_for(
    large_store: tuple[Path, np.ndarray],
) -> None:
    path, values = large_store
    rows = np.array([2002, 0, 7, 7, 1500])
    variable = open_store(path, "features")["grid/feature"].variables["feature"]
    np.testing.assert_array_equal(take_rows(variable, rows), values[rows])
