"""The command line as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.corpus import ROOT

Done = subprocess.CompletedProcess[str]


def environment(**changes: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **changes}


def run(*argv: str | Path, env: Mapping[str, str] | None = None, **options: Any) -> Done:
    """`python -m fatwheel`, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "fatwheel", *map(str, argv)]
    return subprocess.run(
        command,
        env=environment(**(env or {})),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        **options,
    )


def left(folder: Path) -> list[str]:
    """The names in a folder, partial files included."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


INTERRUPTED = """\
import sys, time
def given_up(args):
    files = [getattr(getattr(arg, "wheel", None), "file", None) for arg in args]
    return any(getattr(file, "_is_abandoned", False) for file in files)
import {module} as module
real = module.{function}
def slow(*args, **options):
    sys.stdout.write("ready\\n")  # print would write the line's end apart, and two threads come here
    sys.stdout.flush()
    until = time.monotonic() + 120
    while not given_up(args) and time.monotonic() < until:
        time.sleep(0.02)
    return real(*args, **options)
module.{function} = slow
from fatwheel.cli.main import main
main(sys.argv[1:])
"""
