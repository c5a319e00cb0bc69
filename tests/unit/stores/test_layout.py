"""How arrays are cut into chunks and shards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brainalign.stores.layout import choose_chunks, choose_shards, join_chunks

_MIB = 1 << 20
_LENGTHS = st.lists(st.integers(0, 200_000), min_size=1, max_size=4).map(tuple)
_ITEM_BYTES = st.sampled_from([1, 2, 4, 8, 32])


def _count_files(shape: tuple[int, ...], item_bytes: int) -> int:
    shards = choose_shards(shape, choose_chunks(shape, item_bytes), item_bytes)
    return math.prod(math.ceil(length / shard) for length, shard in zip(shape, shards, strict=True))


@given(_LENGTHS, _ITEM_BYTES)
def test_shards_are_whole_multiples_of_chunks(shape: tuple[int, ...], item_bytes: int) -> None:
    chunks = choose_chunks(shape, item_bytes)
    shards = choose_shards(shape, chunks, item_bytes)
    assert all(shard % chunk == 0 for shard, chunk in zip(shards, chunks, strict=True))
    assert all(chunk >= 1 for chunk in chunks)


@given(_LENGTHS, _ITEM_BYTES)
def test_chunks_stay_within_four_mib_and_shards_within_256(
    shape: tuple[int, ...], item_bytes: int
) -> None:
    chunks = choose_chunks(shape, item_bytes)
    assert math.prod(chunks) * item_bytes <= 4 * _MIB
    assert math.prod(choose_shards(shape, chunks, item_bytes)) * item_bytes <= 256 * _MIB


@given(_LENGTHS, _ITEM_BYTES)
def test_no_chunk_is_longer_than_its_array(shape: tuple[int, ...], item_bytes: int) -> None:
    chunks = choose_chunks(shape, item_bytes)
    assert all(chunk <= max(1, length) for chunk, length in zip(chunks, shape, strict=True))


@given(_LENGTHS, _ITEM_BYTES)
def test_an_array_is_not_cut_finer_than_its_size_asks_for(
    shape: tuple[int, ...], item_bytes: int
) -> None:
    # Whole multiples cost at most a factor of two per axis that is cut.
    n_bytes = math.prod(shape) * item_bytes
    assert _count_files(shape, item_bytes) <= 2 ** len(shape) * max(1, n_bytes / (256 * _MIB) + 1)


@pytest.mark.parametrize(
    ("shape", "item_bytes"),
    [
        pytest.param((30_000, 15_724), 4, id="presentations x voxels"),
        pytest.param((10_000, 425, 425, 3), 1, id="pixels of natural scenes"),
        pytest.param((73_000, 768), 4, id="features of one layer"),
        pytest.param((10_000, 50, 768), 2, id="tokens of one layer"),
        pytest.param((30, 36_000, 1_000), 4, id="trials x bins x units"),
        pytest.param((200_000,), 32, id="ids"),
    ],
)
def test_arrays_as_large_as_published_ones_are_tens_of_files(
    shape: tuple[int, ...], item_bytes: int
) -> None:
    assert _count_files(shape, item_bytes) < 60


@given(_LENGTHS, st.integers(1, 1 << 26))
def test_blocks_are_at_least_a_chunk_and_else_within_budget(
    shape: tuple[int, ...], budget: int
) -> None:
    chunks = choose_chunks(shape, 4)
    blocks = join_chunks(shape, chunks, 4, budget)
    assert all(block % chunk == 0 for block, chunk in zip(blocks, chunks, strict=True))
    assert math.prod(blocks) * 4 <= max(budget, math.prod(chunks) * 4)
