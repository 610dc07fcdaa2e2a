"""Universal files: several slices, one for each architecture, behind one table (mach-o/fat.h).

One reader and one writer of the container, for lipo and for fusing wheels. `layout` places slices
exactly as llvm-lipo does; nothing here touches a slice's own bytes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.alignment import thin_align
from fatwheel.macho.bitcode import Bitcode, is_bitcode, parse_bitcode
from fatwheel.macho.cpu import CPU_SUBTYPE_MASK, arch_name
from fatwheel.macho.image import (
    MAGICS,
    Image,
    PageChoice,
    parse_image,
    plain_arch,
)
from fatwheel.macho.layout import (
    FAT_MAGIC,
    FAT_MAGIC_64,
    LARGEST_ALIGN,
    LARGEST_COUNT,
    Layout,
    Placed,
    SliceSource,
    layout,
)
from fatwheel.macho.payload import Payload
from fatwheel.macho.probe import Parser, Range
from fatwheel.macho.staticlib import (
    AR_MAGIC,
    ForeignArchiveError,
    StaticLibrary,
    parse_static_library,
)
from fatwheel.macho.wire import FAT_ARCH, FAT_ARCH_64, FAT_HEADER, MACH_HEADER_64
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = [
    "FAT_MAGIC",
    "FAT_MAGIC_64",
    "LARGEST_COUNT",
    "Content",
    "Layout",
    "Payload",
    "Placed",
    "Slice",
    "SliceSource",
    "Universal",
    "layout",
    "looks_like",
    "natural_align",
    "parse",
    "thin_head",
    "whole",
]

_BIG = ">"
_FAT_BEGIN = (FAT_MAGIC >> 16).to_bytes(2, "big")  # FAT_MAGIC_64's as well

Content = Image | StaticLibrary | Bitcode
"""What one slice, or a thin file, holds."""


@valueclass
class Slice:
    """One slice: `offset` and `size` in bytes of the file, `align` as log2 as the table says.

    cputype and the raw 32-bit cpusubtype are those of its content, not those of the table.
    """

    cputype: int
    cpusubtype: int
    offset: int
    size: int
    align: int
    content: Content

    @property
    def arch(self) -> Arch | None:
        """The architecture of a plain x86_64 or arm64 slice; None for all others."""
        return plain_arch(self.cputype, self.cpusubtype)


@valueclass
class Universal:
    """A universal file: its slices in the table's order, and whether offsets have 64 bits.

    `payload` are bytes after its last slice, which no slice carries on; its offset is the file's.
    """

    fat64: bool
    slices: tuple[Slice, ...]
    payload: Payload | None


def looks_like(head: bytes) -> bool:
    """Say whether a file with these first bytes (eight or more) could be one that `parse` knows."""
    return (
        head[:4] in MAGICS
        or head[:8] == AR_MAGIC
        or (head[:2] == _FAT_BEGIN and len(head) >= FAT_HEADER.size and _is_universal(head))
    )


def natural_align(content: Content) -> int:
    """Return the alignment (log2) that lipo gives a slice that comes from a thin file."""
    return content.natural_align


def whole(content: Content) -> Slice:
    """Return a thin file's content as the one slice that lipo would make of it."""
    return Slice(
        cputype=content.cputype,
        cpusubtype=content.cpusubtype,
        offset=0,
        size=content.size,
        align=natural_align(content),
        content=content,
    )


def thin_head(head: bytes) -> SliceSource | None:
    """Return what the first 32 bytes say of a plain x86_64 or arm64 image, or None for anything
    else.

    Its `size` is 0: these bytes don't tell.
    """
    if len(head) < MACH_HEADER_64.size or MAGICS.get(head[:4]) != ("<", True):
        return None
    header = MACH_HEADER_64.unpack("<", head)
    align = thin_align(header.cputype)
    if align is None or plain_arch(header.cputype, header.cpusubtype) is None:
        return None
    return SliceSource(cputype=header.cputype, cpusubtype=header.cpusubtype, size=0, align=align)


class _Wanted(NamedTuple):
    """What `parse` is asked to look for."""

    payload: bool
    bitcode: bool
    pages: PageChoice | None
    symbols: bool


def parse(
    source: str,
    size: int,
    *,
    payload: bool = True,
    bitcode: bool = False,
    pages: PageChoice | None = None,
    symbols: bool = False,
) -> Parser[Universal | Image | StaticLibrary | Bitcode | None]:
    """Parse a file of `size` bytes, or return None where it is no Mach-O, universal file or static
    library.

    An archive without Mach-O members is none either. `payload` says whether to look for a payload
    in images, and at their signatures, for which `pages` says how to hash the pages; `bitcode`
    whether LLVM bitcode counts, `symbols` whether to gather those that go from image to image. Slices
    are read in the order of their offsets.
    Raises `FormatError` for a file that starts as one of them and is damaged.
    """
    head = yield Range(0, min(size, FAT_HEADER.size))
    wanted = _Wanted(payload, bitcode, pages, symbols)
    if len(head) >= FAT_HEADER.size and _is_universal(head):
        return (yield from _universal(source, size, head, wanted))
    try:
        return (yield from _content(source, size, base=0, head=head, wanted=wanted))
    except ForeignArchiveError:
        return None


def _is_universal(head: bytes) -> bool:
    header = FAT_HEADER.unpack(_BIG, head)
    magic: int = header.magic
    count: int = header.nfat_arch
    return magic == FAT_MAGIC_64 or (magic == FAT_MAGIC and count <= LARGEST_COUNT)


def _content(
    source: str, size: int, *, base: int, head: bytes, wanted: _Wanted
) -> Parser[Image | StaticLibrary | Bitcode | None]:
    """Parse what is not a universal file; `head` are its first eight bytes."""
    if head[:4] in MAGICS:
        return (
            yield from parse_image(
                source,
                size,
                base=base,
                head=head,
                payload=wanted.payload,
                pages=wanted.pages,
                symbols=wanted.symbols,
            )
        )
    if head[:8] == AR_MAGIC:
        library = parse_static_library(source, size, base=base, head=head, bitcode=wanted.bitcode)
        return (yield from library)
    if wanted.bitcode and is_bitcode(head):
        return (yield from parse_bitcode(source, size, base=base, head=head))
    return None


class _Entry(NamedTuple):
    """One entry of the table and the byte of the file where it stands."""

    at: int
    cputype: int
    cpusubtype: int
    offset: int
    size: int
    align: int

    @property
    def end(self) -> int:
        return self.offset + self.size

    def __str__(self) -> str:
        name = arch_name(self.cputype, self.cpusubtype)
        return f"the slice for {name} at {self.offset} to {self.end}"


def _universal(source: str, size: int, head: bytes, wanted: _Wanted) -> Parser[Universal]:
    fat64, entries = yield from _table(source, size, head)
    found: dict[int, Content] = {}
    for entry in sorted(entries, key=lambda one: one.offset):
        start = yield Range(entry.offset, min(entry.size, 8))
        content = yield from _content(
            source, entry.size, base=entry.offset, head=start, wanted=wanted
        )
        if content is None:
            problem = f"{entry} is no Mach-O image and no static library"
            raise FormatError(source, entry.offset, problem)
        if content.cputype != entry.cputype:
            own = arch_name(content.cputype, content.cpusubtype)
            problem = (
                f"the table says {arch_name(entry.cputype, entry.cpusubtype)}, the slice {own}"
            )
            raise FormatError(source, entry.at, problem)
        found[entry.at] = content
    slices = tuple(
        Slice(
            cputype=found[entry.at].cputype,
            cpusubtype=found[entry.at].cpusubtype,
            offset=entry.offset,
            size=entry.size,
            align=entry.align,
            content=found[entry.at],
        )
        for entry in entries
    )
    end = max(entry.end for entry in entries)
    trailing = Payload(offset=end, size=size - end) if wanted.payload and size > end else None
    return Universal(fat64=fat64, slices=slices, payload=trailing)


def _table(source: str, size: int, head: bytes) -> Parser[tuple[bool, list[_Entry]]]:
    """Read the table and check each entry alone, and all against each other."""
    magic, count = FAT_HEADER.unpack(_BIG, head)
    entry_layout = FAT_ARCH_64 if magic == FAT_MAGIC_64 else FAT_ARCH
    if not 1 <= count <= LARGEST_COUNT:
        raise FormatError(source, 4, f"nfat_arch is {count}, it must be 1 to {LARGEST_COUNT}")
    table_end = FAT_HEADER.size + count * entry_layout.size
    if table_end > size:
        problem = f"the table of {counted(count, 'slice')} ends at {table_end}, the file at {size}"
        raise FormatError(source, FAT_HEADER.size, problem)
    table = yield Range(FAT_HEADER.size, count * entry_layout.size)
    if len(table) < count * entry_layout.size:
        raise FormatError(source, FAT_HEADER.size + len(table), "the data end within the table")
    entries = [
        _Entry(FAT_HEADER.size + index * entry_layout.size, *fields[:5])
        for index, fields in enumerate(entry_layout.unpack_all(_BIG, table, 0, count))
    ]
    seen: set[tuple[int, int]] = set()
    for entry in entries:
        _check_entry(source, entry, size, table_end)
        key = (entry.cputype, entry.cpusubtype & CPU_SUBTYPE_MASK)
        if key in seen:
            problem = f"a second slice of the same architecture, {arch_name(*key)}"
            raise FormatError(source, entry.at, problem)
        seen.add(key)
    in_order = sorted(entries, key=lambda one: (one.offset, one.end))
    for one, other in pairwise(in_order):
        if other.offset < one.end:
            raise FormatError(source, other.at, f"{other} overlaps {one}")
    return entry_layout is FAT_ARCH_64, entries


def _check_entry(source: str, entry: _Entry, size: int, table_end: int) -> None:
    if entry.align > LARGEST_ALIGN:
        problem = f"an alignment of 2^{entry.align}, it must be 2^{LARGEST_ALIGN} at most"
    elif entry.offset % (1 << entry.align):
        problem = f"{entry} is not aligned on 2^{entry.align}"
    elif entry.offset < table_end:
        problem = f"{entry} overlaps the table, which ends at {table_end}"
    elif entry.end > size:
        problem = f"{entry} extends past the end of the file at {size}"
    else:
        return
    raise FormatError(source, entry.at, problem)
