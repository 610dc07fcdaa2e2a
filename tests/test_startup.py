"""What a command must not import: each of these takes a part of its start that a user feels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.corpus import ROOT, SMALL_PAIR

START = """\
import atexit, importlib, sys
listed = sys.argv.pop(1)
atexit.register(lambda: print(*sorted(sys.modules), file=open(listed, "w")))
"""
COMMAND = "from fatwheel.cli.main import main; main()"
PACKAGES = """\
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:  # zlib-ng is not everywhere
        pass
"""
# What a plain fuse needs of others; whatever these import is their matter.
NEEDED = """
    click ctypes dataclasses hashlib json locale macholib.mach_o packaging.version pathlib unicodedata zlib
    zlib_ng.zlib_ng
"""
# What only some wheels, options or commands need, of the standard library, of others, and of fatwheel.
UNNEEDED = """
    base64 concurrent.futures csv difflib email email.parser http importlib.metadata importlib.resources logging mmap
    multiprocessing pickle queue random secrets socket subprocess sysconfig tempfile tomllib tomli traceback
    typing_extensions zipfile delocate maturin packaging.metadata packaging.requirements packaging.tags
    packaging.utils rich wheel fatwheel.building.build fatwheel.cli.build fatwheel.lipo.run fatwheel.process
    fatwheel.targets.decision fatwheel.toolchain.doctor fatwheel.cli.unfused fatwheel.fusion.conflicts
    fatwheel.fusion.existing fatwheel.fusion.expect fatwheel.fusion.merge.cheader fatwheel.fusion.merge.metadata
    fatwheel.fusion.merge.python fatwheel.fusion.merge.sbom fatwheel.fusion.settle fatwheel.wheels.copies
"""


def modules(tmp_path: Path, program: str, *arguments: str | Path) -> set[str]:
    """Return the modules that are there when a Python has run `program`."""
    listed = tmp_path / "modules"
    done = subprocess.run(
        [sys.executable, "-c", START + program, listed, *arguments],
        cwd=tmp_path,  # without settings
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(listed.read_text("utf-8").split())


def test_fuse_imports_what_it_uses(tmp_path: Path) -> None:
    found = modules(tmp_path, COMMAND, "fuse", *SMALL_PAIR, "--output", tmp_path / "out")
    assert "fatwheel.fusion.write" in found
    needed = modules(tmp_path, PACKAGES, *NEEDED.split())
    assert sorted((found - needed).intersection(UNNEEDED.split())) == []


def test_the_version_is_told_by_what_tells_it(tmp_path: Path) -> None:
    found = modules(tmp_path, COMMAND, "--version")
    own = {name for name in found if name.split(".")[0] == "fatwheel"}
    modules_of_it = ("cli", "cli.main", "cli.terminal", "errors", "printable", "version")
    assert own == {"fatwheel", *(f"fatwheel.{name}" for name in modules_of_it)}
    others = found - own - modules(tmp_path, PACKAGES, "click", "locale", "signal")
    assert sorted(others.intersection([*UNNEEDED.split(), *NEEDED.split()])) == []


TOLD_AT_THE_END = """\
import atexit, sys, threading, time
def late():
    time.sleep(0.2)
    print("thread")
atexit.register(print, "atexit")
if "thread" in sys.argv:
    sys.argv.remove("thread")
    threading.Thread(target=late).start()
"""


@pytest.mark.parametrize(
    ("options", "arguments", "code", "told"),
    [
        ((), ("--version",), 0, ("fatwheel ", "atexit")),
        ((), ("--version", "thread"), 0, ("fatwheel ", "thread", "atexit")),
        ((), ("check", "no.whl"), 2, ("atexit",)),
        (("-m", "cProfile"), ("--version",), 0, ("fatwheel ", "function calls", "atexit")),
    ],
    ids=["plain", "a thread that still runs", "an error", "a profiler"],
)
def test_a_quick_end_leaves_nothing_out(
    tmp_path: Path,
    options: tuple[str, ...],
    arguments: tuple[str, ...],
    code: int,
    told: tuple[str, ...],
) -> None:
    program = tmp_path / "program.py"
    program.write_text(TOLD_AT_THE_END + COMMAND, "utf-8")
    done = subprocess.run(
        [sys.executable, *options, program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stderr
    places = [done.stdout.find(text) for text in told]
    assert places == sorted(places)
    assert -1 not in places
