"""maturin's own universal2 build of the same crate is the oracle for what it can do.

What differs, and why: fatwheel's wheel has `fatwheel.json`, which says how it was made; WHEEL names another
generator; of the SBOMs maturin's speaks of one target, fatwheel's of both; and a program's ad hoc signature
holds the name under which cargo linked it, in which cargo hashes rustc's arguments, fatwheel's marker among them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from tests.support.corpus import ROOT
from tests.support.oracles import members, slices
from tests.support.projects import build_environment, copy_project, require_rust, run_fatwheel

# Another linker is another build of everything to cargo, so it gets a folder of its own.
TARGET = str(ROOT / ".cache" / "cargo-zig")


@pytest.fixture(scope="module", autouse=True)
def _rust() -> None:
    require_rust()


def build_with_maturin(project: Path) -> Path:
    command = [sys.executable, "-m", "maturin", "build", "--release", "--zig", "--out", "maturin"]
    command += ["--target", "universal2-apple-darwin", "-i", f"python3.{sys.version_info[1]}"]
    environ = build_environment(CARGO_TARGET_DIR=TARGET)
    subprocess.run(command, cwd=project, env=environ, check=True, capture_output=True)
    (wheel,) = (project / "maturin").glob("*.whl")
    return wheel


def build_with_fatwheel(project: Path) -> Path:
    done = run_fatwheel(
        project, "build", "--linker", "zig", "--tags", "compressed", CARGO_TARGET_DIR=TARGET
    )
    assert done.returncode == 0, done.stderr
    return project / done.stdout.strip()


def without_hash(images: dict[str, bytes]) -> dict[str, bytes]:
    return {
        arch: re.sub(rb"(fixture_bin)-[0-9a-f]{16}\0", rb"\1\0", image)
        for arch, image in images.items()
    }


@pytest.mark.parametrize("name", ["abi3", "mixed", "cffi", "bin"])
def test_the_same_wheel_as_maturins(name: str, tmp_path: Path) -> None:
    project = copy_project(name, tmp_path)
    ours, theirs = build_with_fatwheel(project), build_with_maturin(project)
    assert ours.name == theirs.name
    assert parse_wheel_filename(ours.name)[3] == parse_wheel_filename(theirs.name)[3]
    mine, its = members(ours), members(theirs)
    own = {name for name in mine if name.endswith(".dist-info/fatwheel.json")}
    assert len(own) == 1
    assert mine.keys() - own == its.keys()
    differing = [member for member in its if mine[member] != its[member]]
    binaries = [member for member in differing if mine[member][:4] == b"\xca\xfe\xba\xbe"]
    for member in binaries:
        assert without_hash(slices(mine[member])) == without_hash(slices(its[member]))
    rest = [member.rpartition("/")[2] for member in differing if member not in binaries]
    assert sorted(rest) == ["RECORD", "WHEEL", f"fixture-{name}.cyclonedx.json"]
