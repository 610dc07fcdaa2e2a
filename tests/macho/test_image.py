from __future__ import annotations

import hashlib
import random
import struct
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from macholib.MachO import MachO

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.image import FileType, Image, LoadKind, Payload, parse_image
from fatwheel.macho.platforms import platform_name
from fatwheel.macho.probe import LARGEST_RANGE, Parser
from fatwheel.macho.universal import Universal, parse
from tests.support import macho as build
from tests.support.macho import ARM64, ARM64E, I386, X86_64, X86_64H, parsed
from tests.support.required import require_member, require_tool

BOOTLOADER = "PyInstaller/bootloader/Darwin-64bit/run"
PAYLOAD = bytes(range(256)) * 16 + b"MEI\014\013\012\013\016"


def parser_of(data: bytes, payload: bool = True) -> Callable[[], Parser[Image]]:
    return partial(parse_image, "x.so", len(data), payload=payload)


def image_of(data: bytes) -> Image:
    """The image as parsed at random and forward, which must agree."""
    result = parsed(parser_of(data), data)
    for chunk in (1, 7, 4096):
        if len(data) < 100_000 or chunk > 1000:
            assert parsed(parser_of(data), data, chunk) == result
    return result


LOADS = [
    build.text_command(0x0D, b"@rpath/me.dylib"),
    build.text_command(0x0C, b"/usr/lib/libSystem.B.dylib"),
    build.text_command(0x80000018, b"weak"),
    build.text_command(0x8000001F, b"reexported"),
    build.text_command(0x80000023, b"upward"),
    build.text_command(0x20, b"lazy"),
    build.text_command(0x8000001C, b"@loader_path/.dylibs"),
    build.command(0x32, struct.pack("<IIII", 1, 0x000C0300, 0, 0)),
]


def test_what_load_commands_say() -> None:
    found = image_of(build.image(ARM64, LOADS, filetype=6))
    assert found == Image(
        cputype=ARM64[0],
        cpusubtype=0,
        is64=True,
        filetype=FileType.DYLIB,
        size=found.size,
        install_name="@rpath/me.dylib",
        loads=("/usr/lib/libSystem.B.dylib", "weak", "reexported", "upward", "lazy"),
        rpaths=("@loader_path/.dylibs",),
        platform=1,
        minos=(12, 3),
        signed=False,
        payload=None,
        natural_align=14,
        load_kinds=tuple(LoadKind),
    )
    assert found.arch is Arch.ARM64


@pytest.mark.parametrize(
    ("cpu", "arch"),
    [
        pytest.param(X86_64, Arch.X86_64, id="x86_64"),
        pytest.param((X86_64[0], 0x80000003), Arch.X86_64, id="x86_64-lib64"),
        pytest.param(X86_64H, None, id="x86_64h"),
        pytest.param(ARM64, Arch.ARM64, id="arm64"),
        pytest.param(ARM64E, None, id="arm64e"),
        pytest.param(I386, None, id="i386"),
    ],
)
def test_arch_is_that_of_plain_images_only(cpu: tuple[int, int], arch: Arch | None) -> None:
    assert image_of(build.image(cpu)).arch is arch


@pytest.mark.parametrize(
    ("commands", "platform", "minos"),
    [
        pytest.param([], None, None, id="none"),
        pytest.param([(0x24, "<II", 0x000A0900, 0)], 1, (10, 9), id="version-min"),
        pytest.param([(0x25, "<II", 0x00090000, 0)], 2, (9, 0), id="ios"),
        pytest.param(
            [
                (0x32, "<IIII", 6, 0x000D0100, 0, 0),
                (0x32, "<IIII", 1, 0x000B0000, 0, 0),
                (0x32, "<IIII", 6, 0x000D0100, 0, 0),
            ],
            1,
            (11, 0),
            id="zippered-macos-counts",
        ),
    ],
)
def test_deployment_target(
    commands: list[tuple[Any, ...]], platform: int | None, minos: tuple[int, int] | None
) -> None:
    made = [build.command(cmd, struct.pack(layout, *values)) for cmd, layout, *values in commands]
    found = image_of(build.image(X86_64, made))
    assert (found.platform, found.minos) == (platform, minos)


MAC = [(0x24, 0), (0x32, 1)]
FOREIGN = [
    (0x25, 0),
    (0x2F, 0),
    (0x30, 0),
    *((0x32, number) for number in (2, 3, 6, 7, 10, 11, 99)),
]


def built_for(cmd: int, platform: int, *, filetype: int = 6) -> Image:
    """An image with LC_BUILD_VERSION for `platform`, or one of LC_VERSION_MIN_*."""
    values = (platform, 11 << 16, 0, 0) if cmd == 0x32 else (11 << 16, 0)
    body = struct.pack(f"<{len(values)}I", *values)
    return image_of(build.image(ARM64, [build.command(cmd, body)], filetype=filetype))


@pytest.mark.parametrize(("cmd", "platform"), [*MAC, *FOREIGN, (0x32, 0)])
@pytest.mark.parametrize("filetype", [1, 2, 6, 8, 10])
def test_macs_run_code_for_macos(cmd: int, platform: int, filetype: int) -> None:
    found = built_for(cmd, platform, filetype=filetype)
    runs = (cmd, platform) not in FOREIGN or (platform == 6 and filetype == 2)
    assert found.arch is Arch.ARM64
    assert found.mac_arch is (Arch.ARM64 if runs else None)


def test_code_that_names_no_platform_is_macos_code() -> None:
    assert image_of(build.image(X86_64)).mac_arch is Arch.X86_64
    assert image_of(build.image(I386)).mac_arch is None


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (1, "macOS"),
        (2, "iOS"),
        (6, "Mac Catalyst"),
        (12, "the visionOS simulator"),
        (99, "platform 99"),
    ],
)
def test_platforms_have_names(number: int, name: str) -> None:
    assert platform_name(number) == name


def with_sections(*sections: bytes, filetype: int = 6, cpu: tuple[int, int] = X86_64) -> Image:
    return image_of(
        build.image(cpu, [build.segment(b"T", 0, 0, sections=sections)], filetype=filetype)
    )


def threads(address: int, align: int, *, size: int = 8, kind: int = 0x11, high: int = 0) -> bytes:
    return build.section(0, size, address=address, align=align, flags=kind | high << 8)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        pytest.param([threads(0x1000, 3)], (0x1000, 3, 0), id="one"),
        pytest.param([threads(0x1008, 4, kind=0x12)], (0x1008, 4, 8), id="zero-filled"),
        pytest.param(
            [threads(0x1008, 3), threads(0x1040, 6, kind=0x12)], (0x1008, 6, 8), id="the second's"
        ),
        pytest.param(
            [threads(0x1040, 6), threads(0x1084, 2, kind=0x12)], (0x1040, 6, 0), id="the first's"
        ),
        pytest.param(
            [build.section(0, 8, address=0x998, align=9), threads(0x1008, 3)],
            (0x1008, 3, 0),
            id="others",
        ),
        pytest.param([threads(0x1008, 9, size=0)], (0x1008, 0, 0), id="an empty one"),
        pytest.param([threads(0x1008, 4, high=0x80)], (0x1008, 4, 8), id="attributes"),
        pytest.param([threads(0x1001, 0xFFFFFFFF)], (0x1001, 63, 0x1001), id="no alignment at all"),
        pytest.param([threads(0x1001, 9, kind=0x13)], None, id="descriptors"),
    ],
)
def test_thread_locals(sections: list[bytes], expected: tuple[int, int, int] | None) -> None:
    found = with_sections(*sections).thread_locals
    assert (found and (found.address, found.align, found.misalignment)) == expected


@pytest.mark.parametrize(
    ("filetype", "counts"), [(1, False), (2, True), (6, True), (8, True), (10, False)]
)
def test_thread_locals_of_linked_images_count(filetype: int, counts: bool) -> None:
    assert (with_sections(threads(8, 4), filetype=filetype).thread_locals is not None) is counts


def test_big_endian_and_32_bits() -> None:
    found = image_of(
        build.image(
            (0x12, 0), [build.segment(b"T", 0, 8, is64=False, order=">")], order=">", is64=False
        )
    )
    assert (found.cputype, found.is64, found.natural_align) == (0x12, False, 12)


def test_undecodable_names_stay_printable() -> None:
    found = image_of(build.image(X86_64, [build.text_command(0x0C, b"/\xff/x")]))
    assert found.loads == ("/\\xff/x",)


def symtab(symoff: int, nsyms: int, stroff: int, strsize: int) -> bytes:
    return build.command(2, struct.pack("<IIII", symoff, nsyms, stroff, strsize))


@pytest.mark.parametrize(
    ("data", "offset", "problem"),
    [
        pytest.param(b"", 0, "expected the magic .* found nothing", id="empty"),
        pytest.param(build.image()[:20], 0, "ends after 20 bytes of its mach_header", id="cut"),
        pytest.param(build.image(filetype=13), 12, "filetype 13 is none", id="filetype"),
        pytest.param(
            build.image(commands=LOADS)[:60], 20, "load commands end at", id="cut-commands"
        ),
        pytest.param(
            build.image(commands=[struct.pack("<II", 1, 0)]), 32, "cmdsize 0", id="cmdsize-0"
        ),
        pytest.param(
            build.image(commands=[struct.pack("<III", 1, 12, 0)]),
            32,
            "cmdsize 12, which must be a multiple of 8",
            id="cmdsize-12",
        ),
        pytest.param(
            build.image(commands=[struct.pack("<II", 1, 16)]),
            32,
            "not lead past byte 40",
            id="past",
        ),
        pytest.param(
            build.image(commands=[build.command(0x0C, b"")]),
            32,
            "LC_LOAD_DYLIB .* too small",
            id="small",
        ),
        pytest.param(
            build.image(commands=[build.command(0x0C, struct.pack("<IIII", 24, 0, 0, 0))]),
            32,
            "no text that ends within it at its offset 24",
            id="name-outside",
        ),
        pytest.param(
            build.image(commands=[build.command(0x0C, struct.pack("<IIII", 0, 0, 0, 0) + b"x\0")]),
            32,
            "no text that ends within it at its offset 0",
            id="name-in-header",
        ),
        pytest.param(
            build.image(
                commands=[build.command(0x8000001C, struct.pack("<I", 12) + b"12345678abcd")]
            ),
            32,
            "LC_RPATH has no text",
            id="no-nul",
        ),
        pytest.param(
            build.image(commands=[build.segment(b"T", 0, 5000)]),
            32,
            "LC_SEGMENT_64 lies at 0 to 5000 of an image of 104 bytes",
            id="segment-past",
        ),
        pytest.param(
            build.image(commands=[build.segment(b"T", 0, 0, sections=[build.section(600, 8)])]),
            104,
            "section 0 lies at 600 to 608",
            id="section-past",
        ),
        pytest.param(
            build.image(commands=[build.segment(b"T", 0, 0)[:64] + struct.pack("<II", 9, 0)]),
            32,
            "no room for its 9 sections",
            id="nsects",
        ),
        pytest.param(
            build.image(commands=[symtab(0, 9, 0, 0)]),
            32,
            "the symbol table lies at 0",
            id="symtab",
        ),
        pytest.param(
            build.image(commands=[symtab(0, 0, 0, 0), symtab(0, 0, 0, 0)]),
            56,
            "a second LC_SYMTAB",
            id="second-symtab",
        ),
        pytest.param(
            build.image(commands=[build.command(0x1D, struct.pack("<II", 64, 0))] * 2),
            48,
            "a second LC_CODE_SIGNATURE",
            id="second-signature",
        ),
        pytest.param(
            build.image(commands=[build.command(0x1D, struct.pack("<II", 10, 900))]),
            32,
            "LC_CODE_SIGNATURE lies at 10 to 910",
            id="signature",
        ),
        pytest.param(
            build.image(commands=[build.command(0x22, struct.pack("<10I", *[0] * 8, 7, 900))]),
            32,
            "LC_DYLD_INFO lies at 7 to 907",
            id="dyld-info",
        ),
        pytest.param(
            build.image(commands=[symtab(0, 1, 56, 20)], body=bytes(20)),
            0,
            "overlaps the load commands",
            id="symbols-in-header",
        ),
        pytest.param(
            build.image(commands=[symtab(56, 2, 70, 30)], body=bytes(44)),
            70,
            "overlaps",
            id="symbols-in-strings",
        ),
        pytest.param(
            struct.pack("<8I", 0xFEEDFACF, 7, 3, 2, 1, 0x7FFFFFFF, 0, 0),
            20,
            "load commands end at 2147483679",
            id="sizeofcmds",
        ),
    ],
)
def test_refused(data: bytes, offset: int, problem: str) -> None:
    with pytest.raises(FormatError, match=problem) as caught:
        parsed(parser_of(data), data)
    assert (caught.value.source, caught.value.offset) == ("x.so", offset)


def test_offsets_in_errors_are_those_of_the_file() -> None:
    data = bytes(100) + build.image(filetype=99)
    with pytest.raises(FormatError, match=r"x\.so, byte 112: filetype 99") as caught:
        parsed(partial(parse_image, "x.so", len(data) - 100, base=100), data)
    assert caught.value.offset == 112


def test_load_commands_of_unbounded_size_are_not_read() -> None:
    size = 1 << 31
    header = struct.pack("<8I", 0xFEEDFACF, X86_64[0], 3, 2, 1, size - 32, 0, 0)
    with pytest.raises(FormatError, match="load commands end at"):
        parsed(partial(parse_image, "x", size), header)


def test_data_that_end_before_their_size() -> None:
    made = build.program(build.nlist(1), b"\0a\0")
    for length in range(len(made.data)):
        with pytest.raises(FormatError, match=r"end here|expected the magic|ends after"):
            parsed(partial(parse_image, "x", len(made.data)), made.data[:length])


# Payloads.

STRINGS = b"\0_main\0_other\0"
SYMBOLS = build.nlist(1) + build.nlist(7) + build.nlist(0)


@pytest.mark.parametrize(
    ("symbols", "strings", "extra", "found"),
    [
        pytest.param(SYMBOLS, STRINGS, b"", None, id="none"),
        pytest.param(SYMBOLS, STRINGS + bytes(16), b"", None, id="padding-16"),
        pytest.param(SYMBOLS, STRINGS + bytes(17), b"", (14, 17), id="padding-17"),
        pytest.param(SYMBOLS, STRINGS, b"z", (14, 1), id="one-byte-after-all"),
        pytest.param(SYMBOLS, STRINGS + PAYLOAD, b"", (14, len(PAYLOAD)), id="stretched"),
        pytest.param(build.nlist(9), STRINGS, b"", None, id="suffix-of-a-string"),
        pytest.param(build.nlist(99), STRINGS, b"", None, id="index-past-the-end"),
        pytest.param(build.nlist(1), b"\0abc", b"", None, id="no-nul"),
        pytest.param(b"", bytes(16), b"", None, id="no-symbols"),
        pytest.param(b"", bytes(17), b"", (0, 17), id="no-symbols-but-strings"),
        pytest.param(
            build.nlist(1, kind=0x0B, value=7), STRINGS + bytes(10), b"", None, id="indirect-name"
        ),
    ],
)
@pytest.mark.parametrize("signature", [b"", bytes(64)], ids=["unsigned", "signed"])
def test_payload(
    symbols: bytes, strings: bytes, extra: bytes, found: tuple[int, int] | None, signature: bytes
) -> None:
    made = build.program(symbols, strings, signature=signature)
    image = image_of(made.data + extra)
    shift = len(signature) if extra else 0
    expected = (
        Payload(offset=made.stroff + found[0] + shift, size=found[1]) if found is not None else None
    )
    assert image.payload == expected
    assert image.signed is bool(signature)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is64", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("tail", [0, 16, 17, 200])
def test_payload_in_every_byte_order_and_width(order: str, is64: bool, tail: int) -> None:
    symbols = build.nlist(1, is64=is64, order=order) + build.nlist(
        1, kind=0x1A, value=7, is64=is64, order=order
    )
    made = build.program(symbols, STRINGS + bytes(tail), is64=is64, order=order, cpu=(0x12, 0))
    payload = image_of(made.data).payload
    expected = Payload(offset=made.stroff + len(STRINGS), size=tail)
    assert payload == (expected if tail > 16 else None)


@pytest.mark.parametrize(
    ("symbols", "strings", "found"),
    [
        pytest.param(SYMBOLS, STRINGS, None, id="none"),
        pytest.param(SYMBOLS, STRINGS + PAYLOAD, (14, len(PAYLOAD)), id="payload"),
        pytest.param(
            build.nlist(1),
            b"\0a\0" + bytes(70_000),
            (70_003 - LARGEST_RANGE, LARGEST_RANGE),
            id="large",
        ),
        pytest.param(
            build.nlist(69_000),
            b"\0" + b"a" * 69_010 + b"\0",
            None,
            id="last-string-within-the-tail",
        ),
        pytest.param(build.nlist(3), b"\0a\0bcd", None, id="no-nul"),
    ],
)
def test_payload_where_strings_come_before_symbols(
    symbols: bytes, strings: bytes, found: tuple[int, int] | None
) -> None:
    made = build.program(symbols, strings, strings_first=True)
    expected = Payload(offset=made.stroff + found[0], size=found[1]) if found else None
    assert image_of(made.data).payload == expected


@pytest.mark.parametrize("filetype", [1, 4, 10], ids=["object", "core", "dsym"])
def test_objects_and_debug_files_have_no_payload(filetype: int) -> None:
    assert (
        image_of(build.program(SYMBOLS, STRINGS + PAYLOAD, filetype=filetype).data).payload is None
    )


def test_many_symbols_in_bounded_ranges() -> None:
    names = b"\0" + b"".join(b"_%07d\0" % number for number in range(20_000))
    symbols = b"".join(build.nlist(1 + 9 * number) for number in range(20_000))
    assert image_of(build.program(symbols, names).data).payload is None
    assert image_of(build.program(symbols, names + bytes(17)).data).payload is not None


# PyInstaller's bootloader.


def bootloader(arch: Arch) -> bytes:
    data = require_member("pyinstaller", BOOTLOADER)
    found = parsed(partial(parse, "run", len(data)), data)
    assert isinstance(found, Universal)
    (one,) = [one for one in found.slices if one.arch is arch]
    assert isinstance(one.content, Image)
    assert one.content.payload is None
    return data[one.offset : one.offset + one.size]


def unsigned(data: bytes) -> bytes:
    """The program without its signature, which is the last command and the last area."""
    made = bytearray(data)
    count, size = struct.unpack_from("<II", made, 16)
    at = linkedit = 32
    for _ in range(count):
        cmd, cmdsize = struct.unpack_from("<II", made, at)
        if cmd == 0x19 and made[at + 8 : at + 18] == b"__LINKEDIT":
            linkedit = at
        if cmd == 0x1D:
            end = struct.unpack_from("<I", made, at + 8)[0]
            made[at : at + cmdsize] = bytes(cmdsize)
            struct.pack_into("<II", made, 16, count - 1, size - cmdsize)
            start = struct.unpack_from("<Q", made, linkedit + 40)[0]
            struct.pack_into("<Q", made, linkedit + 48, end - start)
            del made[end:]
        at += cmdsize
    return bytes(made)


def stretched(path: Path) -> bytes:
    """Do to the last image of a file what PyInstaller does, so that it can be signed.

    The steps are those of `PyInstaller.utils.osx.fix_exe_for_code_signing`; the hashes in the test
    are of files that this function of PyInstaller 6.22.3 itself made.
    """
    size = path.stat().st_size
    program = MachO(str(path))
    header = program.headers[-1]
    (linkedit,) = [
        c[1]
        for c in header.commands
        if c[1].__class__.__name__ == "segment_command_64"
        and c[1].segname.startswith(b"__LINKEDIT")
    ]
    (table,) = [c[1] for c in header.commands if c[0].cmd == 2]
    table.strsize = size - (header.offset + table.stroff)
    linkedit.filesize = size - (header.offset + linkedit.fileoff)
    page = 0x4000 if header.header.cputype == ARM64[0] else 0x1000
    linkedit.vmsize = -(-linkedit.filesize // page) * page
    with path.open("rb+") as file:
        program.write(file)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("arch", "end", "sha256"),
    [
        pytest.param(
            Arch.X86_64,
            59738,
            "b71e5ac936aa241eff08906fd901e1cc7b08437b7b6064da5eb6a98338fb5ac6",
            id="x86_64",
        ),
        pytest.param(
            Arch.ARM64,
            88395,
            "b84e748a7b2721a8acaacc22e78aa175f803070b897f085899a305d60e7557e0",
            id="arm64",
        ),
    ],
)
def test_pyinstaller_program(arch: Arch, end: int, sha256: str, tmp_path: Path) -> None:
    program = unsigned(bootloader(arch))
    assert image_of(program).payload is None
    appended = program + PAYLOAD
    expected = Payload(offset=len(program), size=len(PAYLOAD))
    assert image_of(appended).payload == expected
    (tmp_path / "run").write_bytes(appended)
    fixed = stretched(tmp_path / "run")
    assert hashlib.sha256(fixed).hexdigest() == sha256
    assert image_of(fixed).payload == Payload(offset=end, size=len(fixed) - end)


def test_pyinstaller_program_of_both_architectures(tmp_path: Path) -> None:
    data = bytearray(require_member("pyinstaller", BOOTLOADER))
    found = parsed(partial(parse, "run", len(data)), bytes(data))
    assert isinstance(found, Universal)
    last = found.slices[-1]
    program = unsigned(bytes(data[last.offset :]))
    struct.pack_into(">I", data, 8 + 20 + 12, len(program))
    made = bytes(data[: last.offset]) + program + PAYLOAD
    appended = parsed(partial(parse, "run", len(made)), made)
    assert isinstance(appended, Universal)
    assert appended.payload == Payload(offset=len(made) - len(PAYLOAD), size=len(PAYLOAD))
    struct.pack_into(">I", data, 8 + 20 + 12, len(program) + len(PAYLOAD))
    (tmp_path / "run").write_bytes(bytes(data[: last.offset]) + program + PAYLOAD)
    fixed = stretched(tmp_path / "run")
    again = parsed(partial(parse, "run", len(fixed)), fixed)
    assert isinstance(again, Universal)
    images = [one.content for one in again.slices]
    assert [isinstance(one, Image) and one.payload is not None for one in images] == [False, True]


# Against other readers, and damage.


def test_facts_equal_llvm_otool(tmp_path: Path) -> None:
    otool = require_tool("llvm-otool-19", "apt-get install llvm-19")
    for arch in Arch:
        data = bootloader(arch)
        (tmp_path / "x").write_bytes(data)
        out = subprocess.run(
            [otool, "-l", tmp_path / "x"], capture_output=True, text=True, check=True
        ).stdout
        image = image_of(data)
        assert out.count("cmd LC_LOAD_DYLIB\n") == len(image.loads)
        assert all(f"name {name} (offset" in out for name in image.loads)
        assert image.minos is not None
        assert f"{image.minos[0]}.{image.minos[1]}\n" in out
        assert ("LC_CODE_SIGNATURE" in out) is image.signed


@pytest.mark.parametrize("seed", range(4))
def test_damaged_images_raise_nothing_but_format_errors(seed: int) -> None:
    rng = random.Random(seed)
    original = bootloader(Arch.ARM64)
    for _ in range(300):
        data = bytearray(original)
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        for _ in range(rng.randrange(1, 6)):
            if data:
                at = rng.randrange(min(len(data), 2400))
                data[at] ^= 1 << rng.randrange(8)
        one = build.outcome(parser_of(bytes(data)), bytes(data))
        assert one == build.outcome(parser_of(bytes(data)), bytes(data), 8192)
