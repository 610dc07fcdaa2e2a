"""The machine that builds, and how its tools are looked for.

A search yields each thing that is missing and returns what it found, so that one look tells all that must be installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from fatwheel.errors import ToolError
from fatwheel.process import Completed, Runner, ask
from fatwheel.values import valueclass

__all__ = ["Host", "Look", "Missing", "MissingToolsError", "Search", "settled"]


@valueclass
class Host:
    """The machine: `sys.platform`, the environment, and the Python that has maturin.

    `ziglang` is the folder of PyPI's ziglang where that Python has it. `cache` is where stubs are kept. `maturin`
    is the program's path where `python -I -m maturin` would not find it or would find another.
    """

    platform: str
    environ: Mapping[str, str]
    python: str
    ziglang: Path | None
    cache: Path
    maturin: str | None = None

    @property
    def is_macos(self) -> bool:
        """Whether Apple's own tools are to be expected."""
        return self.platform == "darwin"

    @property
    def maturin_words(self) -> tuple[str, ...]:
        """The words that start maturin, isolated: it runs in a project's folder, which may have a maturin.py."""
        return (self.maturin,) if self.maturin else (self.python, "-I", "-m", "maturin")


@valueclass
class Missing:
    """One thing that a build needs and that is not there, and the command or the step that brings it."""

    what: str
    how: str


class MissingToolsError(ToolError):
    """The machine lacks what the build needs; `missing` says what, all of it."""

    def __init__(self, missing: Sequence[Missing]) -> None:
        lines = [line for item in missing for line in (f"  {item.what}", f"      {item.how}")]
        count = "one thing" if len(missing) == 1 else f"{len(missing)} things"
        super().__init__(f"to build here, {count} must be installed first:", lines)
        self.missing = tuple(missing)


_Found = TypeVar("_Found")
Search = Generator[Missing, None, _Found]
"""Yields what is missing, and returns what was found."""


def settled(search: Search[_Found]) -> tuple[_Found, tuple[Missing, ...]]:
    """Return what a search found, and all that it missed."""
    missing = []
    while True:
        try:
            missing.append(next(search))
        except StopIteration as end:
            return end.value, tuple(missing)


@valueclass
class Look:
    """A look at the tools of a machine, as they are found from the folder `project`."""

    host: Host
    project: Path
    runner: Runner

    def ask(self, program: str, *arguments: str) -> Completed | None:
        """Return what a program says of itself, or None where it is missing or fails."""
        return ask(self.runner, program, *arguments, env=self.host.environ, cwd=self.project)

    def answer(self, program: str, *arguments: str) -> str:
        """Return what a program prints, without white space around it; "" where it is missing or fails."""
        said = self.ask(program, *arguments)
        return "" if said is None else said.stdout.strip()

    def which(self, *programs: str) -> Path | None:
        """Return the path of the first of these that is on PATH."""
        path = self.host.environ.get("PATH", "")
        found = (shutil.which(program, path=path) for program in programs)
        return next((Path(program) for program in found if program), None)
