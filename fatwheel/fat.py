"""Universal files: several slices, one for each architecture, behind one table (mach-o/fat.h).

One reader and one writer of the container, for lipo and for fusing wheels. `layout` places slices
exactly as llvm-lipo does; nothing here touches a slice's own bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fatwheel.arch import Arch
from fatwheel.bitcode import Bitcode, is_bitcode, parse_bitcode
from fatwheel.errors import FormatError
from fatwheel.macho import (
    CPU_SUBTYPE_MASK,
    LARGEST_ALIGN,
    MAGICS,
    Image,
    parse_image,
    plain_arch,
    thin_align,
)
from fatwheel.probe import Parser, Range
from fatwheel.staticlib import AR_MAGIC, ForeignArchiveError, StaticLibrary, parse_static_library
from fatwheel.wire import FAT_ARCH, FAT_ARCH_64, FAT_HEADER, MACH_HEADER_64

__all__ = [
    "FAT_MAGIC",
    "FAT_MAGIC_64",
    "LARGEST_COUNT",
    "Content",
    "Layout",
    "Placed",
    "Slice",
    "SliceSource",
    "Universal",
    "layout",
    "looks_like",
    "natural_align",
    "parse",
    "thin_head",
]

FAT_MAGIC = 0xCAFEBABE
"""`magic` of a universal file with 32-bit offsets; a Java class starts with the same bytes."""

FAT_MAGIC_64 = 0xCAFEBABF
"""`magic` of a universal file with 64-bit offsets."""

LARGEST_COUNT = 42
"""The most slices that a universal file may have: a Java class has 43 or more at that place."""

_CPU_TYPE_ARM64 = 0x0100000C
_BIG = ">"

Content = Image | StaticLibrary | Bitcode
"""What one slice, or a thin file, holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Universal:
    """A universal file: its slices in the table's order, and whether offsets have 64 bits."""

    fat64: bool
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSource:
    """A slice to be: raw cpusubtype, `size` in bytes, `align` as log2."""

    cputype: int
    cpusubtype: int
    size: int
    align: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where a slice goes: `index` counts the sources as they were given, `offset` is in bytes."""

    index: int
    offset: int
    source: SliceSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A universal file to be: `header` is all of its bytes up to the end of the table.

    The slices follow in file order, with zeros up to each offset; `size` is the whole file's, in
    bytes.
    """

    header: bytes
    placed: tuple[Placed, ...]
    size: int
    fat64: bool


def looks_like(head: bytes) -> bool:
    """Say whether a file with these first bytes (eight or more) could be one that `parse` knows."""
    return (
        head[:4] in MAGICS
        or head[:8] == AR_MAGIC
        or (len(head) >= FAT_HEADER.size and _is_universal(head))
    )


def natural_align(content: Content) -> int:
    """Return the alignment (log2) that lipo gives a slice that comes from a thin file."""
    return content.natural_align


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


def parse(
    source: str, size: int, *, payload: bool = True, bitcode: bool = False
) -> Parser[Universal | Image | StaticLibrary | Bitcode | None]:
    """Parse a file of `size` bytes, or return None where it is no Mach-O, universal file or static
    library.

    An archive without Mach-O members is none either. `payload` says whether to look for a payload
    in images, `bitcode` whether LLVM bitcode counts. Slices are read in the order of their offsets.
    Raises `FormatError` for a file that starts as one of them and is damaged.
    """
    head = yield Range(0, min(size, FAT_HEADER.size))
    if len(head) >= FAT_HEADER.size and _is_universal(head):
        return (yield from _universal(source, size, head, payload, bitcode))
    try:
        return (
            yield from _content(source, size, base=0, head=head, payload=payload, bitcode=bitcode)
        )
    except ForeignArchiveError:
        return None


def layout(sources: Sequence[SliceSource], *, fat64: bool = False) -> Layout:
    """Place slices as `lipo -create` does; the table has 64-bit offsets with `fat64`, or where it
    must.

    Raises `FormatError` (with an empty source) where two slices are of the same architecture, and
    `ValueError` for no slice, more than `LARGEST_COUNT`, or an alignment above 15.
    """
    if not 1 <= len(sources) <= LARGEST_COUNT:
        raise ValueError(f"a universal file has 1 to {LARGEST_COUNT} slices, not {len(sources)}")
    if any(not 0 <= one.align <= LARGEST_ALIGN for one in sources):
        raise ValueError(f"an alignment is 0 to {LARGEST_ALIGN}")
    seen: dict[tuple[int, int], int] = {}
    for index, one in enumerate(sources):
        key = (one.cputype, one.cpusubtype & CPU_SUBTYPE_MASK)
        if (other := seen.setdefault(key, index)) != index:
            problem = (
                f"slices {other + 1} and {index + 1} have the same architecture"
                f" (cputype {key[0]:#x}, cpusubtype {key[1]})"
            )
            raise FormatError("universal file", None, problem)
    order = _stable_sort(list(range(len(sources))), sources)
    placed, size = _place(order, sources, FAT_ARCH_64.size if fat64 else FAT_ARCH.size)
    if not fat64 and any(max(one.offset, one.source.size) > 0xFFFFFFFF for one in placed):
        fat64 = True
        placed, size = _place(order, sources, FAT_ARCH_64.size)
    return Layout(header=_header(placed, fat64), placed=placed, size=size, fat64=fat64)


def _place(
    order: list[int], sources: Sequence[SliceSource], entry: int
) -> tuple[tuple[Placed, ...], int]:
    offset = FAT_HEADER.size + entry * len(order)
    placed = []
    for index in order:
        source = sources[index]
        unit = 1 << source.align
        offset = (offset + unit - 1) // unit * unit
        placed.append(Placed(index=index, offset=offset, source=source))
        offset += source.size
    return tuple(placed), offset


def _header(placed: tuple[Placed, ...], fat64: bool) -> bytes:
    magic, entry, reserved = (
        (FAT_MAGIC_64, FAT_ARCH_64, (0,)) if fat64 else (FAT_MAGIC, FAT_ARCH, ())
    )
    table = [
        entry.pack(
            _BIG,
            one.source.cputype,
            one.source.cpusubtype,
            one.offset,
            one.source.size,
            one.source.align,
            *reserved,
        )
        for one in placed
    ]
    return FAT_HEADER.pack(_BIG, magic, len(placed)) + b"".join(table)


def _comes_before(one: SliceSource, other: SliceSource) -> bool:
    """lipo's order: one cputype by cpusubtype, arm64 last, else the smaller alignment first."""
    if one.cputype == other.cputype:
        return one.cpusubtype < other.cpusubtype
    if one.cputype == _CPU_TYPE_ARM64:
        return False
    if other.cputype == _CPU_TYPE_ARM64:
        return True
    return one.align < other.align


def _stable_sort(indexes: list[int], sources: Sequence[SliceSource]) -> list[int]:
    """Sort as libstdc++'s `std::stable_sort` does.

    `_comes_before` is no order in the mathematical sense for some mixes (i486, x86_64, i386: the
    first two are equal, the last two too, yet the third comes before the first), so for these the
    algorithm is part of llvm-lipo's result: both halves by insertion, then merged.
    """

    def before(left: int, right: int) -> bool:
        return _comes_before(sources[left], sources[right])

    middle = (len(indexes) + 1) // 2
    left, right = ([], [])  # type: tuple[list[int], list[int]]
    for half, part in ((left, indexes[:middle]), (right, indexes[middle:])):
        for index in part:
            at = len(half)
            if half and before(index, half[0]):
                at = 0
            while at and before(index, half[at - 1]):
                at -= 1
            half.insert(at, index)
    merged: list[int] = []
    if len(left) > len(right):
        while left and right:
            merged.append((left if before(right[-1], left[-1]) else right).pop())
        return left + right + merged[::-1]
    while left and right:
        merged.append((right if before(right[0], left[0]) else left).pop(0))
    return merged + left + right


def _is_universal(head: bytes) -> bool:
    header = FAT_HEADER.unpack(_BIG, head)
    magic: int = header.magic
    count: int = header.nfat_arch
    return magic == FAT_MAGIC_64 or (magic == FAT_MAGIC and count <= LARGEST_COUNT)


def _content(
    source: str, size: int, *, base: int, head: bytes, payload: bool, bitcode: bool
) -> Parser[Image | StaticLibrary | Bitcode | None]:
    """Parse what is not a universal file; `head` are its first eight bytes."""
    if head[:4] in MAGICS:
        return (yield from parse_image(source, size, base=base, head=head, payload=payload))
    if head[:8] == AR_MAGIC:
        library = parse_static_library(source, size, base=base, head=head, bitcode=bitcode)
        return (yield from library)
    if bitcode and is_bitcode(head):
        return (yield from parse_bitcode(source, size, base=base, head=head))
    return None


@dataclass(frozen=True, slots=True)
class _Entry:
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
        return f"the slice at {self.offset} to {self.end} (cputype {self.cputype:#x})"


def _universal(
    source: str, size: int, head: bytes, payload: bool, bitcode: bool
) -> Parser[Universal]:
    fat64, entries = yield from _table(source, size, head)
    found: dict[int, Content] = {}
    for entry in sorted(entries, key=lambda one: one.offset):
        start = yield Range(entry.offset, min(entry.size, 8))
        content = yield from _content(
            source, entry.size, base=entry.offset, head=start, payload=payload, bitcode=bitcode
        )
        if content is None:
            problem = f"{entry} is no Mach-O image and no static library"
            raise FormatError(source, entry.offset, problem)
        if content.cputype != entry.cputype:
            problem = f"the table's cputype {entry.cputype:#x}, the slice's {content.cputype:#x}"
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
    return Universal(fat64=fat64, slices=slices)


def _table(source: str, size: int, head: bytes) -> Parser[tuple[bool, list[_Entry]]]:
    """Read the table and check each entry alone, and all against each other."""
    magic, count = FAT_HEADER.unpack(_BIG, head)
    entry_layout = FAT_ARCH_64 if magic == FAT_MAGIC_64 else FAT_ARCH
    if not 1 <= count <= LARGEST_COUNT:
        raise FormatError(source, 4, f"nfat_arch is {count}, it must be 1 to {LARGEST_COUNT}")
    table_end = FAT_HEADER.size + count * entry_layout.size
    if table_end > size:
        problem = f"the table of {count} slices ends at {table_end}, the file at {size}"
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
            problem = f"two slices of cputype {key[0]:#x}, cpusubtype {key[1]}"
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
