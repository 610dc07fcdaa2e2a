"""What check finds in what files hold, and in single images (FW203, FW301 to FW319)."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.check.verdict import check_wheel
from tests.support.findings import FAT, LOADED, Case, fused, report
from tests.support.macho import ARM64E, I386
from tests.support.wheels import (
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    dylib,
    make_pair,
    program,
    static,
    stub,
    universal,
)

CASES = {
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
    "a malformed library that code loads": Case(
        code="FW306",
        severity="error",
        member="pkg/libz.dylib",
        message=", and code of the wheel loads it: macOS refuses such a file",
        files={NATIVE: universal(code(X), LOADED), "pkg/libz.dylib": dylib(A)[:40]},
    ),
    "a malformed module": Case(
        code="FW306",
        severity="error",
        member="pkg/m.abi3.so",
        message=", and Python would import it: macOS refuses such a file",
        files={"pkg/m.abi3.so": code(X)[:40]},
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
}


@pytest.mark.parametrize("label", CASES)
def test_found(label: str, tmp_path: Path) -> None:
    CASES[label].check(tmp_path)


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
