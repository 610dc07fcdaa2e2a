"""A small encoder for deflate blocks of fixed codes (RFC 1951, 3.2.6), the same on every machine.

It is made for universal headers and the zeros behind them: bytes are written as literals, and
runs of one byte as matches at distance 1. Other matches are not looked for, but written where
they are given.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "CODE_LENGTH_ORDER",
    "DISTANCES",
    "END_OF_BLOCK",
    "LENGTH",
    "LENGTHS",
    "MIN_MATCH",
    "MIN_RUN",
    "Token",
    "by_symbol",
    "distance_code",
    "distance_texts",
    "encode_fixed",
    "extra_bits",
    "fixed_block",
    "length_code",
    "packed",
    "with_runs",
]

Token = bytes | tuple[int, int]
"""New bytes, or a match: its length (3 to 258) and its distance (1 to 32768), in bytes."""

LENGTH = 256
"""What is added to a match's length where tokens are numbers, so that it is no byte's value.

Then a new byte is one number, and a match is two: its length with this, and its distance, negative.
"""
END_OF_BLOCK = 256
MIN_MATCH, _MAX_MATCH = 3, 258
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


def by_symbol(distances: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield each symbol for distances (3.2.5) with those that it is for; all are negative and sorted."""
    end = len(distances)
    for symbol, (shortest, bits) in enumerate(DISTANCES):
        start = bisect.bisect_left(distances, 1 - shortest - (1 << bits), 0, end)
        if start < end:
            yield symbol, distances[start:end]
        end = start


def distance_texts(code: str, distances: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield how distances (negative) of one symbol, which has this code, are written.

    The extra bits are all but the first two of distance - 1, the least significant one first.
    """
    return ((distance, code + bin(~distance)[:3:-1]) for distance in distances)


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
MIN_RUN = 4
"""Of so many equal bytes, matches take less room in fixed codes."""
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)


def encode_fixed(tokens: Iterable[Token]) -> str:
    """Return a block as bits, in the stream's order, without the block's first bit, BFINAL."""
    numbers: list[int] = []
    for token in tokens:
        numbers += with_runs(token) if isinstance(token, bytes) else (LENGTH + token[0], -token[1])
    return fixed_block(numbers)


def fixed_block(numbers: Sequence[int]) -> str:
    """Return what `encode_fixed` returns, of tokens that are numbers, as `LENGTH` says."""
    values = sorted(set(numbers))
    zero = bisect.bisect_left(values, 0)
    texts = {value: _text(value) for value in values[zero:]}
    for symbol, same in by_symbol(values[:zero]):
        texts.update(distance_texts(f"{symbol:05b}", same))
    written = map(texts.__getitem__, numbers)
    return "".join(["10", *written, _CODES[END_OF_BLOCK]])  # BTYPE first


def with_runs(data: bytes) -> Sequence[int]:
    """Return new bytes as numbers, as `LENGTH` says: of `MIN_RUN` equal ones all but the first are matches."""
    if len(data) < MIN_RUN:
        return data
    # Paddings are zeros at the end, and many; the expression would look at each.
    rest = data.rstrip(b"\0")
    if len(data) - len(rest) < MIN_RUN and _RUN.search(rest) is None:  # as nearly always in code
        return data
    numbers: list[int] = []
    at = 0
    for run in _RUN.finditer(rest):
        numbers += rest[at : run.start()]
        at = run.end()
        numbers += _run(rest[run.start()], at - run.start())
    numbers += rest[at:]
    if len(rest) < len(data):
        numbers += _run(0, len(data) - len(rest))
    return numbers


def _run(byte: int, count: int) -> list[int]:
    """Write `count` equal bytes: the first as it is, then matches at distance 1."""
    longest, left = divmod(count - 1, _MAX_MATCH)
    end = [LENGTH + left, -1] if left >= MIN_MATCH else [byte] * left
    return [byte, *[LENGTH + _MAX_MATCH, -1] * longest, *end]


def _text(number: int) -> str:
    """Write a new byte, or a match's length with `LENGTH`."""
    if number < LENGTH:
        return _CODES[number]
    symbol, extra, count = length_code(number - LENGTH)
    return _CODES[symbol] + extra_bits(extra, count)


def packed(bits: str) -> bytes:
    """Pack bits from the least significant one of each byte on (3.1.1); the last byte may have zeros over."""
    return int(bits[::-1] or "0", 2).to_bytes(-(-len(bits) // 8), "little")
