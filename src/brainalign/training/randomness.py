"""Separate streams of randomness, each a function of a seed and a name.

A stream of one epoch depends on nothing that happened before it, so that a resumed fit draws what
the uninterrupted one would have drawn, and a checkpoint needs no state of a generator.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seed(seed: int, stream: str, index: int = 0) -> int:
    """Derive the seed of one stream of randomness.

    Parameters
    ----------
    seed : int
        Seed of the whole fit, not negative.
    stream : str
        Name of the stream, such as ``initialisation`` or ``batches``.
    index : int
        Position in the stream, such as the epoch.

    Returns
    -------
    derived : int
        Seed below 2**63; independent across streams and positions.
    """
    entropy = (seed, zlib.crc32(stream.encode()), index)
    state = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
    return (int(state[0]) << 31) ^ int(state[1])


@contextmanager
def isolate_torch_randomness(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch inside a block and give its former global state back at the end.

    Dropout and initialisers of torch draw from the global generators, so these are borrowed.

    Parameters
    ----------
    seed : int
        Seed of the block.
    device : torch.device, optional
        CUDA device whose generator is borrowed beside that of the CPU.
    """
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
