"""The alignment (log2 of bytes) that lipo gives a slice that comes from a thin file.

A slice out of a universal file keeps its own; where slices then lie is told by `layout`.
"""

from __future__ import annotations

__all__ = ["archive_align", "thin_align"]

_PAGE_ALIGN = {
    0x00000007: 12,  # CPU_TYPE_I386
    0x01000007: 12,  # CPU_TYPE_X86_64
    0x00000012: 12,  # CPU_TYPE_POWERPC
    0x01000012: 12,  # CPU_TYPE_POWERPC64
    0x0000000C: 14,  # CPU_TYPE_ARM
    0x0100000C: 14,  # CPU_TYPE_ARM64
    0x0200000C: 14,  # CPU_TYPE_ARM64_32
}


def thin_align(cputype: int) -> int | None:
    """Return the alignment of an image's slice where the cputype alone decides it: a page of that processor."""
    return _PAGE_ALIGN.get(cputype)


def archive_align(*, is64: bool) -> int:
    """Return the alignment of a static library's slice, by one of its objects."""
    return 3 if is64 else 2
