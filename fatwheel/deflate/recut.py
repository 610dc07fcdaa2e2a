"""A part of a deflated member's content as a part of its stream, so that nothing is deflated anew.

Blocks whose content lies in the part are kept bit by bit. A match may reach back 32 KiB (RFC 1951,
3.2.5), so the first block that is kept begins at least that far inside the part. The edges before
and behind are written again in fixed codes: with the stream's own matches, and with literals
where a match reaches back behind the part's start. Nothing here depends on a zlib.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fatwheel.deflate.fixedcodes import CODE_LENGTH_ORDER, DISTANCES, END_OF_BLOCK, LENGTHS, Token
from fatwheel.values import valueclass

__all__ = ["Boundary", "Edge", "Plan", "plan_recut", "recode", "symbols"]

WINDOW = 32768
_REFILL = 16  # bytes
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


def recode(edge: Edge, data: bytes, content: bytes, reachable: int) -> Iterator[Token]:
    """Yield an edge as new bytes and matches.

    `data` are the stream's bytes from the one on that bit `edge.first_bit` is in, `content` the
    edge's bytes, and `reachable` the first byte of the content that a match may reach back to.
    """
    at = edge.origin
    first, last = edge.start, edge.end
    new_from = first  # from here on up to `at`, nothing is written yet
    for length, distance in symbols(data, edge.first_bit % 8):
        begin = at
        at += length
        if distance and at > first:
            begin = max(begin, first)
            end = min(at, last)
            if end - begin >= 3 and begin - distance >= reachable:
                if new_from < begin:
                    yield content[new_from - first : begin - first]
                yield end - begin, distance
                new_from = end
        if at >= last:
            break
    if new_from < last:
        yield content[new_from - first :]


def symbols(data: bytes, bit: int) -> Iterator[tuple[int, int]]:
    """Yield what blocks from bit `bit` of `data` on consist of: matches, as length and distance, and new bytes.

    New bytes have distance 0; several of them may come as one. The stream must be sound. It ends with a last
    block or, in the middle of anything, with an `IndexError`.
    """
    reader = _Reader(data, bit)
    final = 0
    while not final:
        final, kind = reader.take(1), reader.take(2)
        if kind == 0:
            yield reader.skip_stored(), 0
        else:
            tables = _fixed_tables() if kind == 1 else _read_tables(reader)
            yield from reader.block(*tables)


class _Reader:
    """Bits of a byte string, from the least significant one of each byte on (3.1.1)."""

    def __init__(self, data: bytes, bit: int) -> None:
        self._data = data
        self._at = 0  # the next byte
        self._bits = 0
        self._count = 0
        self.take(bit)

    def take(self, count: int) -> int:
        """Return the next `count` bits (at most 16) as a number."""
        if self._count < count:
            self._refill()
        if self._count < count:
            raise IndexError("the stream's data ends")
        value = self._bits & (1 << count) - 1
        self._bits >>= count
        self._count -= count
        return value

    def symbol(self, table: Sequence[int]) -> int:
        """Decode one symbol with a table of all 15-bit values: symbol * 16 + length of its code."""
        if self._count < 15:
            self._refill()
        entry = table[self._bits & 0x7FFF]
        length = entry & 15
        if not length or length > self._count:
            raise IndexError("the stream's data ends")
        self._bits >>= length
        self._count -= length
        return entry >> 4

    def block(self, literals: Sequence[int], distances: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Decode a block behind its header up to its end, as `symbols` yields it."""
        data, at, bits, count = self._data, self._at, self._bits, self._count
        number = int.from_bytes
        new = 0
        while True:
            if count < 48:  # no symbol with its extra bits is longer
                more = data[at : at + _REFILL]
                bits |= number(more, "little") << count
                count += 8 * len(more)
                at += len(more)
            entry = literals[bits & 0x7FFF]
            width = entry & 15
            if not width or width > count:
                raise IndexError("the stream's data ends")
            bits >>= width
            count -= width
            symbol = entry >> 4
            if symbol < END_OF_BLOCK:
                new += 1
                continue
            if new:
                yield new, 0
                new = 0
            if symbol == END_OF_BLOCK:
                break
            length, extra = LENGTHS[symbol - 257]
            length += bits & (1 << extra) - 1
            bits >>= extra
            entry = distances[bits & 0x7FFF]
            width = entry & 15
            distance, more_extra = DISTANCES[entry >> 4]
            bits >>= width
            distance += bits & (1 << more_extra) - 1
            bits >>= more_extra
            count -= extra + width + more_extra
            if not width or count < 0:
                raise IndexError("the stream's data ends")
            yield length, distance
        self._at, self._bits, self._count = at, bits, count

    def skip_stored(self) -> int:
        """Skip a stored block's data behind its header (3.2.4); return its size."""
        self.take(self._count % 8)
        size = self.take(16)
        self.take(16)
        self._at += size - self._count // 8
        self._bits = self._count = 0
        return size

    def _refill(self) -> None:
        more = self._data[self._at : self._at + 6]
        self._bits |= int.from_bytes(more, "little") << self._count
        self._count += 8 * len(more)
        self._at += len(more)


def _table(lengths: Sequence[int]) -> list[int]:
    """Build the canonical code (3.2.2) as a table of all 15-bit values."""
    table = [0] * (1 << 15)
    code = before = 0
    for length, symbol in sorted((of, symbol) for symbol, of in enumerate(lengths) if of):
        code <<= length - before
        before = length
        start = int(f"{code:0{length}b}"[::-1], 2)
        table[start :: 1 << length] = [symbol << 4 | length] * (1 << 15 - length)
        code += 1
    return table


@functools.cache
def _fixed_tables() -> tuple[list[int], list[int]]:
    """Return the codes of fixed blocks (3.2.6)."""
    return _table([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8), _table([5] * 30)


def _read_tables(reader: _Reader) -> tuple[list[int], list[int]]:
    """Read the codes of a dynamic block (3.2.7)."""
    literals, distances, count = reader.take(5) + 257, reader.take(5) + 1, reader.take(4) + 4
    code_lengths = [0] * 19
    for symbol in CODE_LENGTH_ORDER[:count]:
        code_lengths[symbol] = reader.take(3)
    table = _table(code_lengths)
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
    return _table(lengths[:literals]), _table(lengths[literals:])
