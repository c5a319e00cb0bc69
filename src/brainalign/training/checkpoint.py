"""Resume checkpoints: tensors in safetensors, the rest in JSON, published by rename.

A checkpoint is a pair of files. The JSON file is renamed into place last and holds the digest of
the tensors, so a checkpoint without it, or with other tensors, does not exist for a reader.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from brainalign.errors import ResourceError

KEPT_CHECKPOINTS = 2
"""The newest and the one before it, for when the newest is damaged."""


@dataclass(frozen=True)
class Checkpoint:
    """State of a fit between two epochs.

    Attributes
    ----------
    epoch : int
        Number of epochs that are done.
    tensors : dict of str to tensor
        Module, optimiser and best weights, by flat name, on the CPU.
    progress : dict
        What JSON can hold: history, best score and counters.
    """

    epoch: int
    tensors: dict[str, torch.Tensor]
    progress: dict[str, Any]


class CheckpointFolder:
    """Resume checkpoints of one fit.

    Parameters
    ----------
    scratch : Path
        Folder that belongs to the caller, who removes it once the result is published.
    key : str
        Digest of all that decides the course of the fit; another key never sees these checkpoints.

    Raises
    ------
    ResourceError
        The folder cannot be made.
    """

    def __init__(self, scratch: Path, key: str) -> None:
        self.folder = Path(scratch) / key
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                f"cannot make the folder of resume checkpoints ({error.strerror})",
                where=self.folder,
                remedy="Name a scratch folder that can be written.",
            ) from error

    def write(self, checkpoint: Checkpoint) -> None:
        """Publish a checkpoint and remove all but the newest `KEPT_CHECKPOINTS`.

        Parameters
        ----------
        checkpoint : Checkpoint
            State after an epoch.

        Raises
        ------
        ResourceError
            The disk is full or cannot be written; the older checkpoints stay.
        """
        content = save({name: t.contiguous() for name, t in checkpoint.tensors.items()})
        record = {
            "epoch": checkpoint.epoch,
            "sha256": hashlib.sha256(content).hexdigest(),
            "progress": checkpoint.progress,
        }
        stem = f"epoch_{checkpoint.epoch:06d}"
        try:
            _write_atomically(self.folder / f"{stem}.safetensors", content)
            _write_atomically(self.folder / f"{stem}.json", json.dumps(record).encode())
        except OSError as error:
            raise ResourceError(
                f"cannot write a resume checkpoint ({error.strerror})",
                where=self.folder,
                remedy="Free some space or fit without a scratch folder.",
            ) from error
        for path in self._list_records()[KEPT_CHECKPOINTS:]:
            # The record goes first: a reader must not find it without its tensors.
            path.unlink(missing_ok=True)
            path.with_suffix(".safetensors").unlink(missing_ok=True)

    def read_newest(self) -> Checkpoint | None:
        """Read the newest checkpoint that is whole.

        Returns
        -------
        checkpoint : Checkpoint or None
            None where there is none; damaged ones are passed over in favour of older ones, with
            a line on standard error for each.
        """
        for path in self._list_records():
            checkpoint = _read_checkpoint(path)
            if checkpoint is not None:
                return checkpoint
            print(
                f"resume checkpoint {path} is damaged and passed over; an older one or the start "
                "takes its place",
                file=sys.stderr,
                flush=True,
            )
        return None

    def _list_records(self) -> list[Path]:
        return sorted(self.folder.glob("epoch_*.json"), reverse=True)


def digest_content(parts: Iterable[Any]) -> str:
    """Digest of arrays and of values that JSON can hold.

    Parameters
    ----------
    parts : iterable of array or JSON value
        Order, shapes, dtypes and content count.

    Returns
    -------
    digest : str
        32 hexadecimal digits of SHA-256.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:32]


def flatten_state(
    module: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    best_weights: Mapping[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    """Put module, optimiser and best weights into one flat dictionary on the CPU.

    Parameters
    ----------
    module : torch.nn.Module
        Module in its present state.
    optimiser : torch.optim.Optimizer
        Optimiser whose state holds tensors only, as that of AdamW does.
    best_weights : mapping of str to tensor
        State of the module at the best validation score.

    Returns
    -------
    tensors : dict of str to tensor
        Keys start with ``module/``, ``optimiser/{parameter index}/`` or ``best/``.
    """
    tensors = {f"module/{name}": value for name, value in module.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{name}": value for name, value in state.items()}
    tensors |= {f"best/{name}": value for name, value in best_weights.items()}
    return {name: value.detach().cpu().clone() for name, value in tensors.items()}


def restore_state(
    tensors: Mapping[str, torch.Tensor],
    module: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
) -> dict[str, torch.Tensor]:
    """Load module and optimiser from a flat dictionary; the inverse of `flatten_state`.

    Parameters
    ----------
    tensors : mapping of str to tensor
        As from `flatten_state`.
    module, optimiser : torch.nn.Module, torch.optim.Optimizer
        Loaded in place, on the devices they are on.

    Returns
    -------
    best_weights : dict of str to tensor
        State of the module at the best validation score.
    """
    grouped: dict[str, dict[str, torch.Tensor]] = {"module": {}, "optimiser": {}, "best": {}}
    for key, value in tensors.items():
        kind, _, name = key.partition("/")
        grouped[kind][name] = value
    module.load_state_dict(grouped["module"])
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in grouped["optimiser"].items():
        index, _, name = key.partition("/")
        state.setdefault(int(index), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    return grouped["best"]


def _read_checkpoint(path: Path) -> Checkpoint | None:
    try:
        record = json.loads(path.read_bytes())
        content = path.with_suffix(".safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            return None
        return Checkpoint(record["epoch"], load(content), record["progress"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
