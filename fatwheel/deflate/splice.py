"""Members made by joining: deflate streams are linked to each other as they are, nothing is
deflated anew.

Deflate streams can be joined: all last blocks but the very last lose their BFINAL bit, and where a
stream does not end with a byte, an empty stored block fills the gap, as stored data starts at a
byte (RFC 1951, 3.2.3 and 3.2.4). What is new between them is encoded here, so that every machine
writes the same bytes: zlib's versions differ even for a header and zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from fatwheel.archive.format import Method
from fatwheel.archive.ranges import RangeFile
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.cut import Cut, Run, encode_edge, find_recut
from fatwheel.deflate.fixedcodes import encode_fixed, extra_bits, packed
from fatwheel.deflate.recut import Boundary
from fatwheel.deflate.stream import Blocks
from fatwheel.deflate.textcodes import deflate_text
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = ["Cut", "Deflated", "Literal", "Part", "Stored", "copied", "join", "new_text"]

_MAX_STORED = 65535
"""The most bytes in one stored block (RFC 1951, 3.2.4)."""
_STORED = 0
"""BTYPE of a stored block."""


@valueclass
class Deflated:
    """The content of `compressed_size` bytes of a deflate stream, from byte `offset` of the file
    on.

    `size` is the content's in bytes, `blocks` what inflating the stream has told.
    """

    file: RangeFile
    offset: int
    compressed_size: int
    size: int
    blocks: Blocks


@valueclass
class Stored:
    """`size` bytes as they are, from byte `start` on, of the `data_size` bytes from byte `offset` of the file on."""

    file: RangeFile
    offset: int
    data_size: int
    start: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes."""
        return self.file.steady(self.offset, self.data_size, self.start, self.size)


class Literal(NamedTuple):
    """New bytes, such as a universal header or the padding between two slices."""

    data: bytes

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)


class _Range(NamedTuple):
    """`size` bytes from byte `start` on of a member's data; of their bits, the one at `clear` is cleared.

    The data are the `data_size` bytes from byte `offset` of the file on.
    """

    file: RangeFile
    offset: int
    data_size: int
    start: int
    size: int
    clear: int | None = None

    def chunks(self) -> Iterator[bytes]:
        """Read the bytes."""
        chunks = self.file.steady(self.offset, self.data_size, self.start, self.size)
        if self.clear is None:
            yield from chunks
            return
        at, bit = self.clear >> 3, 1 << (self.clear & 7)
        for chunk in chunks:
            if 0 <= at < len(chunk):
                patched = bytearray(chunk)
                if not patched[at] & bit:
                    raise AssertionError(f"bit {self.clear} is not that of a last block")
                patched[at] ^= bit
                yield bytes(patched)
            else:
                yield chunk
            at -= len(chunk)


class _StoredBlocks(NamedTuple):
    """`size` (not 0) bytes in stored blocks, without the first block's header of 3 bits and padding."""

    content: Callable[[], Iterable[bytes | memoryview]]
    size: int
    final: bool

    def encoded_size(self) -> int:
        """Return the bytes that `chunks` yields."""
        count = -(-self.size // _MAX_STORED)
        return self.size + 5 * count - 1

    def chunks(self) -> Iterator[bytes]:
        """Yield block after block."""
        left = self.size
        for block in _regroup(self.content(), _MAX_STORED):
            start = b"" if left == self.size else bytes([self.final and left == len(block)])
            size = len(block).to_bytes(2, "little")
            complement = (len(block) ^ 0xFFFF).to_bytes(2, "little")
            yield b"".join((start, size, complement, block))
            left -= len(block)
        if left:
            raise AssertionError(
                f"{counted(self.size, 'byte')} were promised, {left} of them are missing"
            )


@valueclass
class _Shifted:
    """Bits of `source` (all but the first `skip`, `count` of them) behind the bits of `lead`.

    `lead` is a value and its number of bits, 0 to 7. Only whole bytes are yielded.
    """

    lead: tuple[int, int]
    source: _Range
    skip: int
    count: int

    def chunks(self) -> Iterator[bytes]:
        """Shift the bytes of the source, chunk by chunk."""
        value, pending = self.lead
        skip, left = self.skip, self.count
        for chunk in self.source.chunks():
            found = min(8 * len(chunk) - skip, left)
            value |= (int.from_bytes(chunk, "little") >> skip & (1 << found) - 1) << pending
            skip, left = 0, left - found
            whole, rest = divmod(pending + found, 8)
            yield (value & (1 << 8 * whole) - 1).to_bytes(whole, "little")
            value, pending = value >> 8 * whole, rest


_Piece = bytes | _Range | _Shifted | _StoredBlocks
Part = Deflated | Stored | Literal | Cut


def copied(
    file: RangeFile,
    *,
    offset: int,
    method: Method,
    compressed_size: int,
    size: int,
) -> MemberData:
    """Return a member's data as it stands in another wheel, byte for byte."""
    piece = _Range(file, offset, compressed_size, 0, compressed_size)
    return MemberData(method=method, compressed_size=compressed_size, size=size, pieces=(piece,))


def new_text(content: bytes, *, words: bool = True) -> MemberData:
    """Return a text that is in neither wheel: deflated by `textcodes`, stored where that saves nothing.

    Without `words` it is no text, such as code.
    """
    stream = deflate_text(content, words=words)
    if stream is None:
        return join([Literal(content)])
    return MemberData(
        method=Method.DEFLATED, compressed_size=len(stream), size=len(content), pieces=(stream,)
    )


def join(parts: Sequence[Part]) -> MemberData:
    """Join the contents of the parts, in this order.

    The result is stored where all parts are stored or new, and deflated otherwise. One deflated
    part alone is copied byte for byte. One byte is read from the file for each deflated part;
    everything else is read when `MemberData.chunks` is iterated.
    """
    filled = [part for part in parts if part.size] or list(parts[:1])
    size = sum(part.size for part in filled)
    if len(filled) == 1 and isinstance(only := filled[0], Deflated):
        return copied(
            only.file,
            offset=only.offset,
            method=Method.DEFLATED,
            compressed_size=only.compressed_size,
            size=size,
        )
    if not size or all(isinstance(part, Stored | Literal) for part in filled):
        pieces = tuple(_as_it_is(part) for part in filled if part.size)
        return MemberData(method=Method.STORED, compressed_size=size, size=size, pieces=pieces)
    stream = _Stream()
    for part in filled[:-1]:
        stream.add(part, final=False)
    stream.add(filled[-1], final=True)
    pieces, compressed_size = stream.finish()
    return MemberData(
        method=Method.DEFLATED, compressed_size=compressed_size, size=size, pieces=pieces
    )


def _as_it_is(part: Part) -> _Piece:
    if isinstance(part, Literal):
        return part.data
    assert isinstance(part, Stored)
    return _Range(part.file, part.offset, part.data_size, part.start, part.size)


def _stored_bits(size: int) -> int:
    """Return about how long `size` bytes are in stored blocks."""
    return 8 * (size + 5 * -(-size // _MAX_STORED))


def _regroup(chunks: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """Cut a stream of bytes into groups of `size`, of which the last may be shorter."""
    group = bytearray()
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            taken = chunk[at : at + size - len(group)]
            group += taken
            at += len(taken)
            if len(group) == size:
                yield bytes(group)
                group.clear()
    if group:
        yield bytes(group)


class _Stream:
    """A deflate stream while parts are added: pieces so far, then whole bytes, then up to 7 bits."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []
        self._size = 0
        self._bytes = bytearray()
        self._bits = 0
        self._bit_count = 0

    def add(self, part: Part, *, final: bool) -> None:
        """Add a part that is not empty; the last one is `final`."""
        if isinstance(part, Deflated):
            self._add_deflated(part, final)
        elif isinstance(part, Stored):
            self._add_stored(part.chunks, part.size, final)
        elif isinstance(part, Cut):
            self._add_cut(part, final)
        else:
            self._add_literal(part.data, final)

    def finish(self) -> tuple[tuple[_Piece, ...], int]:
        """Return all pieces and their size in bytes."""
        self._align()
        self._add_piece(b"", 0)
        return tuple(self._pieces), self._size

    def _add_deflated(self, part: Deflated, final: bool) -> None:
        if self._bit_count:
            self._put(_STORED << 1, 3)
            self._align()
            self._bytes += b"\x00\x00\xff\xff"
        if final:
            size = part.compressed_size
            self._add_piece(_Range(part.file, part.offset, size, 0, size), size)
            return
        whole, rest = divmod(part.blocks.end_bit, 8)
        last = part.blocks.last_block_bit
        clear = last if last < whole * 8 else None
        piece = _Range(part.file, part.offset, part.compressed_size, 0, whole, clear)
        self._add_piece(piece, whole)
        if rest:
            (byte,) = b"".join(part.file.steady(part.offset, part.compressed_size, whole, 1))
            if clear is None:
                byte &= ~(1 << (last & 7))
            self._put(byte & (1 << rest) - 1, rest)

    def _add_stored(
        self, content: Callable[[], Iterable[bytes | memoryview]], size: int, final: bool
    ) -> None:
        self._put(_STORED << 1 | int(final and size <= _MAX_STORED), 3)
        self._align()
        blocks = _StoredBlocks(content, size, final)
        self._add_piece(blocks, blocks.encoded_size())

    def _add_literal(self, data: bytes, final: bool) -> None:
        codes = encode_fixed([data])
        if len(codes) >= _stored_bits(len(data)):
            self._add_stored(lambda: (data,), len(data), final)
        else:
            self._add_block(codes, final)

    def _add_cut(self, cut: Cut, final: bool) -> None:
        found = find_recut(cut)
        if found is None:
            self._add_stored(cut.chunks, cut.size, final)
            return
        plan = found.plan
        head = encode_edge(cut, plan.head)
        tail = encode_edge(cut, plan.tail) if plan.tail else encode_fixed(())
        first, last = plan.kept or (Boundary(0, 0), Boundary(0, 0))
        if len(head) + len(tail) + last.bit - first.bit >= _stored_bits(cut.size):
            self._add_stored(cut.chunks, cut.size, final)
            return
        self._add_block(head, final and plan.kept is None)
        if plan.kept is None:
            return
        is_last = last.bit == found.blocks.end_bit
        clear = found.blocks.last_block_bit if is_last and not final else None
        for run in found.runs:
            ends = run.end == last.bit
            if run.stored:
                self._add_stored_block(cut, run, final=final and is_last and ends)
            else:
                self._add_shifted(cut, run.first, run.end, clear if ends else None)
        if plan.tail is not None or (final and not is_last):
            self._add_block(tail, final)

    def _add_stored_block(self, cut: Cut, run: Run, *, final: bool) -> None:
        """Add a stored block as it is, behind a header that ends with a byte here (RFC 1951, 3.2.4)."""
        self._put(_STORED << 1 | final, 3)
        self._align()
        start = -(-(run.first + 3) // 8)
        size = run.end // 8 - start
        self._add_piece(_Range(cut.file, cut.offset, cut.compressed_size, start, size), size)

    def _add_shifted(self, cut: Cut, first: int, end: int, clear: int | None) -> None:
        """Add the stream's bits from `first` to `end`, with the bit `clear` cleared."""
        start = first // 8
        clear = None if clear is None else clear - 8 * start
        source = _Range(
            cut.file, cut.offset, cut.compressed_size, start, -(-end // 8) - start, clear
        )
        lead = (self._bits, self._bit_count)
        whole, rest = divmod(self._bit_count + end - first, 8)
        self._add_piece(
            _Shifted(lead=lead, source=source, skip=first % 8, count=end - first), whole
        )
        at = (end - rest) // 8
        data = cut.data().read(at, -(-end // 8) - at)
        self._bits = int.from_bytes(data, "little") >> (end - rest) % 8 & (1 << rest) - 1
        self._bit_count = rest

    def _add_block(self, codes: str, final: bool) -> None:
        bits = extra_bits(self._bits, self._bit_count) + str(int(final)) + codes
        whole = len(bits) // 8 * 8
        self._bytes += packed(bits[:whole])
        self._bits, self._bit_count = (
            int.from_bytes(packed(bits[whole:]), "little"),
            len(bits) - whole,
        )

    def _put(self, value: int, count: int) -> None:
        self._bits |= value << self._bit_count
        self._bit_count += count
        if self._bit_count >= 8:
            whole, self._bit_count = divmod(self._bit_count, 8)
            self._bytes += (self._bits & (1 << 8 * whole) - 1).to_bytes(whole, "little")
            self._bits >>= 8 * whole

    def _align(self) -> None:
        if self._bit_count:
            self._put(0, 8 - self._bit_count)

    def _add_piece(self, piece: _Piece, size: int) -> None:
        if self._bytes:
            self._pieces.append(bytes(self._bytes))
            self._size += len(self._bytes)
            self._bytes.clear()
        if size:
            self._pieces.append(piece)
            self._size += size
