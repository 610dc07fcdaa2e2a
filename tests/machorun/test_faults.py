"""The oracle can fail: faults planted into a slice that is right show, and those that README.md lists do not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.machorun.crates import built
from tests.machorun.faults import NOTICED, UNNOTICED, Fault
from tests.machorun.published import module_in
from tests.machorun.pythons import PROGRAMS, require_linux, require_python
from tests.machorun.reader import thin

README = Path(__file__).with_name("README.md").read_text("utf-8")
EXERCISE = PROGRAMS / "exercise_use.py"


@pytest.fixture(scope="module")
def right() -> bytes:
    require_linux()
    return thin(module_in(built("exercise", "lld")).read_bytes(), "x86_64")


@pytest.fixture(scope="module")
def expected(right: bytes, tmp_path_factory: pytest.TempPathFactory) -> str:
    said = used(right, tmp_path_factory.mktemp("right"))
    assert said is not None
    return said


def used(data: bytes, folder: Path) -> str | None:
    """Return what the program prints with this module; None where it fails or does not end."""
    (folder / "fixture_exercise.abi3.so").write_bytes(data)
    try:
        done = require_python("x86_64").run(EXERCISE, [folder], limit=15)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def planted(fault: Fault, right: bytes) -> bytes:
    data = bytearray(right)
    fault(data)
    assert data != right, "the fault changes nothing"
    return bytes(data)


@pytest.mark.parametrize("fault", NOTICED.values(), ids=NOTICED)
def test_noticed(fault: Fault, right: bytes, expected: str, tmp_path: Path) -> None:
    assert used(planted(fault, right), tmp_path) != expected


@pytest.mark.parametrize("fault", UNNOTICED.values(), ids=UNNOTICED)
def test_not_noticed(fault: Fault, right: bytes, expected: str, tmp_path: Path) -> None:
    assert used(planted(fault, right), tmp_path) == expected


def test_the_readme_gives_the_share() -> None:
    assert f"{len(NOTICED)} of {len(NOTICED) + len(UNNOTICED)} planted faults" in README
    assert [name for name in UNNOTICED if name not in README] == []
