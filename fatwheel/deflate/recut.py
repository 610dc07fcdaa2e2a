"""A part of a deflated member's content as a part of its stream, so that nothing is deflated anew.

Blocks whose content lies in the part are kept bit by bit. A match may reach back 32 KiB (RFC 1951,
3.2.5), so the first block that is kept begins at least that far inside the part. The edges before
and behind are written again in fixed codes: with the stream's own matches, and with literals
where a match reaches back behind the part's start. Nothing here depends on a zlib.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

from fatwheel.deflate.fixedcodes import (
    CODE_LENGTH_ORDER,
    DISTANCES,
    LENGTH,
    LENGTHS,
    MIN_MATCH,
    MIN_RUN,
)
from fatwheel.values import valueclass

__all__ = ["Boundary", "Edge", "Plan", "matches", "plan_recut", "recode"]

WINDOW = 32768
MAX_EDGE = 1 << 20
"""Longer edges, which only unusual streams have, would take too long in Python."""


class Boundary(NamedTuple):
    """A place between two blocks: `bit` of the stream and byte `at` of the content."""

    bit: int
    at: int


@valueclass
class Edge:
    """Content from byte `start` to byte `end`, which blocks from `first_bit` to `end_bit` hold.

    The content of these blocks begins at byte `origin`.
    """

    first_bit: int
    end_bit: int
    origin: int
    start: int
    end: int


@valueclass
class Plan:
    """What to write: the head again, the kept blocks as they are, and the tail again.

    Where no block can be kept, the head is everything.
    """

    head: Edge
    kept: tuple[Boundary, Boundary] | None = None
    tail: Edge | None = None


def plan_recut(boundaries: Sequence[Boundary], start: int, end: int) -> Plan | None:
    """Decide which blocks to keep of the content from byte `start` to byte `end`.

    `boundaries` are those of the whole stream in order, its start and its end among them. Returns
    None where the edges are too long to be written again.
    """
    before = max((b for b in boundaries if b.at <= start), key=lambda b: b.bit)
    behind = min((b for b in boundaries if b.at >= end), key=lambda b: b.bit)
    inside = [b for b in boundaries if start + WINDOW <= b.at <= end]
    first, last = (inside[0], inside[-1]) if len(inside) > 1 else (behind, behind)
    head = _edge(before, first, start, min(first.at, end))
    if first == last:
        plan = Plan(head=head)
    elif last.at == end:
        plan = Plan(head=head, kept=(first, last))
    else:
        plan = Plan(head=head, kept=(first, last), tail=_edge(last, behind, last.at, end))
    edges = [edge for edge in (plan.head, plan.tail) if edge is not None]
    return plan if all(map(_is_short, edges)) else None


def _edge(origin: Boundary, limit: Boundary, start: int, end: int) -> Edge:
    return Edge(first_bit=origin.bit, end_bit=limit.bit, origin=origin.at, start=start, end=end)


def _is_short(edge: Edge) -> bool:
    return edge.end - edge.origin <= MAX_EDGE and edge.end_bit - edge.first_bit <= 8 * MAX_EDGE


def recode(
    edge: Edge, data: bytes, content: bytes, reachable: int, new: Callable[[bytes], Sequence[int]]
) -> list[int]:
    """Return an edge as new bytes and matches, in the numbers that `fixedcodes.LENGTH` tells of.

    `data` are the stream's bytes from the one on that bit `edge.first_bit` is in, `content` the
    edge's bytes, and `reachable` the first byte of the content that a match may reach back to. `new` turns `MIN_RUN`
    and more new bytes into numbers.
    """
    numbers: list[int] = []
    add = numbers.append
    first, last = edge.start, edge.end
    new_from = first  # from here on up to the next match, nothing is written yet
    for start, length, distance in matches(data, edge.first_bit % 8, edge.origin, last):
        begin, end = start, start + length
        if begin < first or end > last:
            begin, end = max(begin, first), min(end, last)
            if end - begin < MIN_MATCH:
                continue
        if begin - distance >= reachable:
            if new_from < begin:
                found = content[new_from - first : begin - first]
                numbers += found if begin - new_from < MIN_RUN else new(found)
            add(LENGTH + end - begin)
            add(-distance)
            new_from = end
    if new_from < last:
        numbers += new(content[new_from - first :])
    return numbers


def matches(data: bytes, bit: int, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the matches in blocks from bit `bit` of `data` on: where in the content, length and distance.

    The content of these blocks begins at byte `at`, and what begins at byte `end` or behind is not looked for. The
    stream must be sound: where its data end before, this is an `IndexError`.
    """
    reader = _Reader(data, bit)
    final = 0
    while not final and at < end:
        final, kind = reader.take(1), reader.take(2)
        if kind == 0:
            at += reader.skip_stored()
        else:
            tables = _fixed_tables() if kind == 1 else _read_tables(reader)
            at = yield from reader.block(*tables, at)


_Entry = tuple[int, int, int, int]
"""A code's width, what it stands for, the number of extra bits that are added to that, and a mask of as many bits."""
_Table = list[_Entry]
"""For all values of as many bits as the longest code has, the first bit least significant: the code at the start."""
_NEW, _END, _NOTHING = (0, 0), (-1, 0), (-2, 0)
_NO_CODE = (0, *_NOTHING, 0)
_LITERALS = (*[_NEW] * 256, _END, *LENGTHS, _NOTHING, _NOTHING)
_CODE_LENGTHS = tuple((length, 0) for length in range(19))
_AHEAD = 32
"""Bytes that are looked at as one number."""
_ENDS = "the stream's data ends"


class _Reader:
    """Bits of a byte string, from the least significant one of each byte on (3.1.1)."""

    def __init__(self, data: bytes, bit: int) -> None:
        self._data = data
        self._bit = bit  # the next one

    def take(self, count: int) -> int:
        """Return the next `count` bits (at most 16) as a number."""
        value = self._ahead() & (1 << count) - 1
        self._skip(count)
        return value

    def symbol(self, table: _Table) -> int:
        """Decode one symbol."""
        width, symbol, _, _ = table[self._ahead() & len(table) - 1]
        self._skip(width)
        return symbol

    def block(
        self, literals: _Table, distances: _Table, at: int
    ) -> Generator[tuple[int, int, int], None, int]:
        """Decode a block behind its header, as `matches` yields it; return where in the content it ends."""
        data, most = self._data, 8 * _AHEAD - 48  # no match has more bits
        literal_mask, distance_mask = len(literals) - 1, len(distances) - 1
        byte = (self._bit >> 3) - _AHEAD  # where the number begins; it is made at once
        used, number = self._bit - 8 * byte, 0
        while True:
            if used > most:
                byte += used >> 3
                used &= 7
                number = int.from_bytes(data[byte : byte + _AHEAD], "little")
                if byte > len(data):
                    raise IndexError(_ENDS)
            width, length, extra, mask = literals[number >> used & literal_mask]
            used += width
            if not length:
                at += 1
                continue
            if length < 0:
                break
            if extra:
                length += number >> used & mask
                used += extra
            width, distance, extra, mask = distances[number >> used & distance_mask]
            used += width
            if extra:
                distance += number >> used & mask
                used += extra
            if not width:
                raise IndexError(_ENDS)
            yield at, length, distance
            at += length
        if length != _END[0]:
            raise IndexError(_ENDS)
        self._bit = 8 * byte
        self._skip(used)
        return at

    def skip_stored(self) -> int:
        """Skip a stored block's data behind its header (3.2.4); return its size."""
        self._skip(-self._bit % 8)
        size = self.take(16)
        self._skip(16 + 8 * size)
        return size

    def _ahead(self) -> int:
        """Return the next bits, at least 16, as a number; zeros stand behind the data."""
        byte = self._bit >> 3
        return int.from_bytes(self._data[byte : byte + 3], "little") >> (self._bit & 7)

    def _skip(self, count: int) -> None:
        self._bit += count
        if self._bit > 8 * len(self._data):
            raise IndexError(_ENDS)


def _table(lengths: Sequence[int], meanings: Sequence[tuple[int, int]]) -> _Table:
    """Build the canonical code (3.2.2) of symbols that stand for these values with so many extra bits."""
    longest = max(lengths)
    table = [_NO_CODE] * (1 << longest)
    code = before = 0
    for length, symbol in sorted((of, symbol) for symbol, of in enumerate(lengths) if of):
        code <<= length - before
        before = length
        start = int(f"{code:0{length}b}"[::-1], 2)
        value, extra = meanings[symbol]
        entry = (length, value, extra, (1 << extra) - 1)
        table[start :: 1 << length] = [entry] * (1 << longest - length)
        code += 1
    return table


@functools.cache
def _fixed_tables() -> tuple[_Table, _Table]:
    """Return the codes of fixed blocks (3.2.6)."""
    lengths = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
    return _table(lengths, _LITERALS), _table([5] * 30, DISTANCES)


def _read_tables(reader: _Reader) -> tuple[_Table, _Table]:
    """Read the codes of a dynamic block (3.2.7)."""
    literals, distances, count = reader.take(5) + 257, reader.take(5) + 1, reader.take(4) + 4
    code_lengths = [0] * 19
    for symbol in CODE_LENGTH_ORDER[:count]:
        code_lengths[symbol] = reader.take(3)
    table = _table(code_lengths, _CODE_LENGTHS)
    lengths: list[int] = []
    while len(lengths) < literals + distances:
        symbol = reader.symbol(table)
        if symbol < 16:
            lengths.append(symbol)
        elif symbol == 16:
            lengths += lengths[-1:] * (3 + reader.take(2))
        elif symbol == 17:
            lengths += [0] * (3 + reader.take(3))
        else:
            lengths += [0] * (11 + reader.take(7))
    return _table(lengths[:literals], _LITERALS), _table(lengths[literals:], DISTANCES)
