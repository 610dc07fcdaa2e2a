"""Wheels whose texts are made to be printed: what they hold moves cursors, sets titles, turns lines around."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.macho import archive, image
from tests.support.macho import member as archive_member
from tests.support.wheels import (
    CPUS,
    DATE,
    DIST_INFO,
    METADATA,
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    dylib,
    make_pair,
    make_wheel,
    record_of,
    stub,
)

EVIL = "e\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\u200b\x7f!"
"""A title, an empty screen, a colour by C1, text from right to left; it could stand in a line of its own."""
FORGED = "fatwheel: all is well"
LINES = f"{EVIL}\r\n{FORGED}\n"
SEEN = "\\x1b]0;owned\\x07"
"""How its beginning is to be printed."""
MILD = "m\u202e\u2066\u200bm"
"""What a member's name may hold."""
MILD_SEEN = "\\u202e\\u2066"

Build = Callable[[Path], tuple[Path, ...]]
ROUTES: dict[str, Build] = {}
"""By what way a stranger's text gets to a terminal: what makes two wheels in a folder."""


def _route(name: str) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        ROUTES[name] = build
        return build

    return add


def _texts(name: str, x86_64: str, arm64: str | None = None, **options: Any) -> None:
    """A route by a text file: of x86_64's wheel, or of both, and differing."""
    sides: Mapping[str, Any] = {"x86_64": {name: x86_64.encode()}}
    if arm64 is not None:
        sides = {**sides, "arm64": {name: arm64.encode()}}
    ROUTES[f"{name}{' of one' if arm64 is None else ''}"] = lambda folder: make_pair(
        folder, **sides, **options
    )


def _wheel_file(title: str, *lines: str, metadata: str = "") -> None:
    """A route by the lines of WHEEL, or by more of METADATA."""
    text = "".join(f"{line}\n" for line in lines)
    options = {"wheel_text": text} if lines else {"metadata": METADATA + metadata.encode()}
    ROUTES[title] = lambda folder: make_pair(folder, x86_64_options=options)


_VERSION, _PURELIB, _TAG = "Wheel-Version: 1.0", "Root-Is-Purelib: false", "Tag: cp312-cp312-any"
_wheel_file("Wheel-Version", f"Wheel-Version: {EVIL}", _PURELIB, _TAG)
_wheel_file("Root-Is-Purelib", _VERSION, f"Root-Is-Purelib: {EVIL}", _TAG)
_wheel_file("Tag", _VERSION, _PURELIB, f"Tag: {EVIL}")
_wheel_file("Tag of three parts", _VERSION, _PURELIB, _TAG, f"Tag: cp312-cp312-{EVIL}")
_wheel_file("Build", _VERSION, _PURELIB, _TAG, f"Build: {EVIL}", "Build: 2")
_wheel_file("License-File", metadata=f"License-File: {EVIL}\n")
_wheel_file("a header of METADATA", metadata=f"Keywords: {EVIL}\n")
_wheel_file("a folded header of METADATA", metadata=f"Summary: {EVIL}\n {EVIL}\n")
_wheel_file("the body of METADATA", metadata=f"\n{LINES}")
_wheel_file("Requires-Dist", metadata=f"Requires-Dist: {EVIL}\n")
_texts(f"{DIST_INFO}/entry_points.txt", f"[console_scripts]\n{EVIL} = {EVIL}:m\n", "[a]\nb=c\n")
_texts(f"{DIST_INFO}/top_level.txt", LINES, f"other{EVIL}\n")
_texts(f"{DIST_INFO}/sboms/a.cyclonedx.json", f'{{"{EVIL}": 1}}', '{"bomFormat": "CycloneDX"}')
_texts("pkg/a.txt", LINES, "fine\n")
_texts("pkg/m.py", f"x = '''{LINES}'''\n", f"x = 2 # {EVIL}\n")
_texts("pkg/c.py", f"x = 1 # {LINES}", "x = 1\n")
_texts("pkg/a.h", f"#if 1\n/* {LINES} */\n", f"# if {EVIL}\n")
_texts(f"pkg/{MILD}.txt", "1", "2")
_texts(f"pkg/{MILD}.py", "x = 1\n", "x = 2\n")
_texts(f"pkg/{MILD}.py", "x = 1\n")
_texts(f"{MILD}/{MILD}.dat", "1")
_texts(f"pkg/__pycache__/{MILD}.pyc", "1", "2")


def _sbom(text: str) -> bytes:
    component = {"type": "library", "name": "a", "bom-ref": "a", "version": text}
    return json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            EVIL: 1,
            text: 2,
            "components": [component],
        }
    ).encode()


@_route("keys of an SBOM")
def _(folder: Path) -> tuple[Path, ...]:
    name = f"{DIST_INFO}/sboms/b.cyclonedx.json"
    return make_pair(folder, x86_64={name: _sbom(EVIL)}, arm64={name: _sbom("other")})


@_route("load commands")
def _(folder: Path) -> tuple[Path, ...]:
    options: dict[str, Any] = {"loads": [f"@loader_path/{EVIL}"], "rpaths": [f"/{EVIL}"]}
    return make_pair(
        folder, x86_64={NATIVE: code(X, **options)}, arm64={NATIVE: code(A, **options)}
    )


@_route("load commands of a library of one")
def _(folder: Path) -> tuple[Path, ...]:
    path = f"pkg/{MILD}.dylib"
    loading = {NATIVE: code(A, loads=[f"@loader_path/{MILD}.dylib", f"/opt/{EVIL}"])}
    return make_pair(
        folder, {path: dylib(A)}, arm64=loading, x86_64={NATIVE: code(X, rpaths=[f"/{EVIL}"])}
    )


@_route("exports")
def _(folder: Path) -> tuple[Path, ...]:
    made = {arch: {f"pkg/{MILD}.so": code(arch, exports=[f"_PyInit_{MILD}"])} for arch in (X, A)}
    return make_pair(folder, x86_64=made[X])


@_route("targets of a text stub")
def _(folder: Path) -> tuple[Path, ...]:
    return make_pair(
        folder,
        x86_64={"pkg/lib.tbd": stub(f"x86_64-{EVIL}"), "pkg/b.tbd": stub(f"'{EVIL}'")},
        arm64={"pkg/lib.tbd": stub(f"arm64-{EVIL}"), "pkg/b.tbd": stub("arm64-macos")},
    )


@_route("members of a static library")
def _(folder: Path) -> tuple[Path, ...]:
    broken = archive(archive_member(EVIL, image(CPUS[X], [], b"x")[:40]))
    mixed = archive(
        archive_member(EVIL, image(CPUS[X], [], b"x")),
        archive_member("b.o", image(CPUS[A], [], b"x")),
    )
    return make_pair(
        folder, {"pkg/mixed.a": mixed}, x86_64={"pkg/a.a": broken}, arm64={"pkg/a.a": mixed}
    )


def _damaged(name: bytes, flags: int = 0x800) -> Build:
    """A member of this name, which no builder would write."""

    def build(folder: Path) -> tuple[Path, ...]:
        place = b"pkg/" + b"P" * (len(name) - 4)
        pair = make_pair(folder, x86_64={place.decode(): b"1"}, record=record_of)
        data = pair[0].read_bytes()
        assert data.count(place) >= 2
        data = data.replace(place, name)
        if flags and not name.isascii():
            at = data.index(b"PK\1\2")
            while data[at + 46 : at + 46 + len(name)] != name:
                at = data.index(b"PK\1\2", at + 1)
            local = data.index(name) - 30
            changed = bytearray(data)
            changed[local + 7] |= flags >> 8
            changed[at + 9] |= flags >> 8
            data = bytes(changed)
        pair[0].write_bytes(data)
        return pair

    return build


ROUTES["a member's name"] = _damaged(f"pkg/{EVIL}".encode())
ROUTES["a member's name of several lines"] = _damaged(f"pkg/\n{FORGED}\n{EVIL}".encode())
ROUTES["a member's name in no encoding"] = _damaged(b"pkg/\xff\xfe\x1b]0;owned\x07")
ROUTES["a member's name in code page 437"] = _damaged(f"pkg/{EVIL}".encode("latin-1", "ignore"), 0)


@_route("rows of RECORD")
def _(folder: Path) -> tuple[Path, ...]:
    rows = f'"{LINES}",sha256=x,1\n{EVIL},,\npkg/{MILD},md5={EVIL},{EVIL}\n'
    return make_pair(folder, x86_64_options={"record": lambda files: record_of(files) + rows})


@_route("the dist-info folder")
def _(folder: Path) -> tuple[Path, ...]:
    return make_pair(folder, x86_64_options={"dist_info": f"{MILD}-1.0.dist-info"})


@_route("the data folder")
def _(folder: Path) -> tuple[Path, ...]:
    return make_pair(folder, x86_64={f"{MILD}-1.0.data/purelib/a.py": b""})


@_route("decisions in fatwheel.json")
def _(folder: Path) -> tuple[Path, ...]:
    decision = {"member": EVIL, "action": EVIL, "by": EVIL, "reason": LINES}
    report = json.dumps({"decisions": [decision], EVIL: EVIL}).encode()
    return make_pair(folder, {f"{DIST_INFO}/fatwheel.json": report, f"pkg/{MILD}.so": code(A)})


@_route("the wheel's own name")
def _(folder: Path) -> tuple[Path, ...]:
    pair = make_pair(folder, {"pkg/a.txt": b"1"})
    named = pair[0].with_name(pair[0].name.replace("cp312-cp312", f"{EVIL}-cp312"))
    return pair[0].rename(named), pair[1]


@_route("the folder's name")
def _(folder: Path) -> tuple[Path, ...]:
    return make_pair(
        folder / f"{EVIL}\n{FORGED}", x86_64={"pkg/a.txt": b"1"}, arm64={"pkg/a.txt": b"2"}
    )


@_route("a comment behind the archive")
def _(folder: Path) -> tuple[Path, ...]:
    pair = make_pair(folder)
    with zipfile.ZipFile(pair[0], "a") as opened:
        opened.comment = LINES.encode()
        opened.writestr(zipfile.ZipInfo(f"pkg/{MILD}", DATE), b"not in RECORD")
    return pair


@_route("two of one architecture")
def _(folder: Path) -> tuple[Path, ...]:
    first = make_wheel(folder / MILD, PLATFORMS[X], {NATIVE: code(X)})
    return first, make_wheel(folder / f"{MILD}2", PLATFORMS[X], {NATIVE: code(X)})


def strange_files(folder: Path) -> Iterator[Path]:
    """Make files for lipo with names that turn, and with members that do."""
    for name, data in (
        (f"{EVIL}.so", code(X)),
        (f"\n{FORGED}", code(A)),
        ("a.a", archive(archive_member(EVIL, image(CPUS[X], [], b"x")[:40]))),
        (f"{EVIL}.txt", b"text"),
    ):
        (folder / name).write_bytes(data)
        yield folder / name
