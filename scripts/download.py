"""One wheel that pip downloads, unless it is too large: what scripts/pairs.py and scripts/coverage.py share."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["TooLargeError", "download"]

_SIZE = re.compile(r"Downloading \S+ \((?P<size>[0-9.]+) (?P<unit>kB|MB|GB)\)")
_UNITS = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}


class TooLargeError(Exception):
    """A wheel is above the limit; the message says how large it is."""


def download(
    requirement: str, platforms: Sequence[str], folder: Path, *, python: str, largest: float | None
) -> Path | None:
    """Let pip download the wheel of `requirement` (NAME==VERSION) for one of `platforms` into `folder`.

    Returns None where there is none. Raises `TooLargeError` for one above `largest` MB (None: any), before it is
    fetched, and ends the program where pip fails otherwise.
    """
    command = [
        *(sys.executable, "-I", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--disable-pip-version-check", "--progress-bar=off", "--no-color"),
        *("-d", str(folder), f"--python-version={python}"),
        *(f"--platform={platform}" for platform in platforms),
        requirement,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        match = _SIZE.search(line)
        if match is None or largest is None:
            continue
        if (size := float(match["size"]) * _UNITS[match["unit"]]) > largest:
            process.kill()
            process.wait()
            raise TooLargeError(f"a wheel of {requirement} has {size:.0f} MB")
    if process.wait() == 0:
        return next(folder.glob("*.whl"))
    if "No matching distribution found" in "".join(said):
        return None
    raise SystemExit(f"pip could not download {requirement}:\n{''.join(said)[-2000:]}")
