"""A small encoder for deflate blocks of fixed codes (RFC 1951, 3.2.6), the same on every machine.

It is made for universal headers and the zeros behind them: bytes are written as literals, and
runs of one byte as matches at distance 1.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator

__all__ = ["encode_fixed"]

_END_OF_BLOCK = 256
_MIN_MATCH, _MAX_MATCH = 3, 258
_LENGTH_BASES = (
    *range(3, 11),
    *(11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59),
    *(67, 83, 99, 115, 131, 163, 195, 227, 258),
)
_LENGTH_EXTRA_BITS = (0,) * 8 + tuple(n for n in range(1, 6) for _ in range(4)) + (0,)
"""For the length codes 257 to 285 (3.2.5): the shortest match and the number of extra bits."""


def _reversed(code: int, count: int) -> tuple[int, int]:
    """Codes are packed from their most significant bit on, everything else from the least (3.1.1)."""
    return int(f"{code:0{count}b}"[::-1], 2), count


def _fixed(symbol: int) -> tuple[int, int]:
    if symbol < 144:
        return _reversed(0b00110000 + symbol, 8)
    if symbol < 256:
        return _reversed(0b110010000 + symbol - 144, 9)
    if symbol < 280:
        return _reversed(symbol - 256, 7)
    return _reversed(0b11000000 + symbol - 280, 8)


_CODES = tuple(_fixed(symbol) for symbol in range(288))
_DISTANCE_1 = (0, 5)


def encode_fixed(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield a block of `data` as (value, number of bits), without the block's first bit, BFINAL.

    The bits of a value follow each other from the least significant one on.
    """
    yield 0b01, 2  # BTYPE
    for byte, group in itertools.groupby(data):
        left = sum(1 for _ in group) - 1
        yield _CODES[byte]
        while left >= _MIN_MATCH:
            length = min(left, _MAX_MATCH)
            yield from _match(length)
            left -= length
        for _ in range(left):
            yield _CODES[byte]
    yield _CODES[_END_OF_BLOCK]


def _match(length: int) -> Iterator[tuple[int, int]]:
    index = bisect.bisect_right(_LENGTH_BASES, length) - 1
    yield _CODES[257 + index]
    yield length - _LENGTH_BASES[index], _LENGTH_EXTRA_BITS[index]
    yield _DISTANCE_1
