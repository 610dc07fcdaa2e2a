"""A planned member made ready to be written: its data as they will lie in the archive, and its facts.

Nothing is written here, so that it can be done as soon as the member is decided on, in any thread.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping

from fatwheel.arch import Arch
from fatwheel.archive.crc import combine, crc_of_zeros
from fatwheel.archive.directory import Method
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.cut import Allowance
from fatwheel.deflate.inflaters import Inflater
from fatwheel.deflate.splice import Cut, Deflated, Literal, Part, Stored, join, new_text
from fatwheel.fusion.actions import Fuse, SliceOf
from fatwheel.fusion.record import Written
from fatwheel.macho.universal import Slice, Universal
from fatwheel.values import valueclass
from fatwheel.wheels.scan import content_chunks
from fatwheel.wheels.wheel import Member, OpenWheel

__all__ = ["Maker", "Ready", "ready_text"]


@valueclass
class Ready:
    """A member's data; `crc` is its content's CRC-32, `written` are its facts."""

    data: MemberData
    crc: int
    written: Written


def ready_text(content: bytes, compress: Callable[[bytes], MemberData] = new_text) -> Ready:
    """Make new text ready; every machine makes the same bytes."""
    digest = hashlib.sha256(content).digest()
    return Ready(
        data=compress(content),
        crc=zlib.crc32(content),
        written=Written(sha256=digest, size=len(content), content=None),
    )


@valueclass
class Maker:
    """Makes universal files and slices ready, of wheels that were verified."""

    wheels: Mapping[Arch, OpenWheel]
    inflater: Inflater

    def fused(self, planned: Fuse, allowance: Allowance) -> Ready | None:
        """Join a universal file; None where it must be deflated anew, since nothing tells where its streams end.

        Slices that are cut out use up `allowance`. Raises `ChangedError` where an input is not what was verified.
        """
        deflated = any(
            planned.member(piece.source).entry.method is Method.DEFLATED for piece in planned.slices
        )
        if deflated and not self.inflater.finds_blocks:
            return None
        written, crc = self.facts(planned)
        return Ready(data=join(self._parts(planned, allowance)), crc=crc, written=written)

    def facts(self, planned: Fuse) -> tuple[Written, int]:
        """Return what is to be known of a universal file, and its CRC-32."""
        sha256, crc = planned.sha256, self._joined_crc(planned)
        if sha256 is None or crc is None:
            digest, crc = hashlib.sha256(), 0
            for chunk in self.content(planned):
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
            sha256 = digest.digest()
        size = planned.layout.size
        return Written(sha256=sha256, size=size, content=_universal(planned)), crc

    def _parts(self, planned: Fuse, allowance: Allowance) -> list[Part]:
        """Return the header, and each slice behind the zeros that align it."""
        parts: list[Part] = []
        for fill, index in _fills(planned):
            piece = planned.slices[index]
            parts += [
                Literal(fill),
                self.part(piece, planned.member(piece.source), allowance),
            ]
        return parts

    def part(
        self, piece: SliceOf, member: Member, allowance: Allowance, *, dynamic: bool = False
    ) -> Part:
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
            allowance=allowance,
            dynamic=dynamic,
        )

    def _joined_crc(self, planned: Fuse) -> int | None:
        """Return the fused file's CRC-32 from those of its parts; None where a part is cut out of a member."""
        crc = 0
        for fill, index in _fills(planned):
            piece = planned.slices[index]
            if not piece.whole:
                return None
            zeros = len(fill) - len(fill.rstrip(b"\0"))
            head = fill[: len(fill) - zeros]
            crc = combine(zlib.crc32(head, crc), crc_of_zeros(zeros), zeros)
            entry = planned.member(piece.source).entry
            crc = combine(crc, entry.crc, entry.size)
        return crc

    def content(self, planned: Fuse) -> Iterator[bytes | memoryview]:
        """Yield the fused file's content."""
        for fill, index in _fills(planned):
            yield fill
            piece = planned.slices[index]
            yield from self.slice_content(piece, planned.member(piece.source))

    def slice_content(self, piece: SliceOf, member: Member) -> Iterator[memoryview]:
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
