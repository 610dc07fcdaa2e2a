"""A small encoder for deflate blocks of fixed codes (RFC 1951, 3.2.6), the same on every machine.

It is made for universal headers and the zeros behind them: bytes are written as literals, and
runs of one byte as matches at distance 1. Other matches are not looked for, but written where
they are given.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator

__all__ = ["DISTANCES", "END_OF_BLOCK", "LENGTHS", "Token", "encode_fixed"]

Token = bytes | tuple[int, int]
"""New bytes, or a match: its length (3 to 258) and its distance (1 to 32768), in bytes."""

END_OF_BLOCK = 256
_MIN_MATCH, _MAX_MATCH = 3, 258
LENGTHS = (
    *((3 + n, 0) for n in range(8)),
    *(((4 + part << bits) + 3, bits) for bits in range(1, 6) for part in range(4)),
    (258, 0),
)
"""For the length codes from 257 on: the shortest match and the number of extra bits (3.2.5)."""
DISTANCES = (
    *((1 + n, 0) for n in range(2)),
    *(((2 + part << bits) + 1, bits) for bits in range(14) for part in range(2)),
)
"""For the distance codes from 0 on: the shortest distance and the number of extra bits (3.2.5)."""


def _reversed(code: int, count: int) -> tuple[int, int]:
    """Pack a code from its most significant bit on, unlike everything else (3.1.1)."""
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


def _with_extra(code: tuple[int, int], extra: int, bits: int) -> tuple[int, int]:
    value, count = code
    return value | extra << count, count + bits


_LENGTH_CODES = {
    base + extra: _with_extra(_CODES[257 + index], extra, bits)
    for index, (base, bits) in enumerate(LENGTHS)
    for extra in range(1 << bits)
}
"""Each length with its extra bits; 258, which two codes can express, has the later and shorter."""
_DISTANCE_BASES = tuple(base for base, _ in DISTANCES)
_DISTANCE_CODES = tuple(_reversed(index, 5) for index in range(30))


def encode_fixed(tokens: Iterable[Token]) -> Iterator[tuple[int, int]]:
    """Yield a block as (value, number of bits), without the block's first bit, BFINAL.

    The bits of a value follow each other from the least significant one on.
    """
    yield 0b01, 2  # BTYPE
    for token in tokens:
        if isinstance(token, bytes):
            yield from _runs(token)
        else:
            yield from _match(*token)
    yield _CODES[END_OF_BLOCK]


_RUN = re.compile(rb"(.)\1*", re.DOTALL)


def _runs(data: bytes) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(data):
        byte, left = data[run.start()], run.end() - run.start() - 1
        yield _CODES[byte]
        longest, left = divmod(left, _MAX_MATCH)
        if longest:
            yield _repeated(_LONGEST_RUN, longest)
        if left >= _MIN_MATCH:
            yield from _match(left, 1)
        else:
            yield from (_CODES[byte] for _ in range(left))


def _repeated(code: tuple[int, int], times: int) -> tuple[int, int]:
    """Return a code that follows itself so many times, as one value."""
    value, count = code
    ones = ((1 << count * times) - 1) // ((1 << count) - 1)
    return value * ones, count * times


def _match(length: int, distance: int) -> Iterator[tuple[int, int]]:
    yield _LENGTH_CODES[length]
    index = bisect.bisect_right(_DISTANCE_BASES, distance) - 1
    base, bits = DISTANCES[index]
    yield _with_extra(_DISTANCE_CODES[index], distance - base, bits)


def _joined(codes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    value = count = 0
    for bits, width in codes:
        value |= bits << count
        count += width
    return value, count


_LONGEST_RUN = _joined(_match(_MAX_MATCH, 1))
