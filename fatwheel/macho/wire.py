"""macholib's structures, decoded fast.

`macholib.mach_o` says how the structures of mach-o/loader.h and mach-o/fat.h look. Its own decoder
makes an object of every field, 7 to 10 µs a structure; a `Layout` decodes the same fields into one
named tuple in a twentieth of that, which matters for wheels with hundreds of images. This is the
only module that touches macholib, which has no types of its own.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from macholib import mach_o

__all__ = [
    "BUILD_VERSION",
    "DYLD_INFO",
    "DYLIB",
    "DYSYMTAB",
    "ENCRYPTION_INFO",
    "FAT_ARCH",
    "FAT_ARCH_64",
    "FAT_HEADER",
    "LINKEDIT_DATA",
    "LOAD_COMMAND",
    "MACH_HEADER",
    "MACH_HEADER_64",
    "NLIST",
    "NLIST_64",
    "NOTE",
    "RPATH",
    "SECTION",
    "SECTION_64",
    "SEGMENT",
    "SEGMENT_64",
    "SYMTAB",
    "TWOLEVEL_HINTS",
    "VERSION_MIN",
    "Layout",
]


class Layout:
    """One structure of macholib. `size` is in bytes; a byte order is struct's: `<` or `>`.

    Integers are unsigned as they stand in the file, also where macholib declares `integer_t`.
    A load command's structure starts after its `cmd` and `cmdsize`.
    """

    def __init__(self, structure: Any) -> None:
        """Take over the fields of a `Structure` of macholib."""
        self.size: int = structure._size_
        self._structure = structure
        fields = structure._format_.replace("i", "I")
        self._decoders = {order: struct.Struct(order + fields) for order in "<>"}

    @functools.cached_property
    def _make(self) -> Any:
        """What makes the named tuple of its values; most files need six of the twenty types.

        `namedtuple` would compile a constructor by names, which nothing here calls, ten times as slowly.
        """
        fields = {name: property(itemgetter(i)) for i, name in enumerate(self._structure._names_)}
        return type(self._structure.__name__, (tuple,), {"__slots__": (), **fields})

    def unpack(self, order: str, data: bytes, offset: int = 0) -> Any:
        """Decode the structure at byte `offset` of `data`, as a named tuple with the C names."""
        return self._make(self._decoders[order].unpack_from(data, offset))

    def unpack_all(self, order: str, data: bytes, offset: int, count: int) -> Iterator[Any]:
        """Decode `count` structures that follow each other."""
        # A copy: a view that an exception's traceback keeps alive makes CPython's garbage collector crash.
        area = data[offset : offset + count * self.size]
        return map(self._make, self._decoders[order].iter_unpack(area))

    def pack(self, order: str, *values: int) -> bytes:
        """Encode the structure; the values come in the fields' order."""
        return self._decoders[order].pack(*values)


MACH_HEADER = Layout(mach_o.mach_header)
MACH_HEADER_64 = Layout(mach_o.mach_header_64)
LOAD_COMMAND = Layout(mach_o.load_command)
SEGMENT = Layout(mach_o.segment_command)
SEGMENT_64 = Layout(mach_o.segment_command_64)
SECTION = Layout(mach_o.section)
SECTION_64 = Layout(mach_o.section_64)
SYMTAB = Layout(mach_o.symtab_command)
DYSYMTAB = Layout(mach_o.dysymtab_command)
TWOLEVEL_HINTS = Layout(mach_o.twolevel_hints_command)
DYLIB = Layout(mach_o.dylib_command)
RPATH = Layout(mach_o.rpath_command)
LINKEDIT_DATA = Layout(mach_o.linkedit_data_command)
DYLD_INFO = Layout(mach_o.dyld_info_command)
ENCRYPTION_INFO = Layout(mach_o.encryption_info_command)  # the 64-bit one adds nothing but padding
NOTE = Layout(mach_o.note_command)
BUILD_VERSION = Layout(mach_o.build_version_command)
VERSION_MIN = Layout(mach_o.version_min_command)
NLIST = Layout(mach_o.nlist)
NLIST_64 = Layout(mach_o.nlist_64)
FAT_HEADER = Layout(mach_o.fat_header)
FAT_ARCH = Layout(mach_o.fat_arch)
FAT_ARCH_64 = Layout(mach_o.fat_arch64)
