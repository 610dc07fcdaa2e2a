"""What a command must not import: each of these takes a part of its start that a user feels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.corpus import SMALL_PAIR

PROGRAM = """\
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=open(sys.argv.pop(), "w")))
from fatwheel.cli import main
main(sys.argv[1:-1])
"""
# Of the standard library, of others, and of fatwheel: what only some wheels, options or commands need.
UNNEEDED = """
    concurrent.futures difflib email email.parser http importlib.metadata importlib.resources logging multiprocessing
    queue random secrets socket subprocess sysconfig tempfile traceback typing_extensions zipfile
    delocate maturin packaging.metadata packaging.requirements packaging.tags packaging.utils rich wheel
    fatwheel.build fatwheel.cli_build fatwheel.doctor fatwheel.lipo fatwheel.merge.cheader fatwheel.merge.metadata
    fatwheel.merge.python fatwheel.merge.sbom fatwheel.process fatwheel.targets
"""


def imported(tmp_path: Path, *arguments: str | Path) -> set[str]:
    """Return the modules that are there when `fatwheel` with these arguments is done."""
    listed = tmp_path / "modules"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments), str(listed)],
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(listed.read_text("utf-8").split())


def test_fuse_imports_what_it_uses(tmp_path: Path) -> None:
    found = imported(tmp_path, "fuse", *SMALL_PAIR, "--output", tmp_path / "out")
    assert "fatwheel.write" in found
    assert sorted(found.intersection(UNNEEDED.split())) == []


def test_the_version_is_told_by_what_tells_it(tmp_path: Path) -> None:
    found = imported(tmp_path, "--version")
    own = {name for name in found if name.split(".")[0] == "fatwheel"}
    assert own == {"fatwheel", "fatwheel.cli", "fatwheel.errors", "fatwheel.terminal"}
    others = "ctypes dataclasses hashlib json packaging pathlib tomllib"
    assert sorted(found.intersection([*UNNEEDED.split(), *others.split()])) == []
