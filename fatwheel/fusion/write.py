"""Writing a planned wheel: no policy is left here, only bytes in the planned order.

Members are copied and joined as compressed ranges, in bounded chunks. Where the machine has no inflater that
finds the blocks of a deflate stream, fused members are deflated anew: the same content in other bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from fatwheel.arch import Arch
from fatwheel.archive.directory import DateTime
from fatwheel.archive.ranges import RangeFile, ReadAhead
from fatwheel.archive.writer import MemberData, ZipWriter
from fatwheel.deflate.cut import Allowance
from fatwheel.deflate.inflaters import Inflater
from fatwheel.deflate.splice import copied, join, new_text
from fatwheel.fusion.actions import (
    Conflict,
    Fuse,
    Keep,
    Merge,
    Planned,
    Take,
    WriteAnew,
    WriteRecord,
)
from fatwheel.fusion.ready import Maker, Ready, ready_text
from fatwheel.fusion.record import Written, fused_record
from fatwheel.values import valueclass
from fatwheel.wheels.scan import scan_file
from fatwheel.wheels.wheel import OpenWheel

__all__ = ["MadeAhead", "Writable", "Written", "allowance_for", "newest_date", "write_wheel"]

_FIRST_DATE: DateTime = (1980, 1, 1, 0, 0, 0)
"""Where the dates of a zip archive begin (APPNOTE 4.4.6)."""
_SMALL, _LARGEST_ENCODED = 64 << 10, 1 << 20
"""Bytes of slices that fatwheel's own encoder may take: it depends on no zlib, and needs a second for a MiB."""


class Writable(Protocol):
    """A plan that can be carried out: of a fusion, or of the thinning of one wheel."""

    @property
    def conflicts(self) -> Sequence[Conflict]:
        """The members that nothing has settled."""

    @property
    def written(self) -> Sequence[Planned | Take]:
        """The members of the new wheel, RECORD last."""


class MadeAhead(Protocol):
    """Members that were made ready before all was planned (`fusion/ahead`)."""

    def take(self, planned: Planned, allowance: Allowance) -> Ready | None:
        """Return the member, with what it took of `allowance` taken; None where it is to be made now."""


def allowance_for(wheels: Iterable[OpenWheel]) -> Allowance:
    """Return what the cuts of these wheels may take together."""
    return Allowance(sum(wheel.file.size for wheel in wheels))


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
    ahead: MadeAhead | None = None,
) -> dict[str, Written]:
    """Write the wheel that `plan` describes to `out`, and return the facts of each member by name.

    `files` are universal files that an engine made, by member name; `text` compresses new texts; `ahead` has what was
    made ready before. Raises `ValueError` for a plan with conflicts, `OSError` where writing fails, `ChangedError`
    where an input is not what was verified.
    """
    if plan.conflicts:
        raise ValueError("a plan with conflicts cannot be carried out")
    archive = ZipWriter(out, date_time)
    writer = _Writer(
        wheels=wheels,
        files=files,
        readers={arch: ReadAhead(wheel.file) for arch, wheel in wheels.items()},
        inflater=inflater,
        maker=Maker(wheels=wheels, inflater=inflater),
        archive=archive,
        allowance=allowance_for(wheels.values()),
        text=text,
        ahead=ahead,
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
    readers: Mapping[Arch, ReadAhead]
    inflater: Inflater
    maker: Maker
    archive: ZipWriter
    allowance: Allowance
    text: Callable[[bytes], MemberData]
    ahead: MadeAhead | None

    def write(self, planned: Planned | Take) -> Written:
        """Write one member and return its facts."""
        if isinstance(planned, Keep):
            return self._keep(planned)
        if isinstance(planned, Take):
            return self._take(planned)
        if isinstance(planned, Merge | WriteAnew):
            if (made := self._made_ahead(planned)) is not None:
                return self._add(planned.name, planned.mode, made)
            return self.new(planned.name, planned.mode, planned.content)
        if not isinstance(planned, Fuse):
            raise ValueError(f"not to be written: {planned}")
        if planned.name in self.files:
            return self._file(planned.name, planned.mode, self.files[planned.name])
        return self._fuse(planned)

    def new(self, name: str, mode: int, content: bytes) -> Written:
        """Write new text; every machine writes the same bytes."""
        return self._add(name, mode, ready_text(content, self.text))

    def _add(self, name: str, mode: int, ready: Ready) -> Written:
        self.archive.add(name, mode=mode, data=ready.data, crc=ready.crc)
        return ready.written

    def _made_ahead(self, planned: Planned) -> Ready | None:
        return None if self.ahead is None else self.ahead.take(planned, self.allowance)

    def _keep(self, planned: Keep) -> Written:
        entry = planned.member.entry
        data = copied(
            self.wheels[planned.source].file,
            offset=entry.data_offset,
            method=entry.method,
            compressed_size=entry.compressed_size,
            size=entry.size,
            ahead=self.readers[planned.source],
        )
        self.archive.add(planned.name, mode=planned.mode, data=data, crc=entry.crc)
        member = planned.member
        return Written(sha256=member.sha256, size=entry.size, content=member.content)

    def _take(self, planned: Take) -> Written:
        piece, packed = planned.slice, planned.member.entry.compressed_size
        digest, crc = hashlib.sha256(), 0
        for chunk in self.maker.slice_content(piece, planned.member):
            digest.update(chunk)
            crc = self.inflater.crc32(chunk, crc)
        size = piece.content.size
        data = join([self.maker.part(piece, planned.member, self.allowance, dynamic=True)])
        if size <= (_LARGEST_ENCODED if data.compressed_size > packed else _SMALL):
            # Its stream may be one huge block, or repeat the slice before it.
            content = b"".join(map(bytes, self.maker.slice_content(piece, planned.member)))
            data = min(data, new_text(content, words=False), key=lambda d: d.compressed_size)
        if data.compressed_size > packed:
            chunks = self.maker.slice_content(piece, planned.member)
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
        ready = self._made_ahead(planned) or self.maker.fused(planned, self.allowance)
        if ready is not None:
            return self._add(planned.name, planned.mode, ready)
        written, _ = self.maker.facts(planned)
        chunks, size = self.maker.content(planned), written.size
        self.archive.add_recompressed(planned.name, mode=planned.mode, size=size, chunks=chunks)
        return written
