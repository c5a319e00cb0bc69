"""A manifest names every file with its checksum, and any change is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.manifest import find_damage, list_files, read_manifest
from brainalign.stores.publish import publish_folder
from brainalign.stores.verify import find_store_problems, list_published_folders
from brainalign.stores.write import write_store
from example_stores import make_responses, write_without_checks


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "responses" / "sub-01.zarr"
    write_store(path, make_responses(), "responses", {"seed": 1, "note": "für die Prüfung"})
    return path


def _flip_bit(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


def _find_any_problem(path: Path) -> list[str]:
    try:
        return find_store_problems(path)
    except CorruptDataError as error:
        return [str(error)]


def test_a_sound_store_has_no_problems(store: Path) -> None:
    assert find_store_problems(store) == []


def test_a_flipped_bit_is_found_in_every_file(store: Path) -> None:
    for name in list_files(store):
        sound = (store / name).read_bytes()
        _flip_bit(store / name, len(sound) // 2)
        assert find_store_problems(store) == [
            f"{name} has another checksum than when it was published"
        ]
        (store / name).write_bytes(sound)


def test_a_flipped_bit_anywhere_in_the_manifest_is_found(store: Path) -> None:
    path = store / "manifest.json"
    sound = path.read_bytes()
    positions = np.random.default_rng(0).choice(len(sound), 150, replace=False)
    whitespace = b" \n"
    for position in positions:
        _flip_bit(path, position)
        # JSON says the same with other white space, whatever a bit does to it there.
        if sound[position] not in whitespace:
            assert _find_any_problem(store), f"byte {position}"
        path.write_bytes(sound)


def test_a_missing_file_is_found(store: Path) -> None:
    (store / "area" / "zarr.json").unlink()
    assert find_damage(store) == ["area/zarr.json is missing"]


def test_an_extra_file_is_found(store: Path) -> None:
    (store / "area" / "c" / "7").write_text("stray", encoding="utf-8")
    assert find_damage(store) == ["area/c/7 is not in the manifest"]


def test_an_extra_manifest_deeper_inside_is_found(store: Path) -> None:
    (store / "area" / "manifest.json").write_text("{}", encoding="utf-8")
    assert find_damage(store) == ["area/manifest.json is not in the manifest"]


def test_a_file_of_another_size_is_found(store: Path) -> None:
    with (store / "area" / "c" / "0").open("ab") as stream:
        stream.write(b"x")
    assert "bytes, expected" in find_damage(store)[0]


def test_a_broken_contract_is_found_even_with_right_checksums(tmp_path: Path) -> None:
    dataset = make_responses().to_dataset().drop_vars("area")
    dataset = dataset.assign(
        {k: v.astype(object) for k, v in dataset.variables.items() if v.dtype.kind == "U"}
    )
    tree = make_responses()
    tree.dataset = dataset
    write_without_checks(tmp_path / "sub-01.zarr", tree, "responses")
    assert "'area' is missing" in find_store_problems(tmp_path / "sub-01.zarr")[0]


def test_the_time_stamp_of_snakemake_is_no_part_of_a_store(store: Path) -> None:
    digest = read_manifest(store).digest
    (store / ".snakemake_timestamp").touch()
    assert find_store_problems(store) == []
    assert read_manifest(store).digest == digest


@pytest.mark.parametrize("length", [0, 1, 100, -2])
def test_a_truncated_manifest_is_corrupt_data(store: Path, length: int) -> None:
    path = store / "manifest.json"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CorruptDataError, match=r"damaged manifest\.json"):
        read_manifest(store)


@pytest.mark.parametrize("content", ["[]", "null", "{}", '"text"', "\udc80"])
def test_a_manifest_that_is_something_else_is_corrupt_data(store: Path, content: str) -> None:
    (store / "manifest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorruptDataError, match=r"damaged manifest\.json"):
        read_manifest(store)


def test_a_manifest_reads_back_as_it_was_written(store: Path) -> None:
    manifest = read_manifest(store)
    assert manifest.kind == "responses"
    assert manifest.provenance == {"seed": 1, "note": "für die Prüfung"}
    assert sorted(manifest.files) == list_files(store)
    content = json.loads((store / "manifest.json").read_text(encoding="utf-8"))
    assert content["digest"] == manifest.digest


def test_provenance_may_be_filled_until_the_block_ends(tmp_path: Path) -> None:
    provenance: dict[str, object] = {}
    with publish_folder(tmp_path / "report", "report", provenance) as draft:
        (draft / "page.html").touch()
        provenance["n_figures"] = 3
    assert read_manifest(tmp_path / "report").provenance == {"n_figures": 3}


def test_published_folders_are_found_at_any_depth_but_not_inside_each_other(store: Path) -> None:
    results = store.parents[1]
    with publish_folder(results / "report", "report") as draft:
        (draft / "page.html").touch()
    (results / ".draft.zarr").mkdir()
    (results / ".draft.zarr" / "zarr.json").touch()
    assert list_published_folders(results) == [results / "report", store]


def test_a_store_that_lost_its_manifest_is_still_looked_at(store: Path) -> None:
    (store / "manifest.json").unlink()
    assert list_published_folders(store.parents[1]) == [store]


def test_verifying_nothing_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such store"):
        find_store_problems(tmp_path / "none.zarr")
