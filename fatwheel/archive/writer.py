"""A wheel's zip archive, written member by member, the same bytes for the same members.

Sections are those of PKWARE's APPNOTE.TXT, version 6.3.10.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

from fatwheel.archive.format import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    LOCAL,
    LOCAL_SIGNATURE,
    LOCATOR,
    LOCATOR_SIGNATURE,
    MAX16,
    MAX32,
    Flag,
    Method,
)
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = ["MemberData", "ZipWriter"]

_UNIX = 3
_REGULAR_FILE = 0o100000
_PLAIN_VERSION, _ZIP64_VERSION = 20, 45  # deflate, Zip64 (4.4.3.2)
_LEVEL = 6
_SMALL = 64 * 1024  # bytes of data that are written together with their header


class Chunks(Protocol):
    """A piece of a member's data that is read or made when it is asked for."""

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes in pieces of at most 256 KiB; may be called again."""


@valueclass
class MemberData:
    """A member's data, ready to be written: `compressed_size` bytes that hold `size` bytes of content."""

    method: Method
    compressed_size: int
    size: int
    pieces: tuple[bytes | Chunks, ...]

    def chunks(self) -> Iterator[bytes]:
        """Yield the compressed bytes in pieces of at most 256 KiB; may be called again."""
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from piece.chunks()


class _Written(NamedTuple):
    """What the central directory will repeat of a member."""

    name: bytes
    flags: int
    mode: int
    method: Method
    crc: int
    compressed_size: int
    size: int
    offset: int

    @property
    def is_large(self) -> bool:
        """Whether the local header needs Zip64 fields."""
        return max(self.size, self.compressed_size) >= MAX32


class ZipWriter:
    """Writes members to `out`, a seekable file that is open for writing and at its start.

    All members get one time stamp, `date_time` (year 1980 to 2107, month, day, hour, minute, second;
    odd seconds are rounded down). Nothing depends on the machine: the archive says it was made on
    UNIX, has neither comments nor data descriptors, and Zip64 fields only where a number needs them.
    """

    def __init__(self, out: BinaryIO, date_time: tuple[int, int, int, int, int, int]) -> None:
        """Raises `ValueError` for a time that MS-DOS cannot express."""
        year, month, day, hour, minute, second = date_time
        if not 1980 <= year <= 2107:
            raise ValueError(f"year out of range for a zip archive: {year}")
        self._out = out
        self._date = year - 1980 << 9 | month << 5 | day
        self._time = hour << 11 | minute << 5 | second // 2
        self._members: list[_Written] = []
        self._at = 0

    def add(self, name: str, *, mode: int, crc: int, data: MemberData) -> None:
        """Write a member whose data lies ready: `crc` is its content's, `mode` its permission bits.

        Raises `AssertionError` where the data turns out longer or shorter than it said.
        """
        if data.compressed_size <= _SMALL:
            raw = b"".join(data.chunks())
            self.add_bytes(name, mode=mode, crc=crc, method=data.method, size=data.size, raw=raw)
            written = len(raw)
        else:
            member = self._next(name, mode, data.method, crc, (data.compressed_size, data.size))
            self._write(self._local_header(member, zip64=member.is_large))
            written = sum(map(self._write, data.chunks()))
            self._members.append(member)
        if written != data.compressed_size:
            raise AssertionError(
                f"{name}: wrote {written} of {counted(data.compressed_size, 'byte')}"
            )

    def add_bytes(
        self, name: str, *, mode: int, crc: int, method: Method, size: int, raw: bytes
    ) -> None:
        """Write a member as `add` does, whose data are `raw` and hold `size` bytes of content."""
        member = self._next(name, mode, method, crc, (len(raw), size))
        self._write(self._local_header(member, zip64=member.is_large) + raw)
        self._members.append(member)

    def _next(
        self, name: str, mode: int, method: Method, crc: int, sizes: tuple[int, int]
    ) -> _Written:
        """Return a member that begins here; `sizes` are of its data and its content."""
        raw, flags = name.encode(), 0
        if len(raw) > len(name):  # UTF-8 is declared only where the name needs it (4.4.4, bit 11)
            flags = Flag.UTF8
        return _Written(raw, flags, mode, method, crc, *sizes, self._at)

    def add_recompressed(
        self, name: str, *, mode: int, size: int, chunks: Iterable[bytes | memoryview]
    ) -> None:
        """Deflate and write a member of `size` bytes of content, for machines without `Blocks`.

        The compressed bytes depend on Python's zlib. Raises `AssertionError` where the chunks add up
        to another size.
        """
        offset = self._at
        # Room for Zip64 is needed where the compressed size may pass 4 GiB: stored blocks at worst.
        zip64 = size + size // 1000 + 1024 > MAX32
        blank = self._next(name, mode, Method.DEFLATED, 0, (0, size))
        self._write(self._local_header(blank, zip64=zip64))
        content = _Tally(chunks)
        written = sum(map(self._write, _deflated(content)))
        if content.size != size:
            raise AssertionError(
                f"{name}: {counted(size, 'byte')} were promised, {content.size} came"
            )
        member = blank._replace(crc=content.crc, compressed_size=written)
        self._out.seek(offset)
        self._out.write(self._local_header(member, zip64=zip64))
        self._out.seek(self._at)
        self._members.append(member)

    def finish(self) -> int:
        """Write the central directory and the end records; return the archive's size in bytes."""
        start = self._at
        self._write(b"".join(map(self._central_header, self._members)))
        count, size = len(self._members), self._at - start
        if count >= MAX16 or size >= MAX32 or start >= MAX32:
            record = self._at
            version = (_ZIP64_VERSION | _UNIX << 8, _ZIP64_VERSION)
            rest = END64.size - 12
            self._write(
                END64.pack(END64_SIGNATURE, rest, *version, 0, 0, count, count, size, start)
            )
            self._write(LOCATOR.pack(LOCATOR_SIGNATURE, 0, record, 1))
        count, size, start = min(count, MAX16), min(size, MAX32), min(start, MAX32)
        self._write(END.pack(END_SIGNATURE, 0, 0, count, count, size, start, 0))
        return self._at

    def _write(self, data: bytes) -> int:
        self._out.write(data)
        self._at += len(data)
        return len(data)

    def _local_header(self, member: _Written, *, zip64: bool) -> bytes:
        """Format a local header (4.3.7); its Zip64 field holds both sizes or is not there."""
        sizes = (member.compressed_size, member.size)
        extra = b""
        if zip64:
            extra = struct.pack("<2H2Q", 1, 16, member.size, member.compressed_size)
            sizes = (MAX32, MAX32)
        version = _ZIP64_VERSION if zip64 else _PLAIN_VERSION
        header = LOCAL.pack(
            LOCAL_SIGNATURE,
            version,
            member.flags,
            member.method,
            self._time,
            self._date,
            member.crc,
            *sizes,
            len(member.name),
            len(extra),
        )
        return header + member.name + extra

    def _central_header(self, member: _Written) -> bytes:
        """Format a header of the central directory (4.3.12)."""
        _, flags, mode, method, crc, compressed_size, size, offset = member
        extra, version = b"", _PLAIN_VERSION
        if max(size, compressed_size, offset) >= MAX32:
            large = [value for value in (size, compressed_size, offset) if value >= MAX32]
            extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large)
            version = _ZIP64_VERSION
            size, compressed_size, offset = (
                min(value, MAX32) for value in (size, compressed_size, offset)
            )
        header = CENTRAL.pack(
            CENTRAL_SIGNATURE,
            version,
            _UNIX,
            version,
            flags,
            method,
            self._time,
            self._date,
            crc,
            compressed_size,
            size,
            len(member.name),
            len(extra),
            0,
            0,
            0,
            (_REGULAR_FILE | mode) << 16,
            offset,
        )
        return header + member.name + extra


class _Tally:
    """Chunks that are counted and summed while they pass by."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        self._chunks = chunks
        self.size = 0
        self.crc = 0

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for chunk in self._chunks:
            self.size += len(chunk)
            self.crc = zlib.crc32(chunk, self.crc)
            yield chunk


def _deflated(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    for chunk in chunks:
        yield compressor.compress(chunk)
    yield compressor.flush()
