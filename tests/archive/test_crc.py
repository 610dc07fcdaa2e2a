"""CRC-32 of joined data equals what zlib computes over all of it."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.archive.crc import combine
from tests.support.zeros import crc_of_zeros


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_combined_crc_is_that_of_the_joined_parts(first: bytes, second: bytes) -> None:
    combined = combine(zlib.crc32(first), zlib.crc32(second), len(second))
    assert combined == zlib.crc32(first + second)


@pytest.mark.parametrize("size", [0, 1, 7, 4048, 16383, 1 << 20, (1 << 20) + 12345])
def test_zeros(size: int) -> None:
    assert crc_of_zeros(size) == zlib.crc32(bytes(size))


def test_parts_beyond_four_gigabytes() -> None:
    """A part's size counts as a whole, however it is put together."""
    crc, size = zlib.crc32(b"\0"), 1
    for _ in range(33):
        crc, size = combine(crc, crc, size), 2 * size
    assert size == 1 << 33
    assert crc == combine(combine(0, crc_of_zeros(size - 3), size - 3), zlib.crc32(bytes(3)), 3)


@pytest.mark.parametrize("size", [-1, 1 << 64])
def test_sizes_out_of_range_are_a_mistake(size: int) -> None:
    with pytest.raises(ValueError, match=f"size out of range: {size}"):
        combine(0, 0, size)
