"""What check finds in load commands (FW4xx)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fatwheel.check.verdict import check_wheel
from tests.support.findings import FAT, LIBZ, LOADED, SOUND, WEAK, Case, framework, fused
from tests.support.wheels import NATIVE, A, X, code, dylib, program, universal

OPT, OMP = "/opt/libz.dylib", "@rpath/libomp.dylib"
OUTSIDE = "@loader_path/../../../a.dylib"
FRAMEWORKS = {**framework("Y", OUTSIDE), **framework("Z", OUTSIDE, OUTSIDE)}
CASES = {
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
    CASES[label].check(tmp_path)


def loads_found(folder: Path, *parts: Mapping[str, bytes]) -> list[tuple[str, str | None, str]]:
    """What is said of load commands for arm64."""
    files = {name: data for part in parts for name, data in part.items()}
    found = check_wheel(fused(folder, {**SOUND, **files}))
    return [
        (f.code, f.member, f.message) for f in found if f.code >= "FW4" and "arm64" in f.message
    ]


def test_what_many_files_lack_is_said_once(tmp_path: Path) -> None:
    """Of each cause there is one finding: for what an import needs, for what may be missing, and for the rest."""
    lacking = {f"pkg/m{n}.so": universal(code(X), code(A, loads=[LIBZ])) for n in range(5)}
    weak = {
        f"pkg/w{n}.so": universal(code(X), code(A, loads=[LIBZ], kinds={LIBZ: WEAK}))
        for n in range(3)
    }
    unused = {f"pkg/u{n}.dylib": universal(dylib(X), dylib(A, loads=[LIBZ])) for n in range(2)}
    found = check_wheel(fused(tmp_path, {**SOUND, **lacking, **weak, **unused}))
    assert [(f.code, f.severity.value, f.member, len(f.others)) for f in found] == [
        ("FW401", "error", "pkg/m0.so", 4),
        ("FW401", "warning", "pkg/u0.dylib", 1),
        ("FW401", "note", "pkg/w0.so", 2),
    ]
    assert found[0].message == (
        "its arm64 code loads @loader_path/libz.dylib, which is not in the wheel, so that importing an extension "
        "module fails, as in 4 more files"
    )


def test_many_loads_of_bundles_are_said_once(tmp_path: Path) -> None:
    names = [f"@loader_path/libz{n}.dylib" for n in range(5)]
    files = {f"pkg/libz{n}.dylib": FAT for n in range(5)}
    loading = {
        f"pkg/m{n}.so": universal(code(X, loads=names), code(A, loads=names)) for n in range(3)
    }
    (found,) = check_wheel(fused(tmp_path, {**SOUND, **files, **loading}))
    assert (found.code, found.member, found.others) == (
        "FW409",
        "pkg/m0.so",
        ("pkg/m1.so", "pkg/m2.so"),
    )
    assert "its x86_64 and arm64 code loads pkg/libz0.dylib, pkg/libz1.dylib" in found.message
    assert " and 2 more as a library, " in found.message


def test_what_no_copy_of_a_framework_finds_is_said_once(tmp_path: Path) -> None:
    ((code_, member, message),) = loads_found(tmp_path, framework("Z", "@loader_path/none.dylib"))
    assert (code_, member) == ("FW401", "pkg/Frameworks/Z.framework/Versions/5/Z")
    assert message == (
        "its x86_64 and arm64 code loads @loader_path/none.dylib, which is not in the wheel"
    )


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
