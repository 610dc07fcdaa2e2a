"""A small encoder for deflate blocks of fixed codes (RFC 1951, 3.2.6), the same on every machine.

It is made for universal headers and the zeros behind them: bytes are written as literals, and
runs of one byte as matches at distance 1. Other matches are not looked for, but written where
they are given.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterable, Sequence

__all__ = [
    "CODE_LENGTH_ORDER",
    "DISTANCES",
    "END_OF_BLOCK",
    "LENGTHS",
    "Token",
    "distance_code",
    "encode_fixed",
    "extra_bits",
    "length_code",
    "packed",
]

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
CODE_LENGTH_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
"""The order in which the lengths of the code length codes are written (3.2.7)."""


def _indexed(codes: Sequence[tuple[int, int]], first: int) -> dict[int, tuple[int, int, int]]:
    """Return for each value its symbol, and its extra bits and their number."""
    return {
        base + extra: (first + index, extra, bits)
        for index, (base, bits) in enumerate(codes)
        for extra in range(1 << bits)
    }


_LENGTHS = _indexed(LENGTHS, 257)
"""258, which two codes can express, has the later and shorter."""
_DISTANCE_BASES = tuple(base for base, _ in DISTANCES)


def length_code(length: int) -> tuple[int, int, int]:
    """Return the symbol for a match's length, and its extra bits and their number (3.2.5)."""
    return _LENGTHS[length]


def distance_code(distance: int) -> tuple[int, int, int]:
    """Return the symbol for a match's distance, and its extra bits and their number (3.2.5)."""
    index = bisect.bisect_right(_DISTANCE_BASES, distance) - 1
    base, bits = DISTANCES[index]
    return index, distance - base, bits


def extra_bits(value: int, count: int) -> str:
    """Write a number, which unlike a code begins with its least significant bit (3.1.1)."""
    return f"{value:0{count}b}"[::-1] if count else ""


def _fixed(symbol: int) -> str:
    if symbol < 144:
        return f"{0b00110000 + symbol:08b}"
    if symbol < 256:
        return f"{0b110010000 + symbol - 144:09b}"
    if symbol < 280:
        return f"{symbol - 256:07b}"
    return f"{0b11000000 + symbol - 280:08b}"


_CODES = tuple(_fixed(symbol) for symbol in range(288))
_MIN_RUN = 4
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)


def encode_fixed(tokens: Iterable[Token]) -> str:
    """Return a block as bits, in the stream's order, without the block's first bit, BFINAL."""
    written = ["10"]  # BTYPE
    for token in tokens:
        if isinstance(token, bytes):
            _write_runs(token, written)
        else:
            written.append(_match(*token))
    written.append(_CODES[END_OF_BLOCK])
    return "".join(written)


def _write_runs(data: bytes, written: list[str]) -> None:
    code = _CODES.__getitem__
    if len(data) < _MIN_RUN:  # nearly all between the matches of code
        written += map(code, data)
        return
    # Paddings are zeros at the end, and many; the expression would look at each.
    rest = data.rstrip(b"\0")
    at = 0
    for run in _RUN.finditer(rest):
        written += map(code, rest[at : run.start()])
        at = run.end()
        written.append(_run(rest[run.start()], at - run.start()))
    written += map(code, rest[at:])
    if len(rest) < len(data):
        written.append(_run(0, len(data) - len(rest)))


def _run(byte: int, count: int) -> str:
    """Write `count` equal bytes: the first as it is, then matches at distance 1."""
    longest, left = divmod(count - 1, _MAX_MATCH)
    end = _match(left, 1) if left >= _MIN_MATCH else _CODES[byte] * left
    return _CODES[byte] + _match(_MAX_MATCH, 1) * longest + end


def _match(length: int, distance: int) -> str:
    return _length_text(length) + _distance_text(distance)


@functools.cache
def _length_text(length: int) -> str:
    symbol, extra, count = length_code(length)
    return _CODES[symbol] + extra_bits(extra, count)


@functools.lru_cache(4096)
def _distance_text(distance: int) -> str:
    symbol, extra, count = distance_code(distance)
    return f"{symbol:05b}{extra_bits(extra, count)}"


def packed(bits: str) -> bytes:
    """Pack bits from the least significant one of each byte on (3.1.1); the last byte may have zeros over."""
    return int(bits[::-1] or "0", 2).to_bytes(-(-len(bits) // 8), "little")
