"""The description of a store says what is in it, in numbers that are right."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.inspect import RunningMoments, describe_store
from brainalign.stores.inspect_folder import format_size
from brainalign.stores.publish import publish_folder
from brainalign.stores.write import write_store
from example_stores import EXAMPLES, make_responses


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01.zarr"
    provenance = {
        "options": {"optimizer": {"rate": 0.1}, "seed": 3},
        "inputs": {"stimuli": "0123456789abcdef"},
        "run": {"wall_s": 1.5, "peak_memory_mb": 100},
    }
    write_store(path, make_responses(), "responses", provenance)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    with publish_folder(path, "model") as draft:
        weights = {"encoder.weight": np.full((2, 8), 0.5, np.float32), "step": np.arange(3)}
        save_file(weights, draft / "weights.safetensors")
        (draft / "options.json").write_text(json.dumps({"rate": 0.1}), encoding="utf-8")
        with (draft / "training.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["epoch", "loss", "validation_score", "validation_loss"])
            writer.writerows([[1, 3, 0.25, 9], [2, 2, 0.75, 7], [3, 1, "nan", 8]])
    return path


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_variable_of_every_kind_is_described(tmp_path: Path, example: str) -> None:
    kind, make = EXAMPLES[example]
    tree = make()
    write_store(tmp_path / "store.zarr", tree, kind)
    description = describe_store(tmp_path / "store.zarr")
    assert description.startswith(kind)
    for node in tree.subtree:
        assert node.path in description
        for name in node.variables:
            assert f"\n  {name}  (" in description


def test_statistics_leave_out_what_is_missing_and_say_how_much(store: Path) -> None:
    values = make_responses()["response"].values
    description = describe_store(store)
    expected = (
        f"min {np.nanmin(values):.4g}, mean {np.nanmean(values, dtype=float):.4g}, "
        f"max {np.nanmax(values):.4g}, sd {np.nanstd(values, dtype=float):.4g}, missing 2.5 %"
    )
    assert expected in description


def test_dimensions_units_chunks_and_labels_are_shown(store: Path) -> None:
    description = describe_store(store)
    assert "response  (presentation 8, unit 5) float32 [spikes/s]  mean rate" in description
    assert "chunks 8 x 5, 160 B as " in description
    assert "2 distinct: 'bild-ä', '家'" in description


def test_provenance_is_shown_on_compact_lines(store: Path) -> None:
    description = describe_store(store)
    assert "  options: optimizer.rate=0.1 seed=3\n" in description
    assert "  inputs: stimuli=0123456789ab\n" in description
    assert "  run: wall_s=1.5 peak_memory_mb=100\n" in description


def test_without_statistics_no_values_are_read(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("read a value")

    monkeypatch.setattr("brainalign.stores.inspect.iterate_blocks", refuse)
    description = describe_store(store, statistics=False)
    assert "missing" not in description
    assert "distinct" not in description


@given(
    st.lists(st.lists(st.floats(width=32), min_size=1, max_size=5), min_size=1, max_size=5),
    st.sampled_from([0.0, 1e6]),
)
def test_moments_of_blocks_are_those_of_the_whole(blocks: list[list[float]], shift: float) -> None:
    arrays = [np.clip(np.asarray(block), -1e9, 1e9) + shift for block in blocks]
    arrays[0][0] = np.inf
    moments = RunningMoments()
    for array in arrays:
        moments.add(array)
    whole = np.concatenate(arrays)
    finite = whole[np.isfinite(whole)]
    assert moments.n_missing == np.isnan(whole).sum()
    assert moments.n_infinite == np.isinf(whole).sum()
    assert moments.count == len(finite)
    if len(finite):
        scale = np.abs(finite).max() + 1e-300
        np.testing.assert_allclose(moments.mean, finite.mean(), atol=1e-9 * scale)
        np.testing.assert_allclose(moments.standard_deviation, finite.std(), atol=1e-7 * scale)
        assert (moments.minimum, moments.maximum) == (finite.min(), finite.max())


def test_a_model_folder_shows_weights_options_and_training(model: Path) -> None:
    description = describe_store(model)
    assert "weights.safetensors  19 parameters" in description
    assert re.search(r"encoder\.weight  \(2, 8\) F32, norm 2\n", description)
    assert "step  (3,) I64\n" in description
    assert "rate: 0.1" in description
    assert "training.csv  3 epochs" in description
    assert "best validation_score 0.75 in epoch 2" in description
    assert "best validation_loss 7 in epoch 2" in description


def test_damaged_weights_are_corrupt_data(model: Path) -> None:
    (model / "weights.safetensors").write_bytes(b"\x05")
    with pytest.raises(CorruptDataError, match="weights cannot be read"):
        describe_store(model)


def test_a_raw_folder_shows_its_files_by_suffix(tmp_path: Path) -> None:
    path = tmp_path / "raw"
    with publish_folder(path, "raw") as draft:
        for name in ("a.tar.gz", "b.tar.gz", "events.tsv", "README"):
            (draft / name).write_bytes(b"x" * 1024)
    description = describe_store(path)
    assert "  .tar.gz  2 files, 2.0 KiB" in description
    assert "  .tsv  1 files, 1.0 KiB" in description
    assert "  no suffix  1 files, 1.0 KiB" in description


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (3 << 30, "3.0 GiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_sizes_are_written_for_readers(n_bytes: int, text: str) -> None:
    assert format_size(n_bytes) == text


def test_what_was_never_published_is_refused(store: Path, tmp_path: Path) -> None:
    (store / "manifest.json").unlink()
    with pytest.raises(CorruptDataError, match="never published"):
        describe_store(store)
    with pytest.raises(InputError, match="no such store"):
        describe_store(tmp_path / "nothing.zarr")
