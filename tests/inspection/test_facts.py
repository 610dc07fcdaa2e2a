"""The facts of code, against LIEF, which shares no code with fatwheel, and of images made for a test."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lief
import pytest

from fatwheel.inspection.facts import CodeFile, Found, Group, SliceFacts, code_files
from fatwheel.macho.image import FileType
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.macho import ARM64E, I386
from tests.support.oracles import is_fat, members, slices
from tests.support.required import require_pair
from tests.support.signing import LINKER_SIGNED, Directory
from tests.support.wheels import A, X, code, content_of, dylib, program, static, stub, universal

MAGICS = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
LIPO_INPUTS = sorted(
    path
    for path in (ROOT / "fixtures" / "lipo-cases" / "valid").glob("*/*")
    if path.is_file() and path.read_bytes()[:4] in MAGICS
)
TOOLS = {
    1: "clang",
    2: "swift",
    3: "ld",
    4: "lld",
    5: "zig",
}  # TOOL_… of mach-o/loader.h; zig's of std.macho


def by_lief(data: bytes) -> lief.MachO.Binary | None:
    """LIEF's reading of a thin image; None where it takes it for none."""
    parsed = lief.MachO.parse(list(data))
    return None if parsed is None else parsed.at(0)


def facts(data: bytes, path: str = "pkg/a.so") -> CodeFile:
    (found,) = code_files({path: Found(len(data), None, content_of(data))}, [path])
    return found


def version(numbers: list[int]) -> tuple[int, int] | None:
    return (numbers[0], numbers[1]) if any(numbers) else None


def tool_texts(command: lief.MachO.BuildVersion) -> list[str]:
    """The tools of LC_BUILD_VERSION, from its bytes: LIEF's own list fails for numbers that it does not know."""
    found = []
    for number, version_ in struct.iter_unpack("<2I", bytes(command.data)[24:]):
        numbers = [version_ >> 16, version_ >> 8 & 0xFF, version_ & 0xFF]
        text = ".".join(map(str, numbers if numbers[2] else numbers[:2]))
        found.append(f"{TOOLS[number]} {text}")
    return found


def signer(image: lief.MachO.Binary) -> str | None:
    """Who signed, by the flags of the first CodeDirectory and the size of the CMS blob (cs_blobs.h)."""
    if image.header.file_type not in (
        lief.MachO.Header.FILE_TYPE.EXECUTE,
        lief.MachO.Header.FILE_TYPE.DYLIB,
        lief.MachO.Header.FILE_TYPE.BUNDLE,
    ):
        return None
    if (command := image.code_signature) is None:
        return "none"
    blob = bytes(command.content)
    (count,) = struct.unpack_from(">I", blob, 8)
    index = dict(struct.iter_unpack(">II", blob[12 : 12 + 8 * count]))
    (flags,) = struct.unpack_from(">I", blob, index[0] + 12)
    if flags & 0x20000:
        return "linker-signed"
    return "ad hoc" if flags & 2 else "by certificate"


def judge(found: SliceFacts, image: lief.MachO.Binary) -> None:
    """Compare the facts of one slice with LIEF's reading."""
    loads = [
        library.name
        for library in image.libraries
        if library.command != lief.MachO.LoadCommand.TYPE.ID_DYLIB
    ]
    ids = [
        command.name
        for command in image.commands
        if isinstance(command, lief.MachO.DylibCommand)
        and command.command == lief.MachO.LoadCommand.TYPE.ID_DYLIB
    ]
    minos, sdk, tools = None, None, []
    if (build := image.build_version) is not None:
        minos, sdk = version(build.minos), version(build.sdk)
        tools = tool_texts(build)
    elif (least := image.version_min) is not None:
        minos, sdk = version(least.version), version(least.sdk)
    assert (found.minos, found.sdk, list(found.tools)) == (minos, sdk, tools)
    assert [load.name for load in found.loads] == list(dict.fromkeys(loads))
    assert list(found.rpaths) == [rpath.path for rpath in image.rpaths]
    assert found.install_name == (ids[0] if ids else None)
    assert found.signature == signer(image)
    assert found.size == image.original_size


def images_of(wheel: Path) -> Iterator[tuple[str, bytes]]:
    for name, content in members(wheel).items():
        if content[:4] in MAGICS or is_fat(content):
            yield name, content


@pytest.mark.parametrize("side", [0, 1], ids=["x86_64", "arm64"])
def test_a_real_wheel_is_read_as_lief_reads_it(side: int) -> None:
    judged = 0
    for name, content in images_of(SMALL_PAIR[side]):
        for one, data in zip(facts(content, name).slices, slices(content).values(), strict=True):
            image = by_lief(data)
            assert image is not None
            judge(one, image)
            judged += 1
    assert judged == 1


@pytest.mark.parametrize("name", ["pillow", "scipy"])
def test_a_large_wheel_is_read_as_lief_reads_it(name: str) -> None:
    """These have rpaths, install names, libraries of three linkers, and signatures of both cheap kinds."""
    pair = require_pair(name)
    judged = []
    for wheel in (pair.x86_64.path, pair.arm64.path):
        for member, content in images_of(wheel):
            if len(content) > 4 << 20:
                continue
            for one, data in zip(
                facts(content, member).slices, slices(content).values(), strict=True
            ):
                image = by_lief(data)
                assert image is not None
                judge(one, image)
                judged.append(one)
    assert len(judged) > 40
    assert any(one.rpaths for one in judged)
    assert any(one.install_name for one in judged)
    assert {one.signature for one in judged} >= {"none", "ad hoc", "linker-signed"}
    assert any(one.linker for one in judged)


def test_small_images_are_read_as_lief_reads_them() -> None:
    judged = 0
    for path in LIPO_INPUTS:
        data = path.read_bytes()
        if (image := by_lief(data)) is not None:
            judge(facts(data).slices[0], image)
            judged += 1
    assert judged > 20


# ---- images made for it ----


def test_sdk_tools_and_linker() -> None:
    tools = [(1, 0x000F0001), (3, 0x045B0703)]
    (one,) = facts(code(A, minos=(12, 3), sdk=(14, 5), tools=tools)).slices
    assert (one.minos, one.sdk) == ((12, 3), (14, 5))
    assert one.tools == ("clang 15.0.1", "ld 1115.7.3")
    assert one.linker == "ld 1115.7.3"
    (bare,) = facts(code(A)).slices
    assert (bare.sdk, bare.linker, bare.tools) == (None, None, ())


def test_a_tool_without_a_name_has_its_number() -> None:
    (one,) = facts(code(A, tools=[(77, 0x00020000)])).slices
    assert (one.tools, one.linker) == (("tool 77 2.0",), None)


def test_more_tools_than_there_is_room_for_are_those_that_there_are() -> None:
    data = bytearray(code(A, tools=[(3, 0x00010000)]))
    at = data.index(struct.pack("<I", 0x32), 32) + 20
    assert data[at : at + 4] == b"\x01\0\0\0"
    data[at : at + 4] = b"\xff\xff\xff\xff"
    assert facts(bytes(data)).slices[0].tools == ("ld 1.0",)


@pytest.mark.parametrize(
    ("options", "signature"),
    [
        ({"signed": False}, "none"),
        ({}, "ad hoc"),
        ({"directories": [Directory(flags=LINKER_SIGNED | 2)]}, "linker-signed"),
    ],
    ids=["none", "ad hoc", "linker"],
)
def test_who_signed(options: dict[str, Any], signature: str) -> None:
    (one,) = facts(code(A, **options)).slices
    assert one.signature == signature


def test_a_damaged_signature_is_malformed() -> None:
    data = bytearray(code(A))
    at = data.index(b"\xfa\xde\x0c\xc0")
    data[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    assert facts(bytes(data)).slices[0].signature == "malformed"


def test_kinds_and_other_architectures() -> None:
    file = facts(universal(code(X), code(A), code(A, cpu=ARM64E), code(X, cpu=I386)))
    assert {one.architecture for one in file.slices} == {"x86_64", "arm64", "arm64e", "i386"}
    assert file.arches == {X, A}
    assert facts(program(X)).kind == "program"
    assert facts(dylib(X)).kind == "dylib"
    assert facts(static(A)).kind == "static library"
    assert facts(static(A)).slices[0].signature is None
    assert facts(code(X, kind=FileType.DSYM)).kind == "debug symbols"


def test_code_for_another_platform_is_no_macs() -> None:
    (one,) = facts(code(A, platform=2)).slices
    assert (one.mac, one.platform) == (None, "iOS")


def test_loads_of_other_architectures_are_listed_and_not_followed() -> None:
    (one,) = facts(code(A, cpu=ARM64E, loads=["@loader_path/b.dylib"])).slices
    assert [(load.name, load.group) for load in one.loads] == [("@loader_path/b.dylib", None)]


def test_what_only_begins_like_code() -> None:
    file = facts(code(A)[:200])
    assert file.slices == ()
    assert file.problem is not None
    assert "200 bytes" in file.problem


def test_a_text_stub_has_its_targets() -> None:
    file = facts(stub("x86_64-macos", "arm64-macos"), "pkg/a.tbd")
    assert (file.stub, file.kind) == (("x86_64-macos", "arm64-macos"), "text stub")


def test_loads_have_a_group_and_a_target_and_are_known_to_it() -> None:
    loads = [
        "@rpath/b.dylib",
        "/usr/lib/libSystem.B.dylib",
        "/opt/homebrew/lib/c.dylib",
        "@loader_path/gone.dylib",
    ]
    files = {
        "pkg/a.so": code(A, loads=loads, rpaths=["@loader_path/lib"]),
        "pkg/lib/b.dylib": dylib(A, loads=["/usr/lib/libSystem.B.dylib"]),
    }
    found = {path: Found(len(data), 1, content_of(data)) for path, data in files.items()}
    one, other = code_files(found, files)
    assert [(load.group, load.targets) for load in one.slices[0].loads] == [
        (Group.INSIDE, ("pkg/lib/b.dylib",)),
        (Group.SYSTEM, ()),
        (Group.OUTSIDE, ()),
        (Group.NOWHERE, ()),
    ]
    assert one.slices[0].loads[0].rpath == "@loader_path/lib"
    assert [(by.path, by.arch, by.name) for by in other.loaded_by] == [
        ("pkg/a.so", A, "@rpath/b.dylib")
    ]
    assert one.loaded_by == ()
