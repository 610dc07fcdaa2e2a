"""What check finds in extension modules, and in symbols between images (FW315, FW316, FW320, FW321)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.findings import LIBZ, Case
from tests.support.wheels import NATIVE, A, X, code, dylib, program, universal

CASES = {
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
}


@pytest.mark.parametrize("label", CASES)
def test_found(label: str, tmp_path: Path) -> None:
    CASES[label].check(tmp_path)
