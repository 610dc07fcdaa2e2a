"""Writing a planned wheel: no policy is left here, only bytes in the planned order.

Members are copied and joined as compressed ranges, in bounded chunks. Where the machine has no inflater that
finds the blocks of a deflate stream, fused members are deflated anew: the same content in other bytes.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from fatwheel.arch import Arch
from fatwheel.archive.crc import combine
from fatwheel.archive.directory import DateTime, Method
from fatwheel.archive.ranges import RangeFile, ReadAhead
from fatwheel.archive.writer import MemberData, ZipWriter
from fatwheel.deflate.cut import Allowance
from fatwheel.deflate.inflaters import Inflater
from fatwheel.deflate.splice import Cut, Deflated, Literal, Part, Stored, copied, join, new_text
from fatwheel.fusion.actions import (
    Conflict,
    Fuse,
    Keep,
    Merge,
    Planned,
    SliceOf,
    Take,
    WriteAnew,
    WriteRecord,
)
from fatwheel.fusion.record import Written, fused_record
from fatwheel.macho.universal import Slice, Universal
from fatwheel.values import valueclass
from fatwheel.wheels.scan import content_chunks, scan_file
from fatwheel.wheels.wheel import Member, OpenWheel

__all__ = ["Writable", "Written", "newest_date", "write_wheel"]

_FIRST_DATE: DateTime = (1980, 1, 1, 0, 0, 0)
"""Where the dates of a zip archive begin (APPNOTE 4.4.6)."""
_SMALL, _LARGEST_ENCODED = 64 << 10, 1 << 20
"""Bytes of slices that fatwheel's own encoder may take: it depends on no zlib, and needs a second for a MiB."""


_READ_AHEAD = 16 << 10
"""Bytes of data that are read with those of their neighbours."""


class Writable(Protocol):
    """A plan that can be carried out: of a fusion, or of the thinning of one wheel."""

    @property
    def conflicts(self) -> Sequence[Conflict]:
        """The members that nothing has settled."""

    @property
    def written(self) -> Sequence[Planned | Take]:
        """The members of the new wheel, RECORD last."""


def newest_date(wheels: Iterable[OpenWheel]) -> DateTime:
    """Return the newest valid time stamp of all members of the wheels."""
    dates = (entry.date_time for wheel in wheels for entry in wheel.entries.values())
    return max((date for date in dates if date is not None), default=_FIRST_DATE)


def write_wheel(
    plan: Writable,
    wheels: Mapping[Arch, OpenWheel],
    out: BinaryIO,
    *,
    date_time: DateTime,
    inflater: Inflater,
    files: Mapping[str, Path],
    text: Callable[[bytes], MemberData] = new_text,
) -> dict[str, Written]:
    """Write the wheel that `plan` describes to `out`, and return the facts of each member by name.

    `files` are universal files that an engine made, by member name; `text` compresses new texts.
    Raises `ValueError` for a plan with conflicts, `OSError` where writing fails, `ChangedError` where an input is not
    what was verified.
    """
    if plan.conflicts:
        raise ValueError("a plan with conflicts cannot be carried out")
    archive = ZipWriter(out, date_time)
    writer = _Writer(
        wheels=wheels,
        files=files,
        ahead={arch: ReadAhead(wheel.file) for arch, wheel in wheels.items()},
        inflater=inflater,
        archive=archive,
        allowance=Allowance(sum(wheel.file.size for wheel in wheels.values())),
        text=text,
    )
    written: dict[str, Written] = {}
    for planned in plan.written:
        if isinstance(planned, WriteRecord):
            record = fused_record(planned.name, written)
            written[planned.name] = writer.new(planned.name, planned.mode, record)
        else:
            written[planned.name] = writer.write(planned)
    archive.finish()
    return written


@valueclass
class _Writer:
    """Where members come from and where they go."""

    wheels: Mapping[Arch, OpenWheel]
    files: Mapping[str, Path]
    ahead: Mapping[Arch, ReadAhead]
    inflater: Inflater
    archive: ZipWriter
    allowance: Allowance
    text: Callable[[bytes], MemberData]

    def write(self, planned: Planned | Take) -> Written:
        """Write one member and return its facts."""
        if isinstance(planned, Keep):
            return self._keep(planned)
        if isinstance(planned, Take):
            return self._take(planned)
        if isinstance(planned, Merge | WriteAnew):
            return self.new(planned.name, planned.mode, planned.content)
        if not isinstance(planned, Fuse):
            raise ValueError(f"not to be written: {planned}")
        if planned.name in self.files:
            return self._file(planned.name, planned.mode, self.files[planned.name])
        return self._fuse(planned)

    def new(self, name: str, mode: int, content: bytes) -> Written:
        """Write new text; every machine writes the same bytes."""
        data = self.text(content)
        self.archive.add(name, mode=mode, data=data, crc=zlib.crc32(content))
        return Written(sha256=hashlib.sha256(content).digest(), size=len(content), content=None)

    def _keep(self, planned: Keep) -> Written:
        member, entry = planned.member, planned.member.entry
        if entry.compressed_size <= _READ_AHEAD:
            raw = self.ahead[planned.source].steady(entry.data_offset, entry.compressed_size)
            self.archive.add_bytes(
                planned.name,
                mode=planned.mode,
                crc=entry.crc,
                method=entry.method,
                size=entry.size,
                raw=raw,
            )
        else:
            data = copied(
                self.wheels[planned.source].file,
                offset=entry.data_offset,
                method=entry.method,
                compressed_size=entry.compressed_size,
                size=entry.size,
            )
            self.archive.add(planned.name, mode=planned.mode, data=data, crc=entry.crc)
        return Written(sha256=member.sha256, size=entry.size, content=member.content)

    def _take(self, planned: Take) -> Written:
        piece, packed = planned.slice, planned.member.entry.compressed_size
        digest, crc = hashlib.sha256(), 0
        for chunk in self._slice_content(piece, planned.member):
            digest.update(chunk)
            crc = self.inflater.crc32(chunk, crc)
        size = piece.content.size
        data = join([self._part(piece, planned.member, dynamic=True)])
        if size <= (_LARGEST_ENCODED if data.compressed_size > packed else _SMALL):
            # Its stream may be one huge block, or repeat the slice before it.
            content = b"".join(map(bytes, self._slice_content(piece, planned.member)))
            data = min(data, new_text(content, words=False), key=lambda d: d.compressed_size)
        if data.compressed_size > packed:
            chunks = self._slice_content(piece, planned.member)
            self.archive.add_recompressed(planned.name, mode=planned.mode, size=size, chunks=chunks)
        else:
            self.archive.add(planned.name, mode=planned.mode, data=data, crc=crc)
        return Written(sha256=digest.digest(), size=size, content=piece.content)

    def _file(self, name: str, mode: int, path: Path) -> Written:
        """Write a file that an engine made; it is read for its facts first, as any member is."""
        with RangeFile(path) as file:
            sha256, content = scan_file(file, name)
            chunks = file.steady(0, file.size)
            self.archive.add_recompressed(name, mode=mode, size=file.size, chunks=chunks)
            return Written(sha256=sha256, size=file.size, content=content)

    def _fuse(self, planned: Fuse) -> Written:
        sha256, crc = planned.sha256, self._joined_crc(planned)
        if sha256 is None or crc is None:
            digest, crc = hashlib.sha256(), 0
            for chunk in self._content(planned):
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
            sha256 = digest.digest()
        size = planned.layout.size
        deflated = any(
            planned.member(piece.source).entry.method is Method.DEFLATED for piece in planned.slices
        )
        if deflated and not self.inflater.finds_blocks:
            chunks = self._content(planned)
            self.archive.add_recompressed(planned.name, mode=planned.mode, size=size, chunks=chunks)
        else:
            data = join(self._parts(planned))
            self.archive.add(planned.name, mode=planned.mode, data=data, crc=crc)
        return Written(sha256=sha256, size=size, content=_universal(planned))

    def _parts(self, planned: Fuse) -> list[Part]:
        """Return the header, and each slice behind the zeros that align it."""
        parts: list[Part] = []
        for fill, index in _fills(planned):
            piece = planned.slices[index]
            parts += [Literal(fill), self._part(piece, planned.member(piece.source))]
        return parts

    def _part(self, piece: SliceOf, member: Member, *, dynamic: bool = False) -> Part:
        """Return the slice as it lies in `member`; `dynamic` is how it may be cut out."""
        wheel, entry, blocks = self.wheels[piece.source], member.entry, member.blocks
        size = piece.content.size
        if entry.method is Method.STORED:
            return Stored(
                file=wheel.file,
                offset=entry.data_offset,
                data_size=entry.compressed_size,
                start=piece.offset,
                size=size,
            )
        if piece.whole and blocks is not None:
            return Deflated(
                file=wheel.file,
                offset=entry.data_offset,
                compressed_size=entry.compressed_size,
                size=size,
                blocks=blocks,
            )
        return Cut(
            file=wheel.file,
            member=entry.name,
            offset=entry.data_offset,
            compressed_size=entry.compressed_size,
            content_size=entry.size,
            start=piece.offset,
            size=size,
            inflater=self.inflater,
            allowance=self.allowance,
            dynamic=dynamic,
        )

    def _joined_crc(self, planned: Fuse) -> int | None:
        """Return the fused file's CRC-32 from those of its parts; None where a part is cut out of a member."""
        crc = 0
        for fill, index in _fills(planned):
            piece = planned.slices[index]
            if not piece.whole:
                return None
            entry = planned.member(piece.source).entry
            crc = combine(self.inflater.crc32(fill, crc), entry.crc, entry.size)
        return crc

    def _content(self, planned: Fuse) -> Iterator[bytes | memoryview]:
        """Yield the fused file's content."""
        for fill, index in _fills(planned):
            yield fill
            piece = planned.slices[index]
            yield from self._slice_content(piece, planned.member(piece.source))

    def _slice_content(self, piece: SliceOf, member: Member) -> Iterator[memoryview]:
        """Yield the content of one slice of `member`."""
        skip, left = piece.offset, piece.content.size
        for chunk in content_chunks(self.wheels[piece.source], member.entry, self.inflater):
            found = chunk[skip : skip + left]
            skip = max(0, skip - len(chunk))
            left -= len(found)
            yield found
            if not left:
                break


def _fills(planned: Fuse) -> Iterator[tuple[bytes, int]]:
    """Yield for each slice what stands before it, header or zeros, and its index."""
    layout = planned.layout
    ends = [0, *(place.offset + place.source.size for place in layout.placed)]
    for index, (place, end) in enumerate(zip(layout.placed, ends, strict=False)):
        head = b"" if index else layout.header
        yield head + bytes(place.offset - end - len(head)), index


def _universal(planned: Fuse) -> Universal:
    """Return what a reader finds in the fused file."""
    slices = [
        Slice(
            cputype=piece.content.cputype,
            cpusubtype=piece.content.cpusubtype,
            offset=place.offset,
            size=piece.content.size,
            align=place.source.align,
            content=piece.content,
        )
        for place, piece in zip(planned.layout.placed, planned.slices, strict=True)
    ]
    return Universal(fat64=planned.layout.fat64, slices=tuple(slices), payload=None)
