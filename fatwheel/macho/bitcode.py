"""LLVM bitcode files: the target triple that a module is for (LLVM Bitcode File Format).

lipo takes such files as slices, so their architecture must be known; it is a record near the start
of the module block.
"""

from __future__ import annotations

from collections.abc import Generator

from fatwheel.errors import FormatError
from fatwheel.macho.cpu import cpu_named
from fatwheel.macho.probe import Parser, Range
from fatwheel.values import valueclass

__all__ = ["Bitcode", "is_bitcode", "parse_bitcode"]

_MAGIC = b"BC\xc0\xde"
_WRAPPER_MAGIC = b"\xde\xc0\x17\x0b"
_WRAPPER_SIZE = 20

_END_BLOCK, _ENTER_SUBBLOCK, _UNABBREV_RECORD = 0, 1, 3  # abbreviation ids
_MODULE_BLOCK = 8
_MODULE_CODE_TRIPLE = 2

_FETCH = 4096
_LARGEST_SEARCH = 64 * 1024  # bytes of records to read, skipped blocks not counted

_MACHO_SYSTEMS = ("-apple", "-darwin", "-macosx", "-ios", "-macho")
_TRIPLE_NAMES = {
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
    "aarch64": "arm64",
    "aarch64_32": "arm64_32",
    "powerpc": "ppc",
    "powerpc64": "ppc64",
}


@valueclass
class Bitcode:
    """A bitcode file: the cputype and cpusubtype of its target triple, and its size in bytes."""

    cputype: int
    cpusubtype: int
    size: int
    natural_align: int = 0


def is_bitcode(head: bytes) -> bool:
    """Say whether these first bytes are those of a bitcode file or of its wrapper."""
    return head[:4] in (_MAGIC, _WRAPPER_MAGIC)


def parse_bitcode(source: str, size: int, *, base: int = 0, head: bytes = b"") -> Parser[Bitcode]:
    """Parse the bitcode file of `size` bytes at byte `base` of the source.

    `head` are bytes of its start that were read already. Raises `FormatError` where its module or
    the module's target triple cannot be found, or the triple is no target of Mach-O.
    """
    bits = _Bits(source, base, size, head)
    if (yield from bits.fixed(32)) == int.from_bytes(_WRAPPER_MAGIC, "little"):
        yield from bits.fixed(32)  # version
        bits.skip_to(base + (yield from bits.fixed(32)))
        yield from bits.fixed(32)
    triple = yield from _triple(bits)
    arch = triple.split("-")[0].replace("thumb", "arm", 1)
    cpu = cpu_named(_TRIPLE_NAMES.get(arch, arch))
    if cpu is None or not any(word in triple for word in _MACHO_SYSTEMS):
        raise FormatError(source, base, f"bitcode for {triple!r}, which is no target of Mach-O")
    return Bitcode(cputype=cpu.cputype, cpusubtype=cpu.cpusubtype, size=size)


def _triple(bits: _Bits) -> Parser[str]:
    """Find the module block, and in it the record of the target triple."""
    width, inside = 2, False
    while True:
        kind = yield from bits.fixed(width)
        if kind == _ENTER_SUBBLOCK:
            block = yield from bits.variable(8)
            inner = yield from bits.variable(4)
            bits.align()
            words = yield from bits.fixed(32)
            if block == _MODULE_BLOCK and not inside:
                width, inside = inner, True
            else:
                bits.skip_to(bits.position + words * 4)
        elif kind == _UNABBREV_RECORD and inside:
            code = yield from bits.variable(6)
            operands = yield from bits.operands()
            if code == _MODULE_CODE_TRIPLE:
                return operands.decode(errors="backslashreplace")
        else:
            raise bits.refuse(f"abbreviation {kind} comes before the module's target triple")


class _Bits:
    """A forward reader of little-endian bit fields over a range of the source."""

    def __init__(self, source: str, base: int, size: int, head: bytes) -> None:
        self._source = source
        self._next = base + len(head)  # byte to ask for next
        self._end = base + size
        self._value = int.from_bytes(head, "little")
        self._count = len(head) * 8  # bits in _value
        self._budget = _LARGEST_SEARCH

    @property
    def position(self) -> int:
        """The byte of the source that holds the next bit."""
        return self._next - self._count // 8

    def refuse(self, problem: str) -> FormatError:
        return FormatError(self._source, self.position, problem)

    def fixed(self, width: int) -> Generator[Range, bytes, int]:
        """Read `width` bits."""
        if not 0 < width <= 32:
            raise self.refuse(f"a bit field of {width} bits")
        while self._count < width:
            size = min(_FETCH, self._end - self._next, self._budget)
            data = (yield Range(self._next, size)) if size > 0 else b""
            if not data:
                raise self.refuse("the bitcode has no target triple where one is expected")
            self._value |= int.from_bytes(data, "little") << self._count
            self._count += len(data) * 8
            self._next += len(data)
            self._budget -= len(data)
        result = self._value & (1 << width) - 1
        self._value >>= width
        self._count -= width
        return result

    def variable(self, width: int) -> Generator[Range, bytes, int]:
        """Read a number in groups of `width` bits (VBR)."""
        high = 1 << width - 1
        result = shift = 0
        while True:
            group = yield from self.fixed(width)
            result |= (group & high - 1) << shift
            shift += width - 1
            if not group & high:
                return result
            if shift > 64:
                raise self.refuse("a number of more than 64 bits")

    def operands(self) -> Generator[Range, bytes, bytes]:
        """Read an unabbreviated record's operands, of each the low byte."""
        values = bytearray()
        for _ in range((yield from self.variable(6))):
            value = yield from self.variable(6)
            values.append(value & 0xFF)
        return bytes(values)

    def align(self) -> None:
        """Go on at the next multiple of 32 bits."""
        # Blocks and fetches start at multiples of 32 bits, so the bits left tell where this is.
        drop = self._count % 32
        self._value >>= drop
        self._count -= drop

    def skip_to(self, position: int) -> None:
        """Go on at byte `position` of the source, which may not lie behind."""
        ahead = (position - self.position) * 8
        if ahead < 0:
            raise self.refuse(f"the bitcode continues at {position}, which was read already")
        if ahead <= self._count:
            self._value >>= ahead
            self._count -= ahead
        else:
            self._next, self._value, self._count = position, 0, 0
