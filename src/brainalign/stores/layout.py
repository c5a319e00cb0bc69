"""How arrays are cut into chunks and shards on disk.

A chunk is what a reader decodes at once, a shard is a file. Chunks of about 4 MB read nearly as
fast as a plain array file; shards keep a store at tens of files.
"""

from __future__ import annotations

import math

_CHUNK_BYTES = 4 << 20
_SHARD_BYTES = 256 << 20
# A shard is held twice while it is written: chunk by chunk, and joined to a file.
_SHARD_SHARE = 1 / 10


def choose_chunks(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Cut an array along its first axes so that a chunk holds about 4 MB.

    Parameters
    ----------
    shape : tuple of int
        Shape of the array. Readers take whole rows (presentations, stimuli, frames), so the
        first axes are cut before the later ones.
    item_bytes : int
        Size of one element in bytes.

    Returns
    -------
    chunks : tuple of int
        Chunk length per axis, at least 1.
    """
    chunks = [max(1, length) for length in shape]
    for axis in range(len(chunks)):
        rest = item_bytes * math.prod(chunks[axis + 1 :])
        if rest * chunks[axis] <= _CHUNK_BYTES:
            break
        chunks[axis] = max(1, _CHUNK_BYTES // rest)
    return tuple(chunks)


def limit_shard_bytes(store_bytes: int) -> int:
    """Choose the largest shard of a store that is written with little memory.

    Parameters
    ----------
    store_bytes : int
        Size of all arrays of the store, unpacked.

    Returns
    -------
    shard_bytes : int
        A small share of the store, at least one chunk and at most 256 MB: stores of up to 2.5 GB
        are ten to twenty files and a few more, larger ones as many as elsewhere.
    """
    return max(_CHUNK_BYTES, min(_SHARD_BYTES, int(store_bytes * _SHARD_SHARE)))


def choose_shards(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    item_bytes: int,
    shard_bytes: int | None = None,
) -> tuple[int, ...]:
    """Join chunks into files of at most about 256 MB.

    Parameters
    ----------
    shape, chunks : tuple of int
        Shape of the array and of its chunks.
    item_bytes : int
        Size of one element in bytes.
    shard_bytes : int, optional
        Other largest size, see :func:`limit_shard_bytes`.

    Returns
    -------
    shards : tuple of int
        Shard length per axis, each a whole multiple of the chunk length.
    """
    return join_chunks(shape, chunks, item_bytes, shard_bytes or _SHARD_BYTES)


def join_chunks(
    shape: tuple[int, ...], chunks: tuple[int, ...], item_bytes: int, budget_bytes: int
) -> tuple[int, ...]:
    """Join neighbouring chunks into blocks, along the last axes first.

    Parameters
    ----------
    shape, chunks : tuple of int
        Shape of the array and of its chunks.
    item_bytes : int
        Size of one element in bytes.
    budget_bytes : int
        Largest size of a block in bytes; a block is never smaller than one chunk.

    Returns
    -------
    blocks : tuple of int
        Block length per axis, each a whole multiple of the chunk length.
    """
    n_chunks = [
        math.ceil(max(1, length) / chunk) for length, chunk in zip(shape, chunks, strict=True)
    ]
    budget = max(1, budget_bytes // (item_bytes * math.prod(chunks)))
    per_shard = [1] * len(chunks)
    for axis in reversed(range(len(chunks))):
        per_shard[axis] = max(1, min(n_chunks[axis], budget))
        budget //= per_shard[axis]
        budget = max(1, budget)
    return tuple(chunk * count for chunk, count in zip(chunks, per_shard, strict=True))
