"""Features that several jobs extract and one joins are those of a single job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.features.shards import choose_shard_rows
from brainalign.stores.read import read_store
from brainalign.stores.write import write_store
from command_line import Command, Outcome
from example_stores import make_stimuli


@pytest.mark.parametrize(("n_rows", "n_shards", "batch_size"), [(10, 3, 2), (7, 2, 3), (5, 1, 8)])
def test_shards_are_whole_batches_that_hold_every_row_once(
    n_rows: int, n_shards: int, batch_size: int
):
    shards = [choose_shard_rows(n_rows, n, n_shards, batch_size) for n in range(n_shards)]
    assert [row for shard in shards for row in range(n_rows)[shard]] == list(range(n_rows))
    assert all(shard.start % batch_size == 0 for shard in shards)
    assert all(shard.stop > shard.start for shard in shards)


def test_more_shards_than_batches_name_the_largest_number():
    with pytest.raises(InputError, match="shards of 3 or less"):
        choose_shard_rows(10, 0, 4, 4)


@pytest.fixture
def stimuli(tmp_path: Path) -> Path:
    path = tmp_path / "stimuli.zarr"
    write_store(path, make_stimuli(n_stimuli=11, side=16), "stimuli")
    return path


def extract(command: Command, stimuli: Path, output: str, *words: str | Path) -> Outcome:
    backbone = {"kind": "pixels", "grid": 4, "batch_size": 2, "shards": 3}
    return command(
        *("features", "--dataset", "lab", "--backbone", "pixels", "--stimuli", stimuli),
        *("--options", json.dumps({"backbone": backbone, "device": "cpu"})),
        *("--output", stimuli.parent / output, *words),
    )


def test_joined_shards_are_bitwise_the_unsharded_features(command: Command, stimuli: Path):
    folder = stimuli.parent
    parts = [folder / f"{shard}.zarr" for shard in range(3)]
    assert extract(command, stimuli, "whole.zarr").status == 0
    for shard, part in enumerate(parts):
        assert extract(command, stimuli, part.name, "--shard", str(shard)).status == 0
    outcome = extract(command, stimuli, "joined.zarr", "--parts", *parts)
    assert outcome.status == 0, outcome.error
    whole, joined = (
        read_store(folder / f"{name}.zarr", "features") for name in ("whole", "joined")
    )
    assert [node.path for node in joined.subtree] == [node.path for node in whole.subtree]
    for node in whole.subtree:
        xr.testing.assert_equal(joined[node.path].to_dataset(), node.to_dataset())
    facts = [name for name in whole.attrs if name.startswith("backbone")]
    assert {name: joined.attrs[name] for name in facts} == {n: whole.attrs[n] for n in facts}
    feature = joined["grid/feature"].variables["feature"]
    assert feature.shape[0] == 11
    assert np.isfinite(feature.values).all()


def test_parts_in_another_order_or_with_one_missing_are_refused(command: Command, stimuli: Path):
    parts = [stimuli.parent / f"{shard}.zarr" for shard in range(3)]
    for shard, part in enumerate(parts):
        extract(command, stimuli, part.name, "--shard", str(shard))
    for wrong in (parts[::-1], parts[:2]):
        outcome = extract(command, stimuli, "joined.zarr", "--parts", *wrong)
        assert outcome.status == 3
        assert "do not hold the rows" in outcome.error
    assert not (stimuli.parent / "joined.zarr").exists()
