"""Findings about code signatures and sealed bundles, in wheels read from disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fatwheel.check.finding import Finding, Severity
from fatwheel.check.signatures import fatal_signatures
from fatwheel.check.verdict import check_wheel
from fatwheel.macho.image import FileType, Image
from tests.support.corpus import SMALL_PAIR
from tests.support.required import require_pair
from tests.support.signing import LINKER_SIGNED, REQUIREMENTS, Directory
from tests.support.wheels import (
    NATIVE,
    A,
    X,
    altered,
    code,
    content_of,
    contents,
    dylib,
    make_wheel,
    program,
    universal,
)

PLATFORM = "macosx_10_13_universal2"
TEXT = bytes(at % 249 for at in range(20_000))
IN_PAGE_3 = 13_000
TWO = [Directory(kind=1), Directory(kind=2)]


def found_in(folder: Path, files: Mapping[str, bytes], **options: Any) -> list[Finding]:
    sound = {"pkg/__init__.py": b"", NATIVE: universal(code(X), code(A))}
    path = make_wheel(folder, options.pop("platform", PLATFORM), {**sound, **files}, **options)
    return list(check_wheel(path))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files and the findings about them: code, severity and a part of the message."""

    files: Mapping[str, bytes]
    findings: tuple[tuple[str, str, str], ...]
    others: tuple[str, ...] = ()
    member: str | None = NATIVE
    options: Mapping[str, Any] = field(default_factory=dict)


def module(**arm64: Any) -> dict[str, bytes]:
    """A module whose arm64 slice is made so."""
    return {NATIVE: universal(code(X, TEXT), code(A, TEXT, **arm64))}


WEAK = altered(code(A, TEXT, directories=TWO), IN_PAGE_3)
CASES = {
    "a page of arm64": Case(
        files={NATIVE: universal(code(X, TEXT), altered(code(A, TEXT), IN_PAGE_3))},
        findings=(
            (
                "FW331",
                "error",
                "page 3 (from byte 12288 on) of its arm64 code is not what was signed; macOS kills what loads it",
            ),
        ),
    ),
    "two pages of x86_64": Case(
        files={NATIVE: universal(altered(code(X, TEXT), IN_PAGE_3, 60), code(A, TEXT))},
        findings=(("FW332", "warning", "page 0 (from byte 0 on) and 1 more of its x86_64 code"),),
    ),
    "a page of both": Case(
        files={
            NATIVE: universal(altered(code(X, TEXT), 200), altered(code(A, TEXT), IN_PAGE_3)),
        },
        findings=(("FW331", "error", "page 3"), ("FW332", "warning", "page 0")),
    ),
    "a page by both directories": Case(
        files={NATIVE: universal(code(X, TEXT), WEAK)},
        findings=(
            ("FW331", "error", "page 3 (from byte 12288 on)"),
            ("FW333", "warning", "its SHA-1 hash is wrong, and macOS goes by SHA-256"),
        ),
    ),
    "a weak hash": Case(
        files=module(
            directories=[Directory(kind=1, special={2: b"x" * 20}), Directory()],
            blobs={2: REQUIREMENTS},
        ),
        findings=(
            (
                "FW333",
                "warning",
                "special slot 2 (requirements) in the signature of its arm64 code is not what was signed; its SHA-1",
            ),
        ),
    ),
    "a blob of the signature": Case(
        files=module(directories=[Directory(special={2: b"x" * 32})], blobs={2: REQUIREMENTS}),
        findings=(("FW331", "error", "special slot 2 (requirements) in the signature of its arm64"),),
    ),
    "a slot without a name": Case(
        files=module(directories=[Directory(special={9: b"x" * 32})], blobs={9: REQUIREMENTS}),
        findings=(("FW331", "error", "special slot 9 in the signature of its arm64 code"),),
    ),
    "a code limit": Case(
        files=module(directories=[Directory(limit=20_001)]),
        findings=(
            (
                "FW334",
                "error",
                "covers 20001 bytes, and 20144 lie before it, so a tool cut or stretched the file",
            ),
        ),
    ),
    "a code limit of x86_64": Case(
        files={NATIVE: universal(code(X, TEXT, directories=[Directory(limit=20_001)]), code(A))},
        findings=(("FW334", "error", "the signature of its x86_64 code covers"),),
    ),
    "malformed": Case(
        files={NATIVE: universal(code(X, TEXT), altered(code(A, TEXT), 20_144))},
        findings=(("FW330", "error", "arm64 code is malformed at byte 69296: the signature begins"),),
    ),
    "malformed on x86_64": Case(
        files={NATIVE: universal(altered(code(X, TEXT), 20_144), code(A, TEXT))},
        findings=(("FW330", "error", "signature of its x86_64 code is malformed"),),
    ),
    "pages of 16 KiB": Case(
        files={NATIVE: universal(code(X), altered(code(A, TEXT, directories=[Directory(page_bits=14)]), 19_000))},
        findings=(("FW331", "error", "page 1 (from byte 16384 on)"),),
    ),
    "one hash over everything": Case(
        files={NATIVE: universal(code(X), altered(code(A, TEXT, directories=[Directory(page_bits=0)]), 19_000))},
        findings=(("FW331", "error", "page 0 (from byte 0 on)"),),
    ),
    "SHA-384 beside SHA-256": Case(
        files={
            NATIVE: universal(
                code(X),
                altered(code(A, TEXT, directories=[Directory(), Directory(kind=4)]), IN_PAGE_3),
            )
        },
        findings=(
            ("FW331", "error", "page 3"),
            ("FW333", "warning", "its SHA-256 hash is wrong, and macOS goes by SHA-384"),
        ),
    ),
    "many files": Case(
        files={
            name: universal(dylib(X), altered(dylib(A, TEXT), 40))
            for name in ("pkg/b.dylib", "pkg/a.dylib", "pkg/c.dylib")
        },
        member="pkg/a.dylib",
        others=("pkg/b.dylib", "pkg/c.dylib"),
        findings=(("FW331", "error", "is not what was signed, as in 2 more files; macOS kills"),),
    ),
    "two files": Case(
        files={
            name: universal(program(X), altered(program(A, TEXT), 40)) for name in ("a", "b")
        },
        member="a",
        others=("b",),
        findings=(("FW331", "error", "as in 1 more file; "),),
    ),
    "stored": Case(
        files={NATIVE: universal(code(X), altered(code(A, TEXT), 40))},
        findings=(("FW331", "error", "page 0"),),
        options={"stored": [NATIVE]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", CASES)
def test_found(label: str, tmp_path: Path) -> None:
    case = CASES[label]
    findings = found_in(tmp_path, case.files, **case.options)
    assert [(found.code, found.severity.value) for found in findings] == [
        (code_, severity) for code_, severity, _ in case.findings
    ]
    for found, (_, _, message) in zip(findings, case.findings, strict=True):
        assert (found.member, found.others) == (case.member, case.others)
        assert message in found.message


SILENT = {
    "linker-signed": module(directories=[Directory(flags=LINKER_SIGNED)]),
    "two directories": module(directories=TWO),
    "all directories": module(directories=[Directory(kind=kind) for kind in (1, 3, 2, 4)]),
    "pages of 16 KiB": module(directories=[Directory(page_bits=14)]),
    "one hash over everything": module(directories=[Directory(page_bits=0)]),
    "requirements": module(blobs={2: REQUIREMENTS}),
    "an object file": {"pkg/a.o": universal(*(altered(code(arch, kind=FileType.OBJECT), 140) for arch in (X, A)))},
    "a dSYM": {"pkg/a": universal(*(altered(code(arch, kind=FileType.DSYM), 140) for arch in (X, A)))},
    "slices of other processors": {
        NATIVE: universal(code(X), code(A), altered(code(X, TEXT, cpu=(0x01000007, 8)), 40))
    },
    "more than a megabyte": {NATIVE: universal(code(X), code(A, TEXT * 60, directories=TWO))},
}  # fmt: skip


@pytest.mark.parametrize("label", SILENT)
def test_nothing_is_found(label: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, SILENT[label]) == []


def test_fatal_is_what_macos_kills() -> None:
    def image(data: bytes) -> Image:
        found = content_of(data)
        assert isinstance(found, Image)
        return found

    limit = [Directory(limit=1)]
    images = [
        ("x86_64", image(code(X, TEXT, directories=limit))),
        ("sound", image(code(A))),
        ("unsigned", image(code(A, signed=False))),
        ("arm64", image(code(A, TEXT, directories=[Directory(limit=20_001)]))),
    ]
    found = fatal_signatures(images)
    assert [(one.code, one.severity, one.member) for one in found] == [
        ("FW334", Severity.ERROR, "arm64")
    ]


# ---- sealed bundles ----

FRAMEWORK = "pkg/Y.framework/Versions/A"
PLIST, RESOURCES = b"<plist/>", b"<resources/>"
SEALED = {
    f"{FRAMEWORK}/Resources/Info.plist": PLIST,
    f"{FRAMEWORK}/_CodeSignature/CodeResources": RESOURCES,
}


def sealing(plist: bytes = PLIST, resources: bytes = RESOURCES, *, kind: int = 2) -> Directory:
    """A directory with the hashes of two files of a bundle."""
    name = {1: "sha1", 2: "sha256", 3: "sha256", 4: "sha384"}[kind]
    size = {1: 20, 2: 32, 3: 20, 4: 48}[kind]
    special = {1: plist, 3: resources}
    return Directory(
        kind=kind,
        special={slot: hashlib.new(name, data).digest()[:size] for slot, data in special.items()},
    )


def framework(x86_64: Directory, arm64: Directory) -> dict[str, bytes]:
    """A framework whose slices are signed so."""
    slices = dylib(X, directories=[x86_64]), dylib(A, directories=[arm64])
    return {f"{FRAMEWORK}/Y": universal(*slices), **SEALED}


BROKEN_SEALS = {
    "the plist of arm64's wheel was kept": (
        framework(sealing(b"other"), sealing()),
        "FW335",
        Severity.WARNING,
        f"its x86_64 code seals {FRAMEWORK}/Resources/Info.plist, which is the other architecture's; macOS loads",
    ),
    "the resources of x86_64's wheel were kept": (
        framework(sealing(), sealing(PLIST, b"other")),
        "FW335",
        Severity.WARNING,
        f"its arm64 code seals {FRAMEWORK}/_CodeSignature/CodeResources, which is the other",
    ),
    "truncated hashes": (
        framework(sealing(b"other", kind=3), sealing(kind=3)),
        "FW335",
        Severity.WARNING,
        "its x86_64 code seals",
    ),
    "changed after signing": (
        framework(sealing(b"other"), sealing(b"another")),
        "FW336",
        Severity.NOTE,
        f"seals {FRAMEWORK}/Resources/Info.plist, which is not what was signed; macOS loads the code",
    ),
}


@pytest.mark.parametrize("label", BROKEN_SEALS)
def test_a_broken_seal(label: str, tmp_path: Path) -> None:
    files, code_, severity, message = BROKEN_SEALS[label]
    (found,) = found_in(tmp_path, files)
    assert (found.code, found.severity, found.member) == (code_, severity, f"{FRAMEWORK}/Y")
    assert message in found.message


def test_broken_seals_are_counted(tmp_path: Path) -> None:
    files = framework(sealing(b"other"), sealing())
    files |= {name.replace("Y", "Z"): data for name, data in files.items()}
    (found,) = found_in(tmp_path, files)
    assert found.others == (f"{FRAMEWORK.replace('Y', 'Z')}/Z",)
    assert "architecture's, as in 1 more file; " in found.message


def app(arm64: Directory) -> dict[str, bytes]:
    return {
        "pkg/T.app/Contents/MacOS/tool": universal(program(X), program(A, directories=[arm64])),
        "pkg/T.app/Contents/Info.plist": PLIST,
        "pkg/T.app/Contents/_CodeSignature/CodeResources": RESOURCES,
    }


def test_apps_are_sealed_too(tmp_path: Path) -> None:
    assert found_in(tmp_path / "1", app(sealing())) == []
    (found,) = found_in(tmp_path / "2", app(sealing(b"other")))
    assert (found.code, found.member) == ("FW336", "pkg/T.app/Contents/MacOS/tool")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(framework(sealing(), sealing()), id="whole"),
        pytest.param(
            {f"{FRAMEWORK}/Y": framework(sealing(b"other"), sealing())[f"{FRAMEWORK}/Y"]},
            id="without-the-files",
        ),
        pytest.param(
            {f"{FRAMEWORK}/X": framework(sealing(b"other"), sealing())[f"{FRAMEWORK}/Y"], **SEALED},
            id="another-library-of-the-folder",
        ),
        pytest.param(framework(sealing(b"other", kind=1), sealing(kind=1)), id="sha1-is-not-known"),
        pytest.param(framework(Directory(), Directory()), id="not-sealed"),
    ],
)
def test_seals_that_are_none_of_our_business(files: Mapping[str, bytes], tmp_path: Path) -> None:
    assert found_in(tmp_path, files) == []


# ---- real wheels ----


def patched(folder: Path, at: int) -> Path:
    """markupsafe's arm64 wheel with another byte in its module."""
    files = {
        name: altered(data, at) if name.endswith(".so") else data
        for name, data in contents(SMALL_PAIR[1]).items()
        if not name.endswith(("RECORD", "/"))
    }
    options: dict[str, Any] = {"name": "markupsafe", "version": "3.0.4", "metadata": None}
    return make_wheel(folder, "macosx_11_0_arm64", files, **options)


@pytest.mark.parametrize(
    ("at", "page"),
    [pytest.param(33_000, 8, id="its-code"), pytest.param(-1000, None, id="its-hashes")],
)
def test_a_published_module_that_was_changed(at: int, page: int | None, tmp_path: Path) -> None:
    (found,) = (f for f in check_wheel(patched(tmp_path, at)) if f.code.startswith("FW33"))
    assert (found.code, found.severity) == ("FW331", Severity.ERROR)
    assert found.member is not None
    assert found.member.endswith(".so")
    assert page is None or f"page {page} (from byte {page * 4096} on) of its arm64" in found.message


@pytest.mark.parametrize("pair", ["kiwisolver", "pillow", "uv"])
def test_published_wheels_are_sound(pair: str) -> None:
    for wheel in require_pair(pair).wheels:
        assert [f for f in check_wheel(wheel.path) if f.code.startswith("FW33")] == []
