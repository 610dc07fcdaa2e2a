"""What check says of a wheel as a whole: silence on a sound one, the order of findings, and what is inherited."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fatwheel.check.finding import Finding, Severity, worse_than
from fatwheel.check.verdict import check_wheel
from fatwheel.deflate.inflaters import Inflater, available_inflaters
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.findings import LIBZ, LOADED, SOUND, framework, fused
from tests.support.macho import ARM64E, X86_64H
from tests.support.wheels import (
    DIST_INFO,
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    dylib,
    program,
    record_of,
    stub,
    universal,
)

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
    tests = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    case = r'code="(FW\d{3})",\s*severity="(\w+)"|(?P<signature>"FW33\d")'
    found = [match for test in tests for match in re.finditer(case, test)]
    signatures = {match[3].strip('"') for match in found if match[3]}
    assert {match[1] for match in found if match[1]} | signatures == set(documented)
    plain = {(code_, said) for code_, said in documented.items() if code_ not in signatures}
    assert plain <= {(match[1], match[2]) for match in found}


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
