"""A range of a deflated member's content, such as one slice of a universal file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from itertools import pairwise
from typing import NamedTuple

from fatwheel.archive.ranges import RangeFile, SteadyReader
from fatwheel.deflate.content import inflate
from fatwheel.deflate.fixedcodes import fixed_block, with_runs
from fatwheel.deflate.inflaters import Inflater
from fatwheel.deflate.recut import Boundary, Edge, Plan, plan_recut, recode
from fatwheel.deflate.stream import Blocks, End
from fatwheel.deflate.textcodes import dynamic_block
from fatwheel.values import valueclass

__all__ = ["Allowance", "Cut", "Recut", "Run", "encode_edge", "find_recut"]

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
    `content_size` bytes. `dynamic` says that the edges may have codes of their own: less room, more time.
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
    dynamic: bool = False

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


class Run(NamedTuple):
    """Blocks that are kept, from bit `first` to bit `end` of the stream; one alone where it is `stored`."""

    first: int
    end: int
    stored: bool


@valueclass
class Recut:
    """How a cut is made from the member's stream, of which `blocks` tells the last block.

    `runs` are the kept blocks: the data of a stored one start at a byte, so that it is moved by itself.
    """

    plan: Plan
    blocks: Blocks
    runs: tuple[Run, ...]


def find_recut(cut: Cut) -> Recut | None:
    """Find out how the cut can be made from the member's stream.

    None where it cannot: the inflater finds no blocks, the stream is an unusual one, or nothing is
    left of the allowance.
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
    return Recut(plan=plan, blocks=end.blocks, runs=tuple(_runs(cut, plan, boundaries)))


def _runs(cut: Cut, plan: Plan, boundaries: Sequence[Boundary]) -> Iterator[Run]:
    if plan.kept is None:
        return
    first, last = plan.kept
    data = cut.data()
    kept = [b.bit for b in boundaries if first.bit <= b.bit <= last.bit]
    begin = first.bit
    for bit, end in pairwise(kept):
        if _is_stored(data, bit):
            if begin < bit:
                yield Run(begin, bit, stored=False)
            yield Run(bit, end, stored=True)
            begin = end
    if begin < last.bit:
        yield Run(begin, last.bit, stored=False)


def _is_stored(data: SteadyReader, bit: int) -> bool:
    """Look at BTYPE in the header of the block at `bit` (RFC 1951, 3.2.3)."""
    header = data.read(bit // 8, 2)
    return int.from_bytes(header, "little") >> bit % 8 + 1 & 3 == 0


def encode_edge(cut: Cut, edge: Edge) -> str:
    """Return a block with an edge, as bits behind BFINAL."""
    first, end = edge.first_bit // 8, -(-edge.end_bit // 8)
    data = cut.data().read(first, end - first)
    part = replace(cut, start=edge.start, size=edge.end - edge.start)
    content = b"".join(map(bytes, part.chunks()))
    fixed = fixed_block(recode(edge, data, content, cut.start, with_runs))
    if not cut.dynamic:
        return fixed
    return min(fixed, dynamic_block(recode(edge, data, content, cut.start, bytes)), key=len)
