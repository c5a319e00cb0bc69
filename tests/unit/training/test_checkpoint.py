from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from brainalign.errors import ResourceError
from brainalign.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    digest_content,
    flatten_state,
    restore_state,
)


def make_checkpoint(epoch: int) -> Checkpoint:
    return Checkpoint(epoch, {"module/w": torch.full((3,), float(epoch))}, {"best_score": -np.inf})


def test_a_checkpoint_comes_back_as_it_was_written(tmp_path: Path):
    folder = CheckpointFolder(tmp_path, "key")
    folder.write(make_checkpoint(4))
    found = folder.read_newest()
    assert found is not None
    assert (found.epoch, found.progress) == (4, {"best_score": -np.inf})
    assert found.tensors["module/w"].tolist() == [4.0] * 3


def test_an_empty_folder_has_no_checkpoint(tmp_path: Path):
    assert CheckpointFolder(tmp_path, "key").read_newest() is None


def test_only_the_two_newest_are_kept_and_nothing_temporary(tmp_path: Path):
    folder = CheckpointFolder(tmp_path, "key")
    for epoch in (5, 10, 15):
        folder.write(make_checkpoint(epoch))
    assert sorted(path.name for path in (tmp_path / "key").iterdir()) == [
        "epoch_000010.json",
        "epoch_000010.safetensors",
        "epoch_000015.json",
        "epoch_000015.safetensors",
    ]


@pytest.mark.parametrize("suffix", ["json", "safetensors"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "removed", "flipped"])
def test_any_damage_to_the_newest_falls_back_to_the_one_before(
    tmp_path: Path, suffix: str, damage: str
):
    folder = CheckpointFolder(tmp_path, "key")
    folder.write(make_checkpoint(5))
    folder.write(make_checkpoint(10))
    path = tmp_path / "key" / f"epoch_000010.{suffix}"
    content = bytearray(path.read_bytes())
    if damage == "removed":
        path.unlink()
    elif damage == "flipped":
        content[20] ^= 0x01
        path.write_bytes(content)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    found = folder.read_newest()
    assert found is not None
    assert found.epoch == 5


def test_a_full_disk_leaves_the_older_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = CheckpointFolder(tmp_path, "key")
    folder.write(make_checkpoint(5))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ResourceError, match="No space left"):
        folder.write(make_checkpoint(10))
    found = folder.read_newest()
    assert found is not None
    assert found.epoch == 5
    assert not list((tmp_path / "key").glob(".*"))


def test_state_of_module_and_optimiser_survives_flattening():
    def build() -> tuple[nn.Module, torch.optim.Optimizer]:
        module = nn.Linear(3, 2)
        return module, torch.optim.AdamW(module.parameters(), lr=0.1)

    module, optimiser = build()
    module(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    best = {"weight": torch.zeros(2, 3)}
    other, other_optimiser = build()
    restored = restore_state(flatten_state(module, optimiser, best), other, other_optimiser)
    assert torch.equal(other.weight, module.weight)
    assert restored["weight"].tolist() == [[0.0] * 3] * 2
    first, second = (o.state_dict()["state"] for o in (optimiser, other_optimiser))
    for index, state in first.items():
        for name, value in state.items():
            assert torch.equal(value, second[index][name]), (index, name)


def test_the_digest_sees_content_shape_and_dtype():
    values = np.arange(6, dtype=np.float32)
    variants = [values, values + 1, values.reshape(2, 3), values.astype(np.float64)]
    assert len({digest_content([variant]) for variant in variants}) == len(variants)
