"""What check finds in what code takes from macOS: symbols and frameworks that are not there yet (FW322, FW410)."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.check.verdict import check_wheel
from tests.support.findings import SOUND, UNIVERSAL2, WEAK, Case, fused
from tests.support.wheels import NATIVE, PLATFORMS, A, X, code, dylib, universal

LIBSYSTEM, LIBCXX = "/usr/lib/libSystem.B.dylib", "/usr/lib/libc++.1.dylib"
METAL = "/System/Library/Frameworks/Metal.framework/Versions/A/Metal"
TYPES = (
    "/System/Library/Frameworks/UniformTypeIdentifiers.framework/Versions/A/UniformTypeIdentifiers"
)
WEAK_REF, REF_TO_WEAK = 0x4000, 0x8000  # N_WEAK_REF, N_REF_TO_WEAK, above the ordinal
ABORT = "__ZNSt3__122__libcpp_verbose_abortEPKcz"
CASES = {
    "a function of a later libSystem": Case(
        code="FW322",
        severity="warning",
        member=NATIVE,
        message=(
            "its x86_64 code takes _preadv, _os_workgroup_join from /usr/lib/libSystem.B.dylib: macOS 11.0 has that, "
            "and 10.13, where it may have to run, does not, as in 1 more file"
        ),
        files={
            NATIVE: universal(
                code(
                    X,
                    loads=[LIBSYSTEM],
                    undefined=[("_preadv", 1), ("_malloc", 1), ("_os_workgroup_join", 1)],
                ),
                code(A, loads=[LIBSYSTEM], undefined=[("_preadv", 1)]),
            ),
            "pkg/m.so": universal(code(X, loads=[LIBSYSTEM], undefined=[("_preadv", 1)]), code(A)),
        },
    ),
    "a symbol that no header dates": Case(
        code="FW322",
        severity="warning",
        member=NATIVE,
        message="_os_sync_wake_by_address_any from /usr/lib/libSystem.B.dylib: macOS 15.1 has that, and 11.0, where",
        files={
            NATIVE: universal(
                code(X),
                code(A, loads=[LIBSYSTEM], undefined=[("_os_sync_wake_by_address_any", 1)]),
            )
        },
    ),
    "a weak definition of a later libc++": Case(
        code="FW322",
        severity="warning",
        member=NATIVE,
        message=f"its arm64 code takes {ABORT} from {LIBCXX}: macOS 13.3 has that, and 11.0, where",
        files={
            NATIVE: universal(
                code(X), code(A, loads=[LIBCXX], undefined=[(ABORT, 1 | REF_TO_WEAK)])
            )
        },
    ),
    "a later framework": Case(
        code="FW410",
        severity="warning",
        member=NATIVE,
        message=f"its x86_64 code loads {TYPES}: macOS 11.0 has that, and 10.13, where it may have to run, does not",
        files={NATIVE: universal(code(X, loads=[TYPES, METAL]), code(A, loads=[TYPES, METAL]))},
    ),
}
NEW = [("_preadv", 1)]
SILENT = {
    "symbols that may be missing": code(
        X, loads=[LIBSYSTEM], undefined=[("_preadv", 1 | WEAK_REF)]
    ),
    "symbols that macOS always had": code(X, loads=[LIBSYSTEM], undefined=[("_malloc", 1)]),
    "code for a newer macOS": code(X, loads=[LIBSYSTEM], undefined=[("_fmemopen", 1)]),
    "another library's symbols of that name": code(X, loads=["/usr/lib/libz.dylib"], undefined=NEW),
    "one's own": code(X, loads=[LIBSYSTEM], undefined=[("_preadv", 0)]),
    "a flat namespace": code(X, loads=[LIBSYSTEM], undefined=NEW, flags=0),
    "a framework that may be missing": code(X, loads=[TYPES], kinds={TYPES: WEAK}),
    "a framework within another": code(
        X, loads=["/System/Library/Frameworks/A.framework/Frameworks/CoreML.framework/CoreML"]
    ),
}


@pytest.mark.parametrize("label", CASES)
def test_found(label: str, tmp_path: Path) -> None:
    CASES[label].check(tmp_path)


@pytest.mark.parametrize("label", SILENT)
def test_silent(label: str, tmp_path: Path) -> None:
    files = {**SOUND, NATIVE: universal(SILENT[label], code(A))}
    assert check_wheel(fused(tmp_path, files, platform=UNIVERSAL2)) == ()


def test_what_code_itself_asks_for_counts_where_tags_promise_less(tmp_path: Path) -> None:
    wanting = code(A, loads=[LIBSYSTEM, TYPES], undefined=NEW, minos=(11, 0))
    for platform in (PLATFORMS[A], "macosx_12_0_arm64"):
        files = {NATIVE: wanting, "pkg/__init__.py": b""}
        assert check_wheel(fused(tmp_path / platform, files, platform=platform)) == ()
    newer = code(X, loads=[LIBSYSTEM], undefined=NEW, minos=(11, 0))
    found = check_wheel(fused(tmp_path, {NATIVE: newer}, platform=PLATFORMS[X]))
    assert [f.code for f in found] == ["FW203"]


def test_a_weak_definition_may_come_from_any_image(tmp_path: Path) -> None:
    taking = code(A, loads=[LIBCXX], undefined=[(ABORT, 1 | REF_TO_WEAK)])
    files = {
        NATIVE: universal(code(X), taking),
        "pkg/liba.dylib": universal(dylib(X), dylib(A, exports=[ABORT])),
    }
    assert check_wheel(fused(tmp_path, {**SOUND, **files})) == ()
