"""What check finds: every code on a wheel that deserves it, and silence on a sound one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from fatwheel.check.finding import Finding, Severity, worse_than
from fatwheel.check.verdict import check_wheel
from fatwheel.deflate.inflaters import Inflater, available_inflaters
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.macho import ARM64E, I386, X86_64H
from tests.support.wheels import (
    DIST_INFO,
    NATIVE,
    PLATFORMS,
    A,
    Side,
    X,
    code,
    dylib,
    edit,
    make_pair,
    make_wheel,
    program,
    record_of,
    static,
    stub,
    tamper,
    universal,
)

UNIVERSAL2 = "macosx_10_13_universal2"
FAT = universal(code(X), code(A))
SOUND: dict[str, bytes] = {"pkg/__init__.py": b"", NATIVE: FAT}


def fused(folder: Path, files: Side = SOUND, **options: Any) -> Path:
    """A finished wheel, made without fatwheel."""
    return make_wheel(folder, options.pop("platform", UNIVERSAL2), files, **options)


def report(*members: str, action: str = "allow") -> dict[str, bytes]:
    """fatwheel.json with a decision for each member."""
    decisions = [
        {"member": m, "action": action, "by": "--rule", "reason": "asked for"} for m in members
    ]
    return {f"{DIST_INFO}/fatwheel.json": json.dumps({"decisions": decisions}).encode()}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wheel and what must be found in it."""

    code: str
    severity: str
    message: str
    member: str | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    change: Any = None
    universal2: bool = False


LIBZ, OPT, OMP = "@loader_path/libz.dylib", "/opt/libz.dylib", "@rpath/libomp.dylib"
WEAK = 0x80000018  # LC_LOAD_WEAK_DYLIB
LOADED = code(A, loads=[LIBZ])


def framework(name: str, *loads: str, version: str = "5") -> dict[str, bytes]:
    """The library of a framework in `pkg`, with the copies that a wheel has instead of symbolic links."""
    data = universal(dylib(X, loads=loads), dylib(A, loads=loads))
    places = (f"Versions/{version}/", "Versions/Current/", "")
    return {f"pkg/Frameworks/{name}.framework/{place}{name}": data for place in places}


PROVIDED = [
    "@rpath/libtorch.dylib",
    "@rpath/QtCore.framework/Versions/5/QtCore",
    "@loader_path/../shiboken6/lib.dylib",
    "@loader_path/../shiboken6/lib/x.dylib",
]
REQUIRING = (
    b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n"
    b"Requires-Dist: torch>=2\nRequires-Dist: PyQt5-Qt5\nRequires-Dist: shiboken6==6.9.1\n"
    b"Requires-Dist: omp; extra == 'x'\n"
)
OUTSIDE = "@loader_path/../../../a.dylib"
FRAMEWORKS = {**framework("Y", OUTSIDE), **framework("Z", OUTSIDE, OUTSIDE)}
CASES = {
    "damaged": Case(
        code="FW001",
        severity="error",
        member="pkg/__init__.py",
        message="has CRC-32 00000000, the directory says 00000001",
        change=lambda path: tamper(path, "pkg/__init__.py", crc=1),
    ),
    "truncated": Case(
        code="FW001",
        severity="error",
        message="end record",
        change=lambda path: edit(path, lambda data: data.__delitem__(slice(-9, None))),
    ),
    "fatwheel.json is none": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (JSONDecodeError(",
        files={f"{DIST_INFO}/fatwheel.json": b"{"},
    ),
    "fatwheel.json without decisions": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (KeyError('decisions'))",
        files={f"{DIST_INFO}/fatwheel.json": b"{}"},
    ),
    "fatwheel.json is something else": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (TypeError(",
        files={f"{DIST_INFO}/fatwheel.json": b'{"decisions": [1]}'},
    ),
    "fatwheel.json is deeper than anything": Case(
        code="FW001",
        severity="error",
        member=f"{DIST_INFO}/fatwheel.json",
        message="is not what fatwheel writes (ValueError('it is nested too deeply'))",
        files={f"{DIST_INFO}/fatwheel.json": b"[" * 200_000},
    ),
    "the wheel package disagrees": Case(
        code="FW002",
        severity="warning",
        message="the wheel package's own reader refuses it: Missing",
        options={"dist_info": "pkg-1.0.0.dist-info"},
    ),
    "hash": Case(
        code="FW101",
        severity="error",
        member=NATIVE,
        message="RECORD says sha256=",
        options={"record": lambda files: record_of(files, wrong=[NATIVE])},
        also=("FW002",),
    ),
    "unlisted": Case(
        code="FW102",
        severity="error",
        member=NATIVE,
        message="RECORD does not list it",
        options={
            "record": lambda files: record_of({n: d for n, d in files.items() if n != NATIVE})
        },
        also=("FW002",),
    ),
    "absent": Case(
        code="FW103",
        severity="error",
        member="pkg/gone.py",
        message="RECORD lists it, the archive has it not",
        options={"record": lambda files: record_of({**files, "pkg/gone.py": b""})},
    ),
    "another project's METADATA": Case(
        code="FW204",
        severity="error",
        member="pkg-1.0.dist-info/METADATA",
        message="speaks of other 2, the file name of pkg 1.0",
        options={"metadata": b"Metadata-Version: 2.1\nName: other\nVersion: 2\n"},
    ),
    "METADATA without a name": Case(
        code="FW204",
        severity="error",
        member="pkg-1.0.dist-info/METADATA",
        message="speaks of no name and version, the file name of pkg 1.0",
        options={"metadata": b"\xff\xfeN\0a\0m\0e\0"},
    ),
    "malformed": Case(
        code="FW105",
        severity="error",
        member="pkg-1.0.dist-info/RECORD",
        message="2 fields instead of path, hash, size",
        options={"record": lambda files: record_of(files) + "a,b\n"},
        also=("FW002",),
    ),
    "unhashed": Case(
        code="FW104",
        severity="error",
        member="pkg/__init__.py",
        message="RECORD gives no hash for it",
        options={
            "record": lambda files: re.sub(r"(pkg/__init__.py),.*", r"\1,,", record_of(files))
        },
        also=("FW002",),
    ),
    "two files that are one": Case(
        code="FW106",
        severity="error",
        member="pkg/D.txt",
        message="is the same file as pkg-1.0.data/purelib/pkg/d.txt on macOS once both are installed",
        files={"pkg-1.0.data/purelib/pkg/d.txt": b"", "pkg/D.txt": b""},
    ),
    "a scheme that nobody knows": Case(
        code="FW107",
        severity="error",
        member="pkg-1.0.data/Purelib/d.txt",
        message="lies in none of .data's folders purelib, platlib, scripts, headers, data, so installers",
        files={"pkg-1.0.data/Purelib/d.txt": b""},
    ),
    "a script in a folder": Case(
        code="FW108",
        severity="warning",
        member="pkg-1.0.data/scripts/sub/tool",
        message="is a script in a folder of its own; uv refuses such a wheel",
        files={"pkg-1.0.data/scripts/sub/tool": b""},
    ),
    "set-uid": Case(
        code="FW109",
        severity="warning",
        member=NATIVE,
        message="has the set-uid and set-gid bit set (mode 0o6755), which no installer hands on",
        options={"modes": {NATIVE: 0o6755}},
    ),
    "fewer tags": Case(
        code="FW201",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are fewer than those of the file name, by which pip goes; in one of the two only",
        options={
            "platform": "macosx_10_13_x86_64.macosx_11_0_arm64",
            "wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_x86_64\n",
        },
    ),
    "tags of fewer architectures": Case(
        code="FW201",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are others than those of the file name, by which pip goes; in one of the two only",
        options={"wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_11_0_arm64\n"},
    ),
    "tags of the other architecture": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are not those of the file name; in one of the two only",
        files={NATIVE: code(A)},
        options={
            "platform": PLATFORMS[A],
            "wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_x86_64\n",
        },
    ),
    "tags of any platform": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="its tags are not those of the file name; in one of the two only",
        options={"wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-any\n"},
    ),
    "tags": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="in one of the two only: cp311-cp311-macosx_10_13_universal2, cp312-cp312-macosx_10_13_",
        options={"wheel_text": "Wheel-Version: 1.0\nTag: cp311-cp311-macosx_10_13_universal2\n"},
    ),
    "no WHEEL tags": Case(
        code="FW201",
        severity="error",
        member=f"{DIST_INFO}/WHEEL",
        message="in one of the two only: cp312-cp312-macosx_10_13_universal2",
        options={"wheel_text": "Wheel-Version: 1.0\n"},
    ),
    "a thin wheel": Case(
        code="FW202",
        severity="error",
        message="its file name promises nothing for x86_64 on macOS",
        options={"platform": PLATFORMS[A]},
        universal2=True,
    ),
    "a wheel for Linux that should be universal2": Case(
        code="FW202",
        severity="error",
        message="its file name promises nothing for x86_64 and arm64 on macOS",
        options={"platform": "manylinux_2_28_x86_64"},
        universal2=True,
    ),
    "a wheel for Linux": Case(
        code="FW207",
        severity="note",
        message="is not for macOS but for manylinux_2_28_x86_64; it holds no macOS code",
        files={NATIVE: b"ELF"},
        options={"platform": "manylinux_2_28_x86_64"},
    ),
    "a wheel for processors of old": Case(
        code="FW207",
        severity="note",
        message="is for neither x86_64 nor arm64 but for macosx_10_4_ppc; it holds no macOS code",
        files={NATIVE: b""},
        options={"platform": "macosx_10_4_ppc"},
    ),
    "a wheel for any platform": Case(
        code="FW207",
        severity="note",
        message="is for any platform, and so installed on every Mac; it holds 1 file with x86_64 code and 2",
        files={"pkg/a.dylib": dylib(A)},
        options={"platform": "any"},
    ),
    "tags in another order": Case(
        code="FW205",
        severity="warning",
        message="its file name has the tags macosx_11_0_arm64.macosx_10_13_x86_64, which are not sorted",
        options={"platform": "macosx_11_0_arm64.macosx_10_13_x86_64"},
    ),
    "several tags in one line": Case(
        code="FW206",
        severity="warning",
        member=f"{DIST_INFO}/WHEEL",
        message="has cp312-cp312-macosx_10_13_x86_64.macosx_11_0_arm64 in one Tag line, which stands for",
        options={
            "platform": "macosx_10_13_x86_64.macosx_11_0_arm64",
            "wheel_text": (
                "Wheel-Version: 1.0\nTag: cp312-cp312-macosx_10_13_x86_64.macosx_11_0_arm64\n"
            ),
        },
    ),
    "x86_64 code needs more": Case(
        code="FW203",
        severity="warning",
        member=NATIVE,
        message="its x86_64 code needs macOS 10.15, the tags promise 10.13",
        files={NATIVE: universal(code(X, minos=(10, 15)), code(A))},
    ),
    "arm64 code needs more": Case(
        code="FW203",
        severity="warning",
        member=NATIVE,
        message="its arm64 code needs macOS 12.3, the tags promise 11.0",
        files={NATIVE: universal(code(X), code(A, minos=(12, 3)))},
    ),
    "a module of one architecture": Case(
        code="FW301",
        severity="error",
        member="pkg/one.so",
        message="holds no code for arm64",
        files={"pkg/one.so": code(X)},
    ),
    "a dylib that the other architecture loads": Case(
        code="FW301",
        severity="error",
        member="pkg/libz.dylib",
        message="holds no code for arm64",
        files={NATIVE: universal(code(X), LOADED), "pkg/libz.dylib": dylib(X)},
    ),
    "a module of neither architecture": Case(
        code="FW301",
        severity="error",
        member="pkg/old.so",
        message="holds no code for x86_64 or arm64, but for i386, and Python would import it",
        files={"pkg/old.so": code(X, cpu=I386)},
    ),
    "a dylib of neither architecture that is loaded": Case(
        code="FW301",
        severity="error",
        member="pkg/libz.dylib",
        message="holds no code for x86_64 or arm64, but for i386, and code for arm64 loads it",
        files={NATIVE: universal(code(X), LOADED), "pkg/libz.dylib": dylib(X, cpu=I386)},
    ),
    "an arm64 wheel whose libraries are all for x86_64": Case(
        code="FW301",
        severity="error",
        member="pkg/libz.dylib",
        message="holds no code for arm64, as no library in the wheel does",
        files={NATIVE: code(A), "pkg/libz.dylib": dylib(X)},
        options={"platform": PLATFORMS[A]},
    ),
    "a dylib of one architecture": Case(
        code="FW302",
        severity="note",
        member="pkg/libz.dylib",
        message="holds no code for x86_64, and no x86_64 code in the wheel loads it",
        files={NATIVE: universal(code(X), LOADED), "pkg/libz.dylib": dylib(A)},
    ),
    "a static library of one architecture": Case(
        code="FW302",
        severity="note",
        member="pkg/libz.a",
        message="holds no code for arm64",
        files={"pkg/libz.a": static(X)},
    ),
    "a module of one architecture that a rule allowed": Case(
        code="FW303",
        severity="note",
        member="pkg/one.so",
        message="holds no code for arm64, as --rule decided (asked for)",
        files={"pkg/one.so": code(X), **report("pkg/one.so")},
    ),
    "a module that another one gave way to": Case(
        code="FW309",
        severity="warning",
        member="pkg/one.so",
        message="holds no code for arm64, as --rule decided (asked for)",
        files={"pkg/one.so": code(X), **report("pkg/one.so", action="keep-x86_64")},
    ),
    "all code for x86_64": Case(
        code="FW304",
        severity="error",
        message="all its code is for x86_64 only; fuse it with the arm64 wheel",
        files={NATIVE: code(X), "pkg/m.so": code(X)},
    ),
    "all code for arm64": Case(
        code="FW304",
        severity="error",
        message="all its code is for arm64 only; fuse it with the x86_64 wheel",
        files={NATIVE: code(A), "pkg/m.so": code(A)},
    ),
    "all code for x86_64 in an arm64 wheel": Case(
        code="FW304",
        severity="error",
        message="promises arm64, and all its code is for x86_64 only; build it anew for arm64",
        files={NATIVE: b"", "pkg/libz.dylib": dylib(X), "pkg/libz.a": static(X)},
        options={"platform": PLATFORMS[A]},
    ),
    "all code for arm64 in an x86_64 wheel": Case(
        code="FW304",
        severity="error",
        message="promises x86_64, and all its code is for arm64 only; build it anew for x86_64",
        files={NATIVE: code(A), "pkg/tool": program(A)},
        options={"platform": PLATFORMS[X]},
        also=("FW202",),
    ),
    "all code for x86_64 but for what is named arm64": Case(
        code="FW304",
        severity="error",
        message="promises universal2, and all its code is for x86_64 only; fuse it with the arm64",
        files={NATIVE: code(X), "pkg/attach_arm64.dylib": dylib(A)},
    ),
    "all code for arm64, as was decided": Case(
        code="FW303",
        severity="note",
        member=NATIVE,
        message="holds no code for x86_64, as --rule decided (asked for)",
        files={NATIVE: code(A), **report(NATIVE)},
    ),
    "no code": Case(
        code="FW305",
        severity="warning",
        message="no file in it holds code",
        files={NATIVE: b"text"},
    ),
    "a malformed image": Case(
        code="FW306",
        severity="warning",
        member="pkg/data.bin",
        message="begins like a Mach-O file, archive or text stub, but ",
        files={"pkg/data.bin": code(X)[:40]},
    ),
    "a malformed stub": Case(
        code="FW306",
        severity="warning",
        member="pkg/libz.tbd",
        message="or text stub, but names no target, so nothing links with it",
        files={"pkg/libz.tbd": stub()},
    ),
    "an unsigned module": Case(
        code="FW307",
        severity="error",
        member=NATIVE,
        message="its arm64 code is not signed",
        files={NATIVE: universal(code(X, signed=False), code(A, signed=False))},
    ),
    "a program with a payload": Case(
        code="FW308",
        severity="error",
        member="pkg/tool",
        message="its x86_64 program carries 9 bytes of its own at the end",
        files={"pkg/tool": universal(program(X, trailing=b"123456789"), program(A))},
    ),
    "a module for iOS beside one for macOS": Case(
        code="FW310",
        severity="error",
        member=NATIVE,
        message="holds no macOS code for arm64, but for x86_64 and arm64 on iOS, and Python would import",
        files={NATIVE: universal(code(X), code(A, platform=2)), "pkg/m.so": FAT},
    ),
    "a library for Catalyst beside one for macOS": Case(
        code="FW310",
        severity="error",
        member="pkg/libz.dylib",
        message="holds no macOS code for x86_64, but for x86_64 on Mac Catalyst and arm64",
        files={"pkg/libz.dylib": universal(dylib(X, platform=6), dylib(A))},
    ),
    "an archive of objects for the simulator": Case(
        code="FW310",
        severity="error",
        member="pkg/libz.a",
        message="holds no macOS code for arm64, but for x86_64 and arm64 on the iOS simulator",
        files={"pkg/libz.a": universal(static(X), static(A, platform=7), align=3)},
    ),
    "all code for iOS": Case(
        code="FW310",
        severity="error",
        member="pkg/libz.dylib",
        message="holds no macOS code for arm64, but for arm64 on iOS",
        files={NATIVE: b"", "pkg/libz.dylib": dylib(A, platform=2)},
        options={"platform": PLATFORMS[A]},
    ),
    "a library for iOS that is data": Case(
        code="FW311",
        severity="warning",
        member="pkg/ios/libz.dylib",
        message="holds no macOS code for x86_64 or arm64, but for arm64 on iOS, and nothing in the wheel",
        files={"pkg/ios/libz.dylib": dylib(A, platform=2)},
    ),
    "a template for processors of old": Case(
        code="FW311",
        severity="warning",
        member="pkg/Launcher.in",
        message="holds no code for x86_64 or arm64, but for ppc and i386, and nothing in the wheel uses",
        files={
            "pkg/Launcher.in": universal(program(X, cpu=(18, 0)), program(X, cpu=I386), align=12)
        },
    ),
    "a stub for arm64 alone": Case(
        code="FW312",
        severity="warning",
        member="pkg/libz.tbd",
        message="is a text stub for arm64-macos, arm64-ios, so nothing links with it for x86_64",
        files={"pkg/libz.tbd": stub("arm64-macos", "arm64-ios")},
    ),
    "a stub for x86_64 alone in an arm64 wheel": Case(
        code="FW312",
        severity="warning",
        member="pkg/libz.tbd",
        message="is a text stub for x86_64-macos, so nothing links with it for arm64",
        files={NATIVE: code(A), "pkg/libz.tbd": stub("x86_64-macos")},
        options={"platform": PLATFORMS[A]},
    ),
    "a stub for arm64 alone, as was decided": Case(
        code="FW312",
        severity="warning",
        member="pkg/libz.tbd",
        message="so nothing links with it for x86_64, as --rule decided",
        files={"pkg/libz.tbd": stub("arm64-macos"), **report("pkg/libz.tbd", action="keep-arm64")},
    ),
    "thread-locals that crash": Case(
        code="FW313",
        severity="error",
        member=NATIVE,
        message="its x86_64 thread-local variables begin at 0x1008, 8 bytes beside the alignment of 16",
        files={NATIVE: universal(code(X, thread_locals=(0x1008, 4)), code(A))},
    ),
    "thread-locals that are misaligned in silence": Case(
        code="FW314",
        severity="warning",
        member=NATIVE,
        message="its arm64 thread-local variables begin at 0x1008, 8 bytes beside the alignment of 16",
        files={NATIVE: universal(code(X), code(A, thread_locals=(0x1008, 4)))},
    ),
    "a module that one slice does not export": Case(
        code="FW315",
        severity="error",
        member="pkg/m.so",
        message="its arm64 code does not export PyInit_m, as its code for the other architecture does",
        files={
            "pkg/m.so": universal(code(X, exports=["_PyInit_m"]), code(A, exports=["_PyInit_n"]))
        },
    ),
    "a module under another name": Case(
        code="FW315",
        severity="warning",
        member="pkg/m.so",
        message="its x86_64 and arm64 code does not export PyInit_m, but PyInit_n: importing it by its own",
        files={
            "pkg/m.so": universal(code(X, exports=["_PyInit_n"]), code(A, exports=["_PyInit_n"]))
        },
    ),
    "libraries with modules' names": Case(
        code="FW315",
        severity="note",
        member="pkg/m.abi3.so",
        message="does not export PyInit_m, nor does 1 more file its own, so Python cannot import it; a library",
        files={
            "pkg/m.abi3.so": universal(code(X, exports=["_f"]), code(A, exports=[])),
            "pkg/n.cpython-312-darwin.so": universal(code(X, exports=[]), code(A, exports=[])),
        },
    ),
    "a module that one slice does not export, the other way round": Case(
        code="FW315",
        severity="error",
        member="pkg/m.so",
        message="its x86_64 code does not export PyInit_m, as its code for the other architecture does",
        files={"pkg/m.so": universal(code(X, exports=[]), code(A, exports=["_PyInit_m"]))},
    ),
    "a bundle here and a dylib there": Case(
        code="FW316",
        severity="warning",
        member="pkg/a.dylib",
        message="is a bundle for x86_64 and a dynamic library for arm64: built in two ways",
        files={"pkg/a.dylib": universal(code(X), dylib(A))},
    ),
    "arm64e besides": Case(
        code="FW317",
        severity="note",
        member=NATIVE,
        message="holds arm64e code besides, which macOS runs in programs of Apple's own only",
        files={NATIVE: universal(code(X), code(A), code(A, cpu=ARM64E))},
    ),
    "encrypted code": Case(
        code="FW318",
        severity="error",
        member=NATIVE,
        message="its arm64 code is encrypted, as Apple's stores deliver it, and runs nowhere else",
        files={NATIVE: universal(code(X), code(A, encrypted=1))},
    ),
    "a slice that no page begins with": Case(
        code="FW319",
        severity="error",
        member=NATIVE,
        message="its slice for arm64 begins at byte 4096, which is no multiple of 16384: macOS does not load",
        files={NATIVE: universal(code(A), align=12)},
        options={"platform": PLATFORMS[A]},
    ),
    "symbols that nothing exports": Case(
        code="FW320",
        severity="note",
        member=NATIVE,
        message=(
            "its arm64 code takes _gone, _lost from whatever is loaded, and nothing in the wheel exports that, as 1 "
            "more file does of others"
        ),
        files={
            NATIVE: universal(
                code(X, exports=["_PyInit__native"], undefined=[("_gone", 254)]),
                code(A, exports=["_PyInit__native"], undefined=[("_gone", 254), ("_lost", 254)]),
            ),
            "pkg/tool": universal(program(X, undefined=[("_gone", 254)]), program(A)),
        },
    ),
    "a symbol that the library does not export": Case(
        code="FW321",
        severity="warning",
        member=NATIVE,
        message="its arm64 code takes _gone from pkg/libz.dylib, which does not export that",
        files={
            NATIVE: universal(code(X), code(A, loads=[LIBZ], undefined=[("_gone", 1), ("_f", 1)])),
            "pkg/libz.dylib": universal(dylib(X), dylib(A, exports=["_f"])),
        },
    ),
    "copies in a framework": Case(
        code="FW402",
        severity="note",
        message=(
            "2 copies of framework libraries, where frameworks have symbolic links, would not find what they load: "
            "pkg/Frameworks/Y.framework/Y loads @loader_path/../../../a.dylib, which is there for "
            "pkg/Frameworks/Y.framework/Versions/5/Y; nothing in the wheel loads the copies"
        ),
        files={**FRAMEWORKS, "pkg/Frameworks/a.dylib": universal(dylib(X), dylib(A))},
    ),
    "a weak load that leads to nothing": Case(
        code="FW401",
        severity="note",
        member=NATIVE,
        message="its arm64 code loads @loader_path/libz.dylib, which is not in the wheel",
        files={NATIVE: universal(code(X), code(A, loads=[LIBZ], kinds={LIBZ: WEAK}))},
    ),
    "a load of a library that nothing imports": Case(
        code="FW401",
        severity="warning",
        member="pkg/liba.dylib",
        message="its x86_64 code loads @loader_path/libz.dylib, which is not in the wheel",
        files={"pkg/liba.dylib": universal(dylib(X, loads=[LIBZ]), dylib(A))},
    ),
    "a load that leads to nothing, two loads behind a module": Case(
        code="FW401",
        severity="error",
        member="pkg/liba.dylib",
        message="not in the wheel, so that importing an extension module fails",
        files={
            NATIVE: universal(code(X), code(A, loads=["@loader_path/liba.dylib"])),
            "pkg/liba.dylib": universal(dylib(X), dylib(A, loads=[LIBZ])),
        },
    ),
    "a load that leads to nothing": Case(
        code="FW401",
        severity="error",
        member=NATIVE,
        message="its arm64 code loads @loader_path/libz.dylib, which is not in the wheel, so that importing",
        files={NATIVE: universal(code(X), LOADED)},
    ),
    "a load that leaves the wheel": Case(
        code="FW403",
        severity="warning",
        member=NATIVE,
        message="its arm64 code loads @loader_path/../other/liba.dylib: out of the wheel, and no requirement",
        files={NATIVE: universal(code(X), code(A, loads=["@loader_path/../other/liba.dylib"]))},
    ),
    "a plug-in of a program that others have": Case(
        code="FW404",
        severity="note",
        member="pkg/plugins/sql.dylib",
        message="its x86_64 code loads /Applications/Postgres.app/libpq.dylib: no part of macOS",
        files={
            "pkg/plugins/sql.dylib": universal(
                dylib(X, loads=["/Applications/Postgres.app/libpq.dylib"]), dylib(A)
            )
        },
    ),
    "a weak load of what others may have": Case(
        code="FW404",
        severity="note",
        member=NATIVE,
        message="its x86_64 code loads /opt/libz.dylib: no part of macOS or of the wheel, so other",
        files={NATIVE: universal(code(X, loads=[OPT], kinds={OPT: WEAK}), code(A))},
    ),
    "loads of the building machine's libraries": Case(
        code="FW404",
        severity="warning",
        member=NATIVE,
        message=(
            "its x86_64 and arm64 code loads /opt/libz.dylib, /usr/local/lib/liba.dylib: no part of macOS or of the "
            "wheel, so other machines may lack it, as in 1 more file"
        ),
        files={
            NATIVE: universal(code(X, loads=[OPT]), code(A, loads=["/usr/local/lib/liba.dylib"])),
            "pkg/tool": universal(program(X, loads=[OPT]), program(A)),
        },
    ),
    "an rpath of the building machine that is the only one": Case(
        code="FW405",
        severity="warning",
        member=NATIVE,
        message=(
            "its arm64 code loads @rpath/libomp.dylib, and only the LC_RPATH /Users/runner/lib leads there, out of"
        ),
        files={NATIVE: universal(code(X), code(A, loads=[OMP], rpaths=["/Users/runner/lib"]))},
        also=("FW408",),
    ),
    "a library that has another name": Case(
        code="FW406",
        severity="warning",
        member=NATIVE,
        message=(
            "its arm64 code loads @rpath/libomp.dylib, to which nothing leads; it is the install name of "
            "pkg/libother.dylib, so dyld finds it only if that was loaded before"
        ),
        files={
            NATIVE: universal(code(X), code(A, loads=[OMP])),
            "pkg/libother.dylib": universal(dylib(X), dylib(A, install_name=OMP)),
        },
    ),
    "a library that is nowhere": Case(
        code="FW407",
        severity="note",
        member=NATIVE,
        message="its arm64 code loads @rpath/libomp.dylib: not in the wheel, and no requirement is named",
        files={NATIVE: universal(code(X), code(A, loads=[OMP], rpaths=["@loader_path"]))},
    ),
    "loads that what runs decides": Case(
        code="FW407",
        severity="note",
        member=NATIVE,
        message="its arm64 code loads libomp.dylib, @executable_path/liba.dylib: not in the wheel, and",
        files={
            NATIVE: universal(
                code(X), code(A, loads=["libomp.dylib", "@executable_path/liba.dylib"])
            )
        },
    ),
    "rpaths of the building machine": Case(
        code="FW408",
        severity="note",
        member="pkg/_native.cpython-312-darwin.so",
        message=(
            "searches /Users/runner/lib and 1 other for libraries (LC_RPATH), as 1 more file of the wheel: folders"
        ),
        files={
            NATIVE: universal(code(X, rpaths=["/Users/runner/lib", "/usr/lib/swift"]), code(A)),
            "pkg/liba.dylib": universal(dylib(X), dylib(A, rpaths=["/opt/lib"])),
        },
    ),
    "a load of a bundle": Case(
        code="FW409",
        severity="error",
        member=NATIVE,
        message="its arm64 code loads pkg/libz.dylib as a library, which is a bundle or a program; dyld",
        files={NATIVE: universal(code(X), LOADED), "pkg/libz.dylib": FAT},
    ),
}


@pytest.mark.parametrize("label", CASES)
def test_found(label: str, tmp_path: Path) -> None:
    case = CASES[label]
    path = fused(tmp_path, {**SOUND, **case.files}, **case.options)
    if case.change is not None:
        case.change(path)
    findings = check_wheel(path, universal2=case.universal2)
    assert {found.code for found in findings} - set(case.also) == {case.code}
    found = next(found for found in findings if found.code == case.code)
    assert (found.severity.value, found.member) == (case.severity, case.member)
    assert case.message in found.message


SILENT: dict[str, tuple[dict[str, bytes], dict[str, Any]]] = {
    "universal files": ({}, {}),
    "slices of further architectures": (
        {NATIVE: universal(code(X), code(X, cpu=(7, 3)), code(X, cpu=X86_64H), code(A))},
        {},
    ),
    "modules that export what Python calls": (
        {
            "pkg/m.so": universal(code(X, exports=["_PyInit_m"]), code(A, exports=["_PyInit_m"])),
            "pkg/n.cpython-315-darwin.so": universal(
                code(X, exports=["_PyModExport_n"]), code(A, exports=["_PyInit_n", "_PyInit_o"])
            ),
            "pkg/é.so": universal(code(X, exports=["_PyInitU_9ca"]), code(A)),
            "pkg/libz.so": universal(code(X, exports=["_f"]), code(A, exports=["_f"])),
        },
        {},
    ),
    "symbols that others export": (
        {
            NATIVE: universal(
                code(X, loads=["/usr/lib/a", LIBZ], undefined=[("_f", 2), ("_g", 254), ("_h", 1)]),
                code(A),
            ),
            "pkg/libz.dylib": universal(dylib(X, exports=["_f"]), dylib(A)),
            "pkg/m.so": universal(code(X, exports=["_PyInit_m", "_g"]), code(A)),
        },
        {},
    ),
    "symbols that a library with unknown exports may have": (
        {
            NATIVE: universal(code(X, loads=[LIBZ], undefined=[("_f", 1), ("_g", 254)]), code(A)),
            "pkg/libz.dylib": universal(dylib(X), dylib(A)),
        },
        {},
    ),
    "code that could be encrypted and is not": (
        {NATIVE: universal(code(X, encrypted=0), code(A, encrypted=0))},
        {},
    ),
    "objects where no page begins": (
        {"pkg/a.o": universal(code(X, kind=1), code(A, kind=1), align=3)},  # type: ignore[arg-type]
        {},
    ),
    "older code": ({NATIVE: universal(code(X, minos=(10, 4)), code(A, minos=(11, 0)))}, {}),
    "an unsigned x86_64 slice": ({NATIVE: universal(code(X, signed=False), code(A))}, {}),
    "an unsigned object file": (
        {"pkg/a.o": universal(code(X, kind=1), code(A, kind=1, signed=False))},  # type: ignore[arg-type]
        {},
    ),
    "loads that are there, or the system's, or found by rpath": (
        {
            NATIVE: universal(
                code(
                    X, loads=["/usr/lib/libz.dylib", "@rpath/libz.dylib"], rpaths=["@loader_path"]
                ),
                LOADED,
            ),
            "pkg/libz.dylib": universal(dylib(X), dylib(A)),
        },
        {},
    ),
    "loads of what a requirement is named like": (
        {NATIVE: universal(code(X), code(A, loads=PROVIDED, rpaths=["@loader_path"]))},
        {"metadata": REQUIRING},
    ),
    "a wheel without code for any platform": ({NATIVE: b""}, {"platform": "any"}),
    "a thin wheel": ({NATIVE: code(A)}, {"platform": PLATFORMS[A]}),
    "rows in sha512": ({}, {"record": lambda files: record_of(files, algorithm="sha512")}),
    "signatures": (
        {f"{DIST_INFO}/RECORD.jws": b"1"},
        {"record": lambda f: record_of({n: d for n, d in f.items() if not n.endswith("jws")})},
    ),
    "two platform tags": ({}, {"platform": "macosx_10_13_x86_64.macosx_12_0_universal2"}),
    "thin tags of both architectures": (
        {},
        {"platform": "macosx_10_13_x86_64.macosx_11_0_arm64"},
    ),
    "code for Catalyst that is a program": (
        {"pkg/tool": universal(program(X, platform=6), program(A))},
        {},
    ),
    "an iOS slice for an architecture that is not promised": (
        {"pkg/libz.dylib": universal(dylib(X), dylib(A), dylib(A, cpu=ARM64E, platform=2))},
        {},
    ),
    "stubs": (
        {
            "pkg/libz.tbd": stub("x86_64-macos", "arm64-macos"),
            "pkg/libe.tbd": stub("x86_64-macos", "arm64e-macos"),
            "pkg/liby.tbd": stub("arm64-ios"),
            "pkg/large.tbd": stub("x86_64-macos", "arm64-macos") + b"# " + b"x" * 100_000,
        },
        {},
    ),
    "thread-locals that are aligned": (
        {NATIVE: universal(code(X, thread_locals=(0x1010, 4)), code(A, thread_locals=(0x1008, 3)))},
        {},
    ),
    "frameworks with copies that find everything": (
        framework("Z", "@loader_path/Z"),
        {},
    ),
    "a build tag": ({}, {"build": "1"}),
    "directory entries": ({}, {"folders": ["pkg/", f"{DIST_INFO}/"]}),
    "Java classes and empty files": (
        {"pkg/a.class": b"\xca\xfe\xba\xbe\0\0\0\x34", "pkg/empty.so": b""},
        {},
    ),
}


@pytest.mark.parametrize("label", SILENT)
@pytest.mark.parametrize(
    "inflater", list(available_inflaters()), ids=lambda inflater: inflater.name
)
def test_a_sound_wheel_is_passed_in_silence(label: str, inflater: Inflater, tmp_path: Path) -> None:
    files, options = SILENT[label]
    path = fused(tmp_path, {**SOUND, **files}, **options)
    assert check_wheel(path, inflater=inflater) == ()


def test_a_real_fused_wheel_is_passed_in_silence(tmp_path: Path) -> None:
    x86_64, arm64 = SMALL_PAIR
    assert check_wheel(fuse_wheels(x86_64, arm64, tmp_path, FuseOptions()).path) == ()


def test_every_code_of_the_documentation_is_tested_and_the_other_way_round() -> None:
    text = (ROOT / "docs" / "checks.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| (FW\d{3}) \| (\w+) \|", text, re.MULTILINE))
    signatures = Path(__file__).with_name("test_signatures.py").read_text("utf-8")
    elsewhere = {code_ for code_ in documented if code_.startswith("FW33") and code_ in signatures}
    tested = {case.code: case.severity for case in CASES.values()}
    assert {c: s for c, s in documented.items() if c not in elsewhere} == tested
    assert {"FW330", "FW331", "FW332", "FW333", "FW334"} <= elsewhere


def test_a_thin_wheel_is_held_to_its_own_promise(tmp_path: Path) -> None:
    x86_64, arm64 = make_pair(tmp_path)
    assert [f.code for path in (x86_64, arm64) for f in check_wheel(path)] == []


def test_a_library_that_is_named_after_the_other_architecture_is_no_mistake(tmp_path: Path) -> None:
    files = {"pkg/attach_x86_64.dylib": dylib(X)}
    found = check_wheel(fused(tmp_path, {NATIVE: code(A), **files}, platform=PLATFORMS[A]))
    assert [f.code for f in found] == ["FW302"]
    found = check_wheel(fused(tmp_path / "alone", {**files}, platform=PLATFORMS[A]))
    assert [f.code for f in found] == ["FW302"]


def test_a_library_for_the_other_architecture_beside_others_may_be_a_mistake(
    tmp_path: Path,
) -> None:
    files = {NATIVE: code(A), "pkg/libz.dylib": dylib(X), "pkg/liby.dylib": dylib(A)}
    found = check_wheel(fused(tmp_path, files, platform=PLATFORMS[A]))
    assert [(f.code, f.member) for f in found] == [("FW302", "pkg/libz.dylib")]


def loads_found(folder: Path, *parts: Mapping[str, bytes]) -> list[tuple[str, str | None, str]]:
    """What is said of load commands for arm64."""
    files = {name: data for part in parts for name, data in part.items()}
    found = check_wheel(fused(folder, {**SOUND, **files}))
    return [
        (f.code, f.member, f.message) for f in found if f.code >= "FW4" and "arm64" in f.message
    ]


def test_what_no_copy_of_a_framework_finds_is_said_once(tmp_path: Path) -> None:
    ((code_, member, message),) = loads_found(tmp_path, framework("Z", "@loader_path/none.dylib"))
    assert (code_, member) == ("FW401", "pkg/Frameworks/Z.framework/Versions/5/Z")
    assert message == "its arm64 code loads @loader_path/none.dylib, which is not in the wheel"


def test_a_copy_that_code_loads_is_a_library_of_its_own(tmp_path: Path) -> None:
    loads = ["@rpath/Z.framework/Z"]
    files = {
        NATIVE: universal(
            code(X, loads=loads, rpaths=["@loader_path/Frameworks"]),
            code(A, loads=loads, rpaths=["@loader_path/Frameworks"]),
        ),
        "pkg/Frameworks/a.dylib": universal(dylib(X), dylib(A)),
    }
    found = loads_found(tmp_path, framework("Z", OUTSIDE), files)
    assert [entry[:2] for entry in found] == [("FW403", "pkg/Frameworks/Z.framework/Z")]


def test_a_library_of_a_framework_that_differs_is_no_copy(tmp_path: Path) -> None:
    other = universal(dylib(X), dylib(A, b"other", loads=[OUTSIDE]))
    files = {
        **framework("Z", OUTSIDE),
        "pkg/Frameworks/a.dylib": universal(dylib(X), dylib(A)),
        "pkg/Frameworks/Z.framework/Z": other,
    }
    assert [entry[:2] for entry in loads_found(tmp_path, files)] == [
        ("FW403", "pkg/Frameworks/Z.framework/Z")
    ]


def test_what_is_no_wheel(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"")
    (finding,) = check_wheel(path)
    assert (finding.code, finding.member) == ("FW001", None)
    with pytest.raises(FileNotFoundError, match="none"):
        check_wheel(tmp_path / "none-1-py3-none-any.whl")


def test_errors_come_first_then_by_code_and_member(tmp_path: Path) -> None:
    files = {
        **SOUND,
        "pkg/b.so": code(X),
        "pkg/a.so": code(X, minos=(10, 15)),
        "pkg/libz.dylib": dylib(A),
        "pkg/c.bin": code(X)[:40],
    }
    path = fused(tmp_path, files, record=lambda all_: record_of(all_, wrong=["pkg/a.so"]))
    found = [(f.severity.value, f.code, f.member) for f in check_wheel(path)]
    errors = [
        ("error", "FW101", "pkg/a.so"),
        ("error", "FW301", "pkg/a.so"),
        ("error", "FW301", "pkg/b.so"),
    ]
    warnings = [("warning", "FW203", "pkg/a.so"), ("warning", "FW306", "pkg/c.bin")]
    notes = [("note", "FW302", "pkg/libz.dylib")]
    assert [entry for entry in found if entry[1] != "FW002"] == [*errors, *warnings, *notes]
    assert found[-1][1] == "FW302" or found.index(("warning", "FW002", None)) >= len(errors)


def finding(code_: str, member: str | None, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code=code_, severity=severity, member=member, message="m")


def test_worse_than_what_is_inherited() -> None:
    old = [finding("FW307", "a"), finding("FW301", "b", Severity.NOTE)]
    new = [
        finding("FW307", "a"),
        finding("FW307", "b"),
        finding("FW301", "a"),
        finding("FW203", "c", Severity.WARNING),
    ]
    assert worse_than(new, old) == (new[1], new[2])
    assert worse_than(new, new) == ()


def test_what_is_inherited_by_any_of_its_members() -> None:
    old = [replace(finding("FW330", "a"), others=("b", "c"))]
    rest = replace(finding("FW330", "b"), others=("c",))  # the first one was dropped
    more = replace(finding("FW330", "a"), others=("b", "d"))
    assert worse_than([rest, more], old) == (more,)
