"""Which Python versions to build wheels for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fatwheel.errors import UsageError
from fatwheel.values import valueclass

__all__ = ["RunningPython", "choose_interpreters"]

_VERSION = re.compile(
    r"(?:.*[/\\])?(?P<kind>python|pypy)?(?P<version>[23]\.[0-9]{1,2}t?)(?:\.exe)?"
)


@valueclass
class RunningPython:
    """The Python that runs fatwheel: `sys.implementation.name`, (major, minor), free-threaded or not.

    `folder` is that of its program, where it is there under its full name (`python3.12`), else None.
    """

    implementation: str
    version: tuple[int, int]
    free_threaded: bool = False
    folder: Path | None = None

    @property
    def program(self) -> str:
        """The name that says its version: `python3.12`, `python3.13t`, `pypy3.11`."""
        kind = "python" if self.implementation == "cpython" else self.implementation
        return f"{kind}{self.version[0]}.{self.version[1]}{'t' if self.free_threaded else ''}"


def choose_interpreters(
    wanted: Sequence[str], running: RunningPython, *, on_macos: bool
) -> tuple[str, ...]:
    """Return what to pass as `--interpreter`, each once and in order: what is `wanted`, else the running one.

    Without any, maturin finds no interpreter for a target that is not the machine's own. Off macOS it needs
    no interpreter but a version, so `python3.12` and `/usr/bin/python3.12` are read as `3.12`; on macOS
    programs stay as they are. Raises `UsageError` for what names no version where one is needed.
    """
    if not wanted:
        folder = running.folder
        # A program and not a version: maturin runs it for cffi and for plain programs.
        return (running.program if folder is None else str(folder / running.program),)
    chosen = dict.fromkeys(_one(text, on_macos=on_macos) for text in wanted)
    return tuple(chosen)


def _one(text: str, *, on_macos: bool) -> str:
    match = _VERSION.fullmatch(text)
    if match is not None and (not on_macos or match["kind"] is None):
        return ("pypy" if match["kind"] == "pypy" else "") + match["version"]
    if on_macos:
        return text
    raise UsageError(
        f"-i {text} names no Python version, and for another system there is no interpreter to ask; "
        "write the version, for example -i 3.12"
    )
