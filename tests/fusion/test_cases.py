"""Small inputs that failed once: two wheels each in fixtures/cases, and what `fatwheel fuse` says of them now."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.corpus import ROOT

CASES = ROOT / "fixtures" / "cases"
SPOKEN = {
    "bomb-metadata": "METADATA: is 16777170 bytes long, more than",
    "bomb-record": "RECORD: is 16000344 bytes long, more than",
    "installed-collision": "conflict: ",
    "ios-slice": "its code is for arm64 on iOS",
    "local-unicode-path": "has a second name, pkg/evil.py, in an extra field",
    "swapped": "conflict: pkg/",
    "tab-error": "inconsistent use of tabs and spaces in indentation",
    "traceback-requires": "conflict: pkg-1.0.dist-info/METADATA",
    "version-needed": "needs version 9.9 of the zip format",
}
FUSED = {"bomb-rpath", "dispatch-cookie", "guard-splice", "traceback-version"}
_LIMITS = "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (20, 20)); "
_RUN = "from fatwheel.__main__ import main; main()"


def fuse(case: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    program = (_LIMITS if sys.platform != "win32" else "") + _RUN
    wheels = map(str, sorted((CASES / case).glob("*.whl")))
    command = [sys.executable, "-c", program, "fuse", *wheels, "-o", str(out), *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, timeout=120
    )


@pytest.mark.parametrize("case", sorted(SPOKEN))
def test_what_is_not_fused(case: str, tmp_path: Path) -> None:
    done = fuse(case, tmp_path / "out", "-q")
    assert (done.returncode, done.stdout) == (1, "")
    assert SPOKEN[case] in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("out/*"))


def member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_each_architecture_keeps_its_strings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = fuse("dispatch-cookie", tmp_path, "--rule", "pkg/m.py=dispatch", "-q")
    assert done.returncode == 0, done.stderr
    import os

    for machine, number in (("x86_64", 1), ("arm64", 2)):
        monkeypatch.setattr(
            os, "uname", lambda machine=machine: os.uname_result(("", "", "", "", machine))
        )
        found: dict[str, object] = {"__name__": "m", "__file__": "m.py"}
        exec(member(Path(done.stdout.strip()), "pkg/m.py"), found)
        assert (found["X"], found["A"]) == ("\xe9", number)


@pytest.mark.parametrize("case", ["bomb-rpath", "traceback-version"])
def test_what_is_fused_within_its_time(case: str, tmp_path: Path) -> None:
    assert fuse(case, tmp_path, "-q").returncode == 0


def test_every_case_has_a_test() -> None:
    elsewhere = {"codesign-code", "codesign-hash"}  # tests/check/test_signatures.py
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == {*SPOKEN, *FUSED, *elsewhere}
