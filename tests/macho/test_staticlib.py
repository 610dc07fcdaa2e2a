from __future__ import annotations

import random
import struct
from collections.abc import Callable
from functools import partial

import pytest

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.probe import Parser
from fatwheel.macho.staticlib import ForeignArchiveError, StaticLibrary, parse_static_library
from tests.support import macho as build
from tests.support.bitcode import module
from tests.support.macho import ARM64, ARM64E, I386, X86_64, archive, member, parsed


def parser_of(data: bytes, bitcode: bool = False) -> Callable[[], Parser[StaticLibrary]]:
    return partial(parse_static_library, "lib.a", len(data), bitcode=bitcode)


def obj(cpu: tuple[int, int] = ARM64, extra: bytes = b"") -> bytes:
    return build.image(cpu, [build.segment(b"", 104, 0)], extra, filetype=1)


SYMDEF = member("__.SYMDEF", bytes(8))
LONG = "a_name_of_more_than_sixteen_bytes.o"


@pytest.mark.parametrize(
    ("data", "members"),
    [
        pytest.param(archive(member("a.o", obj())), 1, id="one"),
        pytest.param(archive(member("a.o", obj(extra=b"x")), member("b.o", obj())), 2, id="odd"),
        pytest.param(archive(SYMDEF, member(LONG, obj())), 1, id="bsd"),
        pytest.param(archive(member("__.SYMDEF SORTED", b"x"), member("a", obj())), 1, id="sorted"),
        pytest.param(archive(member("a.o", obj(), bsd=False)), 1, id="system-v"),
        pytest.param(
            archive(
                member("", bytes(4), bsd=False),
                member("/", LONG.encode() + b"/\n", bsd=False),
                member("/0", obj(), bsd=False),
            ),
            1,
            id="system-v-long-names",
        ),
        pytest.param(archive(*[member(f"{n}.o", obj()) for n in range(300)]), 300, id="many"),
    ],
)
def test_what_members_agree_on(data: bytes, members: int) -> None:
    found = parsed(parser_of(data), data)
    assert found == StaticLibrary(
        cputype=ARM64[0],
        cpusubtype=0,
        is64=True,
        size=len(data),
        members=members,
        natural_align=3,
    )
    assert found.arch is Arch.ARM64
    assert parsed(parser_of(data), data, 13) == found


def built_for(*platforms: int | None) -> StaticLibrary:
    """A library of objects for these platforms; None is one that names no platform."""
    objects = [
        build.image(
            ARM64,
            []
            if platform is None
            else [build.command(0x32, struct.pack("<4I", platform, 0, 0, 0))],
            filetype=1,
        )
        for platform in platforms
    ]
    data = archive(*(member(f"{index}.o", one) for index, one in enumerate(objects)))
    return parsed(parser_of(data), data)


@pytest.mark.parametrize(
    ("platforms", "platform", "arch"),
    [
        ([None], None, Arch.ARM64),
        ([None, 1], 1, Arch.ARM64),
        ([1, None, 1], 1, Arch.ARM64),
        ([0, 1], 1, Arch.ARM64),
        ([2], 2, None),
        ([1, 2, 1], 2, None),
        ([None, 6, None], 6, None),
    ],
)
def test_one_object_for_another_platform_is_enough(
    platforms: list[int | None], platform: int | None, arch: Arch | None
) -> None:
    found = built_for(*platforms)
    assert (found.platform, found.mac_arch, found.arch) == (platform, arch, Arch.ARM64)


def test_a_32_bit_library_is_aligned_on_4() -> None:
    data = archive(member("a.o", build.image(I386, filetype=1, is64=False)))
    found = parsed(parser_of(data), data)
    assert (found.natural_align, found.is64, found.arch) == (2, False, None)


@pytest.mark.parametrize(
    ("data", "error", "problem"),
    [
        pytest.param(b"!<arch>", FormatError, "expected an archive's", id="magic"),
        pytest.param(archive(), ForeignArchiveError, "is empty", id="empty"),
        pytest.param(archive(SYMDEF), ForeignArchiveError, "is empty", id="only-symbols"),
        pytest.param(
            archive(member("a.o", b"\x7fELF")), ForeignArchiveError, "a.o is no Mach-O", id="elf"
        ),
        pytest.param(archive(member("a", b"")), ForeignArchiveError, "nothing", id="empty-member"),
        pytest.param(
            archive(member("a.o", obj()), member("b.o", b"\x7fELF")),
            FormatError,
            r"member b\.o is no Mach-O object \(it starts with 7f454c46\)",
            id="elf-second",
        ),
        pytest.param(
            archive(member("a.o", obj()), member("b.o", obj(X86_64))),
            FormatError,
            r"member b\.o is for x86_64 .* but a\.o for arm64",
            id="two-architectures",
        ),
        pytest.param(
            archive(member("a.o", obj(ARM64E)), member("b.o", obj((ARM64[0], 2)))),
            FormatError,
            r"arm64e \(Mach-O, cpusubtype 0x2\)",
            id="capability-bits",
        ),
        pytest.param(
            archive(member("a.o", build.archive())), ForeignArchiveError, "no Mach-O", id="nested"
        ),
        pytest.param(archive(SYMDEF)[:30], FormatError, "header of 60 bytes", id="cut-header"),
        pytest.param(
            archive(member("a.o", obj()))[:-8], FormatError, "the archive ends", id="cut-member"
        ),
        pytest.param(
            archive(member("a.o", obj(extra=b"x")))[:-1],
            FormatError,
            "padding byte",
            id="no-padding",
        ),
        pytest.param(
            archive(member("a.o", obj())).replace(b"`\n", b"??"),
            FormatError,
            "must end with",
            id="fmag",
        ),
        pytest.param(
            archive(member("a", b"", bsd=False)).replace(b"0         `", b"-1        `"),
            FormatError,
            "expected a decimal number, found b'-1",
            id="size",
        ),
        pytest.param(
            archive(member("a", b"")).replace(b"#1/8 ", b"#1/99"),
            FormatError,
            "name of 99 bytes is longer",
            id="name-longer-than-member",
        ),
        pytest.param(
            archive(member("a", b"")).replace(b"#1/8 ", b"#1/x "),
            FormatError,
            "expected a decimal number",
            id="name-length",
        ),
    ],
)
def test_refused(data: bytes, error: type[FormatError], problem: str) -> None:
    with pytest.raises(error, match=problem) as caught:
        parsed(parser_of(data), data)
    assert type(caught.value) is error


def test_a_damaged_member_is_named_with_its_byte() -> None:
    data = archive(member("bad.o", build.image(filetype=99)))
    with pytest.raises(FormatError, match=r"lib\.a\(bad\.o\), byte 88: filetype 99") as caught:
        parsed(parser_of(data), data)
    assert caught.value.offset == 8 + 60 + 8 + 12


def test_bitcode_members_only_where_allowed() -> None:
    data = archive(member("a.bc", b"BC\xc0\xde" + bytes(40)))
    with pytest.raises(ForeignArchiveError, match="no Mach-O"):
        parsed(parser_of(data), data)
    with pytest.raises(FormatError, match="before the module's target triple"):
        parsed(parser_of(data, bitcode=True), data)


def bitcode(name: str, triple: str) -> bytes:
    """A member that is the head of a bitcode module."""
    return member(name, module(triple.encode()).data())


@pytest.mark.parametrize("first", ["bitcode", "object"])
def test_bitcode_and_objects_of_one_architecture_are_one_library(first: str) -> None:
    both = [bitcode("a.bc", "arm64-apple-macosx11.0.0"), member("b.o", obj())]
    data = archive(*(both if first == "bitcode" else reversed(both)))
    found = parsed(parser_of(data, bitcode=True), data)
    assert (found.arch, found.members, found.natural_align) == (Arch.ARM64, 2, 3)


def test_bitcode_for_another_architecture_is_refused() -> None:
    data = archive(bitcode("a.bc", "x86_64-apple-macosx11.0.0"), member("b.o", obj()))
    with pytest.raises(
        FormatError, match=r"b\.o is for arm64 \(Mach-O.* but a\.bc for x86_64 \(bitcode"
    ):
        parsed(parser_of(data, bitcode=True), data)


def test_damaged_libraries_raise_nothing_but_format_errors() -> None:
    rng = random.Random(5)
    original = archive(SYMDEF, member(LONG, obj(extra=b"abc")), member("b.o", obj(), bsd=False))
    for _ in range(2000):
        data = bytearray(original)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randrange(1, 4)):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        made = bytes(data)
        assert build.outcome(parser_of(made), made) == build.outcome(parser_of(made), made, 64)
