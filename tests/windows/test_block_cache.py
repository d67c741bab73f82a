"""Blocks that were read stay in memory up to a number of bytes, however large each is."""

import pytest

from featurestore.vectors.block_cache import MAX_BYTES, MIN_BYTES, BlockCache


@pytest.mark.parametrize("size", [1, MIN_BYTES, 75_000, MAX_BYTES // 2 + 1, MAX_BYTES])
def test_blocks_of_any_size_take_a_bounded_number_of_bytes(size):
    """Those of approximate windows have up to a hundred times the bytes of others."""
    cache = BlockCache()
    for number in range(5_000):
        cache.keep((b"key", ((number, 0, 0, 0), True)), [[number]], size)
        assert cache.get((b"key", ((number, 0, 0, 0), True))) == [[number]]
        assert cache.bytes <= MAX_BYTES


def test_a_block_that_does_not_fit_at_all_is_not_kept():
    cache = BlockCache()
    cache.keep((b"key", ((0, 0, 0, 0), True)), [[0]], MAX_BYTES + 1)
    assert cache.get((b"key", ((0, 0, 0, 0), True))) is None
    assert cache.bytes == 0
