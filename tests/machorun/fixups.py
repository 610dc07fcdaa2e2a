"""What dyld writes into an image before it runs: from opcodes (LC_DYLD_INFO) or chains (LC_DYLD_CHAINED_FIXUPS)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.machorun.reader import BadImageError, Image

SELF, MAIN_PROGRAM, FLAT, WEAK = 0, -1, -2, -3


@dataclass(frozen=True)
class Rebase:
    """A pointer into the image itself: at `address` stands `target`, both unslid; None: what is there already."""

    address: int
    target: int | None
    high: int = 0


@dataclass(frozen=True)
class Bind:
    """A pointer to a symbol, from the library `ordinal` (counted from 1, or one of the names above)."""

    address: int
    ordinal: int
    symbol: str
    addend: int
    optional: bool


def fixups(image: Image) -> Iterator[Rebase | Bind]:
    """Yield all fixups of the image, rebases before binds at the same address."""
    if "chains" in image.info:
        yield from _chains(image)
        return
    yield from _rebases(image)
    for part in ("bind", "lazy", "weak"):
        yield from _binds(image, part)


def uleb(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def sleb(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return a signed LEB128 number and the offset behind it."""
    start = at
    value, at = uleb(data, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if data[at - 1] & 0x40 else value), at


def _wrapped(address: int) -> int:
    return address & 0xFFFFFFFFFFFFFFFF


def _rebases(image: Image) -> Iterator[Rebase]:  # noqa: PLR0912 (one branch for each opcode)
    data, at, address, kind = image.info["rebase"], 0, 0, 0
    while at < len(data):
        opcode, small = data[at] & 0xF0, data[at] & 0x0F
        at += 1
        count = skip = 0
        if opcode == 0x00:
            return
        if opcode == 0x10:
            kind = small
        elif opcode == 0x20:
            offset, at = uleb(data, at)
            address = image.segments[small].address + offset
        elif opcode == 0x30:
            offset, at = uleb(data, at)
            address = _wrapped(address + offset)
        elif opcode == 0x40:
            address += 8 * small
        elif opcode == 0x50:
            count = small
        elif opcode == 0x60:
            count, at = uleb(data, at)
        elif opcode == 0x70:
            count = 1
            skip, at = uleb(data, at)
        elif opcode == 0x80:
            count, at = uleb(data, at)
            skip, at = uleb(data, at)
        else:
            raise BadImageError(f"rebase opcode {opcode:#x} is unknown")
        if count and kind != 1:
            raise BadImageError(f"rebase type {kind} is not a pointer's")
        for _ in range(count):
            yield Rebase(address, None)
            address = _wrapped(address + 8 + skip)


def _binds(image: Image, part: str) -> Iterator[Bind]:  # noqa: PLR0912 (as above)
    data, at = image.info[part], 0
    address, ordinal, symbol, flags, addend, kind = 0, WEAK if part == "weak" else 0, "", 0, 0, 1
    while at < len(data):
        opcode, small = data[at] & 0xF0, data[at] & 0x0F
        at += 1
        count = skip = 0
        if opcode == 0x00:
            if part != "lazy":  # there each symbol ends so
                return
        elif opcode == 0x10:
            ordinal = small
        elif opcode == 0x20:
            ordinal, at = uleb(data, at)
        elif opcode == 0x30:
            ordinal = small - 16 if small else 0
        elif opcode == 0x40:
            end = data.index(0, at)
            symbol, flags, at = data[at:end].decode(), small, end + 1
        elif opcode == 0x50:
            kind = small
        elif opcode == 0x60:
            addend, at = sleb(data, at)
        elif opcode == 0x70:
            offset, at = uleb(data, at)
            address = image.segments[small].address + offset
        elif opcode == 0x80:
            offset, at = uleb(data, at)
            address = _wrapped(address + offset)
        elif opcode == 0x90:
            count = 1
        elif opcode == 0xA0:
            count = 1
            skip, at = uleb(data, at)
        elif opcode == 0xB0:
            count, skip = 1, 8 * small
        elif opcode == 0xC0:
            count, at = uleb(data, at)
            skip, at = uleb(data, at)
        else:
            raise BadImageError(f"bind opcode {opcode:#x} is unknown")
        if count and kind != 1:
            raise BadImageError(f"bind type {kind} is not a pointer's")
        for _ in range(count):
            yield Bind(address, ordinal, symbol, addend, optional=bool(flags & 1))
            address = _wrapped(address + 8 + skip)


def _chains(image: Image) -> Iterator[Rebase | Bind]:
    data = image.info["chains"]
    version, starts, *imports = struct.unpack_from("<7I", data)
    if version:
        raise BadImageError(f"chained fixups of version {version} are unknown")
    symbols = _imports(data, imports)
    (segments,) = struct.unpack_from("<I", data, starts)
    for index in range(segments):
        (where,) = struct.unpack_from("<I", data, starts + 4 + 4 * index)
        if where:
            yield from _segment_chains(image, data, starts + where, symbols)


def _imports(data: bytes, header: list[int]) -> list[tuple[int, bool, str, int]]:
    """Return ordinal, whether it may be missing, name and addend of each imported symbol."""
    where, names, count, kind, compressed = header
    if compressed:
        raise BadImageError("the imported symbols' names are compressed")
    found = []
    for index in range(count):
        addend = 0
        if kind == 3:
            word, addend = struct.unpack_from("<Qq", data, where + 16 * index)
            ordinal, optional, name = word & 0xFFFF, word >> 16 & 1, word >> 32
            ordinal -= (ordinal > 0xFFF0) << 16
        elif kind in (1, 2):
            (word,) = struct.unpack_from("<I", data, where + 4 * kind * index)
            if kind == 2:
                (addend,) = struct.unpack_from("<i", data, where + 8 * index + 4)
            ordinal, optional, name = word & 0xFF, word >> 8 & 1, word >> 9
            ordinal -= (ordinal > 0xF0) << 8
        else:
            raise BadImageError(f"imports of format {kind} are unknown")
        end = data.index(0, names + name)
        found.append((ordinal, bool(optional), data[names + name : end].decode(), addend))
    return found


def _segment_chains(
    image: Image, data: bytes, at: int, symbols: list[tuple[int, bool, str, int]]
) -> Iterator[Rebase | Bind]:
    _, page, kind, offset, _, pages = struct.unpack_from("<IHHQIH", data, at)
    if kind not in (2, 6):
        raise BadImageError(f"chained pointers of format {kind} are unknown")
    (segment,) = (s for s in image.segments if s.address == image.base + offset)
    for index, start in enumerate(struct.unpack_from(f"<{pages}H", data, at + 22)):
        if start == 0xFFFF:
            continue
        if start & 0x8000:
            raise BadImageError("a page has several chains")
        place = index * page + start
        while True:
            (pointer,) = struct.unpack_from("<Q", segment.content, place)
            address = segment.address + place
            if pointer >> 63:
                ordinal, optional, name, addend = symbols[pointer & 0xFFFFFF]
                inline = pointer >> 24 & 0xFF
                yield Bind(address, ordinal, name, addend + inline, optional=optional)
            else:
                target = pointer & 0xFFFFFFFFF
                target += image.base if kind == 6 else 0
                yield Rebase(address, target, pointer >> 36 & 0xFF)
            step = pointer >> 51 & 0xFFF
            if not step:
                break
            place += 4 * step
