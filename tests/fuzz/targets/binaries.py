"""Mach-O files, universal files, static libraries, bitcode: what `fatwheel/macho` reads."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from typing import TypeVar

from fatwheel.lipo.info import format_archs, format_detailed_info, format_info
from fatwheel.macho.bitcode import Bitcode
from fatwheel.macho.image import Image, MalformedSignature
from fatwheel.macho.pagehashes import PageHash
from fatwheel.macho.probe import Parser
from fatwheel.macho.staticlib import StaticLibrary, parse_static_library
from fatwheel.macho.universal import (
    Content,
    SliceSource,
    Universal,
    layout,
    looks_like,
    parse,
    whole,
)
from tests.fuzz.target import SEPARATOR, Target, check, joined
from tests.support import macho
from tests.support.signing import REQUIREMENTS, Directory, blob, signature
from tests.support.wheels import A, X, code, dylib, program, static, universal

__all__ = ["BITCODE", "TARGETS"]

T = TypeVar("T")

_CODE = bytes(at % 251 for at in range(4100))  # that is signed
_HASHES = [PageHash("sha256", 4096), PageHash("sha1", 4096), PageHash("sha384", 0)]
_CHUNK = 61  # bytes that a probe is fed at once; no power of two, so that pieces end anywhere


def _bitcode_of(triple: bytes) -> bytes:
    """A bitcode file with nothing but the record of its target triple in its module (LLVM Bitcode File Format)."""
    bits: list[tuple[int, int]] = [(1, 2), (8, 8), (3, 4), (0, 18), (99, 32)]
    bits.append((3, 3))  # an unabbreviated record in the module block
    for value in (2, len(triple), *triple):
        if value >= 32:
            bits += [(value & 31 | 32, 6), (value >> 5, 6)]
        else:
            bits.append((value, 6))
    value = at = 0
    for field, width in bits:
        value |= field << at
        at += width
    return b"BC\xc0\xde" + value.to_bytes(-(-at // 32) * 4, "little")


BITCODE = _bitcode_of(b"arm64-apple-macosx11.0.0")


def _files() -> Iterator[bytes]:
    x, a = code(X), code(A)
    yield from (x, a, dylib(X, loads=["@rpath/a.dylib"], rpaths=["@loader_path"]), program(A))
    yield from (
        universal(x, a, align=5),
        universal(x, align=4),
        universal(static(X), static(A), align=3),
    )
    yield macho.raw_fat([(*macho.X86_64, 96, 32, 4)], magic=0xCAFEBABF) + bytes(56) + x[:32]
    for order, is64 in (("<", True), (">", False), ("<", False)):
        strings = b"\0_main\0_other\0"
        symbols = macho.nlist(1, is64=is64, order=order) + macho.nlist(7, is64=is64, order=order)
        yield macho.program(symbols, strings, is64=is64, order=order).data
    yield macho.program(macho.nlist(1), b"\0_a\0" + bytes(40), signature=b"signed").data
    sections = [macho.section(300, 8, nreloc=2, align=2)]
    yield macho.image(commands=[macho.segment(b"__D", 184, 9, sections=sections)], body=bytes(200))
    yield from (
        static(X),
        BITCODE,
        b"\xde\xc0\x17\x0b" + struct.pack("<4I", 0, 20, 99, 7) + BITCODE,
    )


def _parse(size: int, payload: bool, bitcode: bool) -> Parser[Universal | Content | None]:
    return parse("file", size, payload=payload, bitcode=bitcode)


def _outcome(make: Callable[[], Parser[T]], data: bytes) -> T | str:
    """Return what a parser says of the data: the same, whether it may read anywhere or not."""
    found = macho.outcome(make, data)
    streamed = macho.outcome(make, data, _CHUNK)
    check(found == streamed, f"read at will: {found}; read as a stream: {streamed}")
    return found


def _file(data: bytes) -> None:
    """A file is read alike in any order, and what was read lies inside it."""
    for payload, bitcode in ((True, False), (False, True)):
        found = _outcome(functools.partial(_parse, len(data), payload, bitcode), data)
        if isinstance(found, Universal | Image | StaticLibrary | Bitcode):
            check(looks_like(data[:32]) or isinstance(found, Bitcode), "was not taken for code")
            _inside(found, len(data))
            _told(found)


def _inside(found: Universal | Image | StaticLibrary | Bitcode, size: int) -> None:
    slices = found.slices if isinstance(found, Universal) else (whole(found),)
    end = 0
    for one in sorted(slices, key=lambda one: one.offset):
        check(one.offset >= end, f"the slice at {one.offset} begins before {end}")
        end = one.offset + one.size
    check(end <= size, f"a slice ends at {end}, the file at {size}")
    # What was read can be laid out again, each slice once and none over another.
    sources = {
        (one.cputype, one.cpusubtype & 0xFFFFFF): SliceSource(
            cputype=one.cputype, cpusubtype=one.cpusubtype, size=one.size, align=one.align
        )
        for one in slices
    }
    plan = layout(list(sources.values()))
    at = len(plan.header)
    for placed in plan.placed:
        check(placed.offset >= at, "slices are laid out over each other")
        at = placed.offset + list(sources.values())[placed.index].size


def _told(found: Universal | Image | StaticLibrary | Bitcode) -> None:
    for tell in (format_archs, format_info, format_detailed_info):
        check(bool(tell([("file", found)])), "nothing is told of it")


def _commands(data: bytes) -> None:
    """The load commands between separators, behind a header that counts them right."""
    commands = data.split(SEPARATOR)
    for cpu in (macho.X86_64, macho.ARM64):
        _file(macho.image(cpu, commands, bytes(64), filetype=8))


def _command_seeds() -> Iterator[bytes]:
    yield joined(
        macho.segment(b"__TEXT", 200, 60, sections=[macho.section(200, 20)]),
        macho.text_command(0x0C, b"@rpath/libz.dylib"),
        macho.text_command(0x8000001C, b"@loader_path/.."),
        macho.text_command(0x0D, b"@rpath/this.dylib"),
    )
    yield joined(
        macho.command(0x32, struct.pack("<6I", 1, 11 << 16, 0, 1, 3, 9)),
        macho.command(2, struct.pack("<4I", 100, 1, 116, 8)),
        macho.command(0x0B, struct.pack("<18I", *range(18))),
        macho.command(0x1D, struct.pack("<2I", 200, 16)),
    )
    yield joined(
        macho.command(0x24, struct.pack("<2I", 10 << 16, 0)),
        macho.command(0x80000022, struct.pack("<10I", *range(10))),
        macho.command(0x2C, struct.pack("<4I", 0, 16, 1, 0)),
        macho.command(0x1B, bytes(16)),
        macho.segment(b"__LINKEDIT", 210, 40),
    )


def _library(data: bytes) -> None:
    """The members between separators, in an archive with right sizes; and the same as it stands."""
    members = [
        macho.member(f"m{number}.o", body, bsd=number % 2 == 0)
        for number, body in enumerate(data.split(SEPARATOR))
    ]
    for text in (macho.archive(*members), b"!<arch>\n" + data):
        for bitcode in (False, True):
            parser = functools.partial(parse_static_library, "lib.a", len(text), bitcode=bitcode)
            _outcome(parser, text)
        _file(text)


def _library_seeds() -> Iterator[bytes]:
    x = macho.image(macho.X86_64, (), b"object", filetype=1)
    yield joined(x, x)
    yield joined(x, BITCODE)
    yield joined(BITCODE, BITCODE)
    yield macho.member("a.o", x) + macho.member("a_long_name_of_an_object.o", x, bsd=False)
    yield macho.member("/", b"", bsd=False) + macho.member("//", b"long.o/\n", bsd=False)


def _bitcode(data: bytes) -> None:
    _file(b"BC\xc0\xde" + data)


def _signature(data: bytes) -> None:
    """A signature behind sound code, read alike in any order."""
    limit = 32 + 16 + len(_CODE)
    command = macho.command(0x1D, struct.pack("<2I", limit, len(data)))
    image = macho.image(macho.ARM64, [command], _CODE, filetype=8) + data
    parser = functools.partial(parse, "file", len(image), pages=lambda _: _HASHES)
    found = _outcome(parser, image)
    if not isinstance(found, Image) or found.signature is None:
        raise AssertionError(f"sound code was read as {found}")
    if isinstance(found.signature, MalformedSignature):
        check(limit <= found.signature.offset <= len(image), "it blames a byte elsewhere")
        return
    for directory in found.signature.directories:
        sure = directory.verified and directory.wrong_pages is None
        check(directory.code_limit == limit or not sure, "hashes of other code hold")


def _signatures() -> Iterator[bytes]:
    code = macho.image(macho.X86_64, [macho.command(0x1D, bytes(8))], _CODE, filetype=8)
    blobs = {2: REQUIREMENTS, 5: blob(0xFADE7171, b"<plist/>"), 0x10000: blob(0xFADE0B01)}
    yield signature(code)
    yield signature(code, Directory(kind=1), Directory(team=b"TEAM"), blobs=blobs)
    yield signature(code, Directory(kind=4, page_bits=0, special={1: bytes(range(48))}))
    yield signature(code, Directory(kind=3, limit=1 << 40, page_bits=0))
    yield Directory(page_bits=14).written(code)


TARGETS = (
    Target(name="macho", run=_file, seeds=_files, runs=3000, longest=8192, share=3),
    Target(name="load-commands", run=_commands, seeds=_command_seeds, runs=2000, share=2),
    Target(name="static-library", run=_library, seeds=_library_seeds, runs=1400, share=2),
    Target(name="signature", run=_signature, seeds=_signatures, runs=3000, share=2),
    Target(name="bitcode", run=_bitcode, seeds=lambda: [BITCODE[4:]], runs=4000),
)
