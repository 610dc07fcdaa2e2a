"""A project's own modules are not taken for those that fatwheel, or a Python that it starts, asks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.hostile import hostile, run
from tests.support.wheels import make_pair

FUSED = "markupsafe-3.0.4-cp312-cp312-macosx_10_13_universal2.whl"


def fatwheel(*words: str | Path) -> list[str | Path]:
    """The command as pip installs it."""
    return [Path(sys.executable).with_name("fatwheel"), *words]


def test_the_modules_are_hostile(tmp_path: Path) -> None:
    hostile(tmp_path)
    done = subprocess.run([sys.executable, "-c", "import logging"], cwd=tmp_path, check=False)
    assert done.returncode == 66
    first = (tmp_path / "ran").read_text().split()[0]
    assert first in {"logging", "linecache"}  # Python 3.13 asks for linecache before it runs it


def test_fuse_and_check(tmp_path: Path) -> None:
    hostile(tmp_path)
    done = run(fatwheel("fuse", *SMALL_PAIR), tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(fatwheel("check", FUSED), tmp_path)
    assert done.returncode == 0, done.stderr


MANY = """\
import sys, threading
from fatwheel.cli.main import main
if __name__ == "__main__":
    if {threads}:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no PYTHONSAFEPATH")
@pytest.mark.parametrize("threads", [False, True], ids=["copies", "new processes"])
def test_fuse_in_two_processes(threads: bool, tmp_path: Path) -> None:
    """With a second thread, the processes are started anew, as on macOS and Windows."""
    program = tmp_path / "program.py"
    program.write_text(MANY.format(threads=threads))
    pairs = [*SMALL_PAIR, *make_pair(tmp_path / "second")]
    folder = tmp_path / "folder"
    folder.mkdir()
    hostile(folder)
    done = run([sys.executable, program, "fuse", "-j", "2", *pairs], folder)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_doctor(tmp_path: Path) -> None:
    hostile(tmp_path)
    done = run(fatwheel("doctor", "-i", sys.executable), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cannot be asked" not in done.stdout
    assert re.search(r"^maturin +[0-9]", done.stdout, re.MULTILINE)


# ---- nothing was forgotten ----

STARTED = re.compile(
    r"""\bpython[0-9.]*"?\ +-[mc]\b     # in a shell
    |"-[mc]",\ *["\w*]                # in a list of words
    """,
    re.VERBOSE,
)
PLACES = [
    *sorted((ROOT / "fatwheel").rglob("*.py")),
    *sorted(path for path in (ROOT / "scripts").rglob("*") if path.is_file()),
    ROOT / "action.yml",
    *sorted((ROOT / ".github").rglob("*.yml")),
    ROOT / ".ci" / "run",
    ROOT / "docs" / "ci.md",
]
# Starts that are not isolated, each with the reason.
REASONS = {
    "fatwheel/__main__.py": "is one that users start",
    "fatwheel/building/build.py": "starts delocate, which only PYTHONPATH may lead to, in a folder of ours",
    "fatwheel/building/develop.py": "tells users how an environment is made",
    "fatwheel/index/client.py": "looks for an option of pip's",
    "scripts/fuzz": "runs tests of the repository, in its folder",
    "scripts/benchmark/wheelhouse.py": "says in its help how it is started",
    "scripts/benchmark/mirror.py": "runs a module of the repository, in its folder",
    "scripts/benchmark/fuse.py": "starts them in a scratch folder, without variables of Python's",
}


def test_every_start_of_python_is_isolated() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): line
        for path in PLACES
        if "__pycache__" not in path.parts
        for line in path.read_text("utf-8").splitlines()
        if STARTED.search(line) and not re.search(r'-I|\*git|"-C"', line)  # git has a -c, too
    }
    assert {name: line for name, line in found.items() if name not in REASONS} == {}
    assert found.keys() == REASONS.keys()


@pytest.mark.parametrize(
    "line",
    [
        'run([sys.executable, "-m", "pip"])',
        "python -m venv x",
        '"$bin/python" -m pip install',
        'PYTHON, "-m", "wheel"',
        "python3 -c 'import x'",
    ],
)
def test_a_start_is_seen(line: str) -> None:
    assert STARTED.search(line)
