"""Findings about where members land, and with which permissions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fatwheel.check.finding import Finding, Severity
from fatwheel.check.verdict import check_wheel
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from tests.support.wheels import DIST_INFO, NATIVE, A, X, code, make_pair, make_wheel, universal

DATA = "pkg-1.0.data"
FAT = universal(code(X), code(A))


def found(folder: Path, *names: str, **options: Any) -> list[Finding]:
    files = {"pkg/__init__.py": b"", NATIVE: FAT, **dict.fromkeys(names, b"content")}
    return list(check_wheel(make_wheel(folder, "macosx_10_13_universal2", files, **options)))


@pytest.mark.parametrize(
    ("names", "code", "member", "message"),
    [
        (
            ["pkg/e/e.txt", f"{DATA}/platlib/pkg/E"],
            *("FW106", f"{DATA}/platlib/pkg/E"),
            "is installed as a file where pkg/e/e.txt needs a folder",
        ),
        ([f"{DATA}/d.txt"], "FW107", f"{DATA}/d.txt", "lies in none of .data's folders"),
        (
            ["other-1.0.data/purelib/d.txt"],
            *("FW107", "other-1.0.data"),
            "installers disagree about a .data folder that is not pkg 1.0's",
        ),
    ],
    ids=["file and folder", "beside the schemes", "other project"],
)
def test_found(names: list[str], code: str, member: str, message: str, tmp_path: Path) -> None:
    (finding,) = found(tmp_path, *names)
    assert (finding.code, finding.severity, finding.member) == (code, Severity.ERROR, member)
    assert message in finding.message


def test_every_scheme_as_it_should_be(tmp_path: Path) -> None:
    names = [f"{DATA}/{s}/x" for s in ("purelib", "platlib", "scripts", "headers", "data")]
    assert [f.member for f in found(tmp_path, *names)] == [f"{DATA}/platlib/x"]
    names.remove(f"{DATA}/platlib/x")
    assert found(tmp_path / "fewer", *names, "pkg/x.data/other/x") == []


def test_special_bits_are_left_out_of_the_fused_wheel_and_said(tmp_path: Path) -> None:
    modes = {NATIVE: 0o4755, "pkg/__init__.py": 0o1664}
    x86_64, arm64 = make_pair(tmp_path, x86_64_options={"modes": modes})
    fused = fuse_wheels(x86_64, arm64, tmp_path / "out", FuseOptions())
    note = f"left out (pkg/__init__.py and 1 more in {x86_64.name})"
    assert next(n for n in fused.plan.notes if "set-uid" in n).endswith(note)
    assert fused.findings == ()
    assert {m.name: m.mode for m in fused.plan.written if hasattr(m, "mode")} == {
        NATIVE: 0o755,
        "pkg/__init__.py": 0o664,
        **{f"{DIST_INFO}/{b}": 0o644 for b in ("METADATA", "WHEEL", "fatwheel.json", "RECORD")},
    }
