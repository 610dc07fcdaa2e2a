"""Mach-O as dyld reads it: segments, sections, libraries and where the linker's information lies.

Shares no code with fatwheel, so that a mistake there is not repeated here. Only what is loaded is read: 64-bit,
little-endian images for x86_64 and arm64.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

CPU_TYPES = {"x86_64": 0x01000007, "arm64": 0x0100000C}
MAGIC, FAT_MAGIC, FAT_MAGIC_64 = b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"
DYLIB, BUNDLE = 6, 8
READ_ONLY_AFTER_FIXUPS = 0x10


class BadImageError(Exception):
    """The file is not what dyld would load."""


@dataclass(frozen=True)
class Section:
    """A section: `address` is unslid, `align` a power of two in bytes."""

    name: str
    address: int
    size: int
    align: int
    kind: int


@dataclass(frozen=True)
class Segment:
    """A segment: `address` is unslid, `content` what the file has of it, `protection` as for mprotect."""

    name: str
    address: int
    size: int
    content: bytes
    protection: int
    read_only: bool
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Library:
    """A library that the image loads; `weak` where it may be missing."""

    name: str
    weak: bool


@dataclass
class Image:
    """One slice. `info` holds the bytes of each part of `__LINKEDIT` that dyld reads, by name."""

    arch: str
    segments: list[Segment] = field(default_factory=list)
    libraries: list[Library] = field(default_factory=list)
    info: dict[str, bytes] = field(default_factory=dict)

    @property
    def base(self) -> int:
        """The unslid address of the header."""
        return min(segment.address for segment in self.segments if segment.content)

    @property
    def end(self) -> int:
        """The unslid address behind the last segment."""
        return max(segment.address + segment.size for segment in self.segments)

    def sections(self, *kinds: int) -> list[Section]:
        """The sections of these types, by address."""
        found = [s for segment in self.segments for s in segment.sections if s.kind in kinds]
        return sorted(found, key=lambda section: section.address)

    def section(self, name: str) -> Section | None:
        """The section of this name, where there is one."""
        named = [s for segment in self.segments for s in segment.sections if s.name == name]
        return named[0] if named else None


def thin(data: bytes, arch: str) -> bytes:
    """Return the slice for `arch` of a universal file, or the thin file itself."""
    if data[:4] in (FAT_MAGIC, FAT_MAGIC_64):
        layout, size = (">2I2Q", 32) if data[:4] == FAT_MAGIC_64 else (">2I2I", 20)
        (count,) = struct.unpack_from(">I", data, 4)
        for index in range(count):
            cpu, _, offset, length = struct.unpack_from(layout, data, 8 + index * size)
            if cpu == CPU_TYPES[arch]:
                return data[offset : offset + length]
        raise BadImageError(f"it has no slice for {arch}")
    return data


def read(data: bytes, arch: str) -> Image:
    """Read the slice for `arch`; raise `BadImageError` where dyld would not load it."""
    data = thin(data, arch)
    magic, cpu, _, kind, count = struct.unpack_from("<4s4I", data)
    if magic != MAGIC or cpu != CPU_TYPES[arch]:
        raise BadImageError(f"it is no 64-bit Mach-O file for {arch}")
    if kind not in (DYLIB, BUNDLE):
        raise BadImageError(f"its file type is {kind}, and neither a library's nor a bundle's")
    image = Image(arch)
    at = 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, at)
        body = data[at : at + size]
        if command == 0x19:
            image.segments.append(_segment(body, data))
        elif command & ~0x80000000 in (0xC, 0x18, 0x1F, 0x20, 0x23):
            image.libraries.append(_library(body, command))
        elif command & ~0x80000000 == 0x22:
            _dyld_info(body, data, image)
        elif command & ~0x80000000 in (0x33, 0x34):
            offset, length = struct.unpack_from("<2I", body, 8)
            name = "exports" if command & 0xFF == 0x33 else "chains"
            image.info[name] = data[offset : offset + length]
        elif command == 0x2C and struct.unpack_from("<I", body, 16)[0]:
            raise BadImageError("it is encrypted")
        at += size
    if not image.info:
        raise BadImageError("it has neither LC_DYLD_INFO_ONLY nor LC_DYLD_CHAINED_FIXUPS")
    return image


def _name(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode()


def _segment(body: bytes, data: bytes) -> Segment:
    name, address, size, offset, length, _, protection, count, flags = struct.unpack_from(
        "<16s4Q4I", body, 8
    )
    if length > size or offset + length > len(data):
        raise BadImageError(
            f"segment {_name(name)} is longer in the file than in memory, or cut off"
        )
    sections = []
    for index in range(count):
        title, _, where, extent, _, align, _, _, kind = struct.unpack_from(
            "<16s16s2Q5I", body, 72 + index * 80
        )
        sections.append(Section(_name(title), where, extent, 1 << align, kind & 0xFF))
    return Segment(
        name=_name(name),
        address=address,
        size=size,
        content=data[offset : offset + length],
        protection=protection & 7,
        read_only=bool(flags & READ_ONLY_AFTER_FIXUPS),
        sections=tuple(sections),
    )


def _library(body: bytes, command: int) -> Library:
    (offset,) = struct.unpack_from("<I", body, 8)
    return Library(_name(body[offset:]), weak=command & 0xFF == 0x18)


def _dyld_info(body: bytes, data: bytes, image: Image) -> None:
    parts = struct.unpack_from("<10I", body, 8)
    for index, name in enumerate(("rebase", "bind", "weak", "lazy", "exports")):
        offset, length = parts[2 * index : 2 * index + 2]
        image.info[name] = data[offset : offset + length]
