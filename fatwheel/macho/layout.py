"""Where the slices of a universal file go, and its table (mach-o/fat.h)."""

from __future__ import annotations

from collections.abc import Sequence

from fatwheel.errors import FormatError
from fatwheel.macho.cpu import CPU_SUBTYPE_MASK, arch_name
from fatwheel.macho.wire import FAT_ARCH, FAT_ARCH_64, FAT_HEADER
from fatwheel.values import valueclass

__all__ = [
    "FAT_MAGIC",
    "FAT_MAGIC_64",
    "LARGEST_ALIGN",
    "LARGEST_COUNT",
    "Layout",
    "Placed",
    "SliceSource",
    "layout",
]

FAT_MAGIC = 0xCAFEBABE
"""`magic` of a universal file with 32-bit offsets; a Java class starts with the same bytes."""

FAT_MAGIC_64 = 0xCAFEBABF
"""`magic` of a universal file with 64-bit offsets."""

LARGEST_COUNT = 42
"""The most slices that a universal file may have: a Java class has 43 or more at that place."""

LARGEST_ALIGN = 15
"""The largest alignment of a slice, log2 (MAXSECTALIGN of lipo)."""

_CPU_TYPE_ARM64 = 0x0100000C
_BIG = ">"


@valueclass
class SliceSource:
    """A slice to be: raw cpusubtype, `size` in bytes, `align` as log2."""

    cputype: int
    cpusubtype: int
    size: int
    align: int


@valueclass
class Placed:
    """Where a slice goes: `index` counts the sources as they were given, `offset` is in bytes."""

    index: int
    offset: int
    source: SliceSource


@valueclass
class Layout:
    """A universal file to be: `header` is all of its bytes up to the end of the table.

    The slices follow in file order, with zeros up to each offset; `size` is the whole file's, in
    bytes.
    """

    header: bytes
    placed: tuple[Placed, ...]
    size: int
    fat64: bool


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
                f"slices {other + 1} and {index + 1} have the same architecture, {arch_name(*key)}"
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
