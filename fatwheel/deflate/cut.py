"""A range of a deflated member's content, such as one slice of a universal file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import field, replace

from fatwheel.archive.ranges import RangeFile, SteadyReader
from fatwheel.deflate.content import inflate
from fatwheel.deflate.fixedcodes import Token
from fatwheel.deflate.inflaters import Inflater
from fatwheel.deflate.recut import Boundary, Edge, Plan, plan_recut, recode
from fatwheel.deflate.stream import Blocks, End
from fatwheel.values import valueclass

__all__ = ["Allowance", "Cut", "edge_tokens", "find_recut"]

_MAX_BLOCKS = 100_000
"""Streams of more blocks, which nobody writes, are not recut."""


_BY_CUT, _BY_BLOCK = 250_000, 1_000
"""What each cut takes besides the bits that are decoded, and each block that is looked at, in as many bits."""


class Allowance:
    """How many bits of streams may still be decoded in Python for cuts; the cuts of one wheel share it.

    Cuts that are left over are stored as they are, which takes more room.
    """

    def __init__(self, size: int) -> None:
        """Allow what the cuts of wheels of `size` bytes together may take: some seconds, and more for larger ones."""
        self._left = 80_000_000 + 64 * size

    def take(self, bits: int) -> bool:
        """Use up some; return whether that was allowed."""
        self._left -= bits
        return self._left >= 0


@valueclass
class Cut:
    """`size` bytes from byte `start` on of the *content* of the deflated member `member`.

    The member's stream is `compressed_size` bytes from byte `offset` of the file on, its content
    `content_size` bytes.
    """

    file: RangeFile
    member: str
    offset: int
    compressed_size: int
    content_size: int
    start: int
    size: int
    inflater: Inflater
    allowance: Allowance = field(default_factory=lambda: Allowance(0))

    def data(self) -> SteadyReader:
        """Return a reader of the member's stream."""
        return SteadyReader(self.file, self.offset, self.compressed_size)

    def chunks(self) -> Iterator[memoryview]:
        """Inflate the member as far as needed and yield the cut's bytes in bounded pieces."""
        content = inflate(
            self.inflater,
            self.file.steady(self.offset, self.compressed_size),
            compressed_size=self.compressed_size,
            size=self.content_size,
            wheel=self.file.name,
            member=self.member,
            watch=False,
        )
        skip, left = self.start, self.size
        for piece in content:
            found = piece[skip : skip + left]
            skip = max(0, skip - len(piece))
            left -= len(found)
            if found:
                yield found
            if not left:
                break


def find_recut(cut: Cut) -> tuple[Plan, Blocks] | None:
    """Find out how the cut can be made from the member's stream, and where that one's last block
    is.

    None where it cannot: the inflater finds no blocks, the stream is an unusual one, or nothing is
    left of the allowance. Stored blocks cannot be kept, as they would have to begin at the same bit
    of a byte.
    """
    if not cut.allowance.take(_BY_CUT):
        return None
    boundaries = [Boundary(0, 0)]

    def note(bit: int, at: int) -> None:
        if len(boundaries) < _MAX_BLOCKS:
            boundaries.append(Boundary(bit, at))

    pieces = cut.inflater.run(cut.file.steady(cut.offset, cut.compressed_size), note=note)
    end: End | None = None
    while end is None:
        try:
            next(pieces)
        except StopIteration as stop:
            end = stop.value
        except (zlib.error, EOFError):  # who reads the content anew will say so
            return None
        if len(boundaries) == _MAX_BLOCKS:
            pieces.close()
            break
    within = cut.allowance.take(_BY_BLOCK * len(boundaries))
    if end is None or end.blocks is None or not within:
        return None
    boundaries.append(Boundary(end.blocks.end_bit, cut.content_size))
    plan = plan_recut(boundaries, cut.start, cut.start + cut.size)
    if plan is None:
        return None
    edges = [edge for edge in (plan.head, plan.tail) if edge is not None]
    if not cut.allowance.take(sum(edge.end_bit - edge.first_bit for edge in edges)):
        return None
    if plan.kept is not None:
        first, last = plan.kept
        kept = (b for b in boundaries if first.bit <= b.bit < last.bit)
        data = cut.data()
        if any(_is_stored(data, boundary.bit) for boundary in kept):
            return None
    return plan, end.blocks


def _is_stored(data: SteadyReader, bit: int) -> bool:
    """Look at BTYPE in the header of the block at `bit` (RFC 1951, 3.2.3)."""
    header = data.read(bit // 8, 2)
    return int.from_bytes(header, "little") >> bit % 8 + 1 & 3 == 0


def edge_tokens(cut: Cut, edge: Edge) -> Iterator[Token]:
    """Yield what an edge is to be written as."""
    first, end = edge.first_bit // 8, -(-edge.end_bit // 8)
    data = cut.data().read(first, end - first)
    part = replace(cut, start=edge.start, size=edge.end - edge.start)
    content = b"".join(map(bytes, part.chunks()))
    return recode(edge, data, content, cut.start)
