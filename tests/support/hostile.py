"""A project whose own modules have the names of those that others ask for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.projects import build_environment

OTHERS = (
    *(
        "build",
        "click",
        "delocate",
        "fatwheel",
        "maturin",
        "packaging",
        "pip",
        "rich",
        "setuptools",
    ),
    *("wheel", "ziglang"),
)
CODE = """\
import sys
with open({ran!r}, "a") as file:
    file.write(f"{{__name__}} by {{getattr(sys, 'orig_argv', sys.argv)}}\\n")
raise SystemExit(66)
"""


def hostile(folder: Path, but: Sequence[str] = ()) -> Path:
    """Put a file into the folder for every module that could be asked for, `but` for some; each tells that it ran."""
    for name in {*sys.stdlib_module_names, *OTHERS} - {*but}:
        (folder / f"{name}.py").write_text(CODE.format(ran=str(folder / "ran")))
    return folder


def assert_nothing_ran(folder: Path) -> None:
    assert not (folder / "ran").exists(), (folder / "ran").read_text()


def run(
    command: Sequence[str | Path], folder: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder, none of whose modules may run."""
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=build_environment(**environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=560,
    )
    assert_nothing_ran(folder)
    return done


def asked_by_maturin() -> list[str]:
    """The modules of the question that maturin itself puts to an interpreter, in the project's folder."""
    question = "import json, platform, struct, sys, sysconfig; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-I", "-c", question], capture_output=True, text=True, check=True
    )
    return [name.partition(".")[0] for name in said.stdout.split()]
