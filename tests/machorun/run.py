"""Run a program with modules from given folders; started in a Python of its own, see `pythons.Interpreter`.

    ARCH SHIM PROGRAM FOLDER…

With SHIM "-" the folders hold modules of this machine's own kind, which Python imports itself.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.machorun.loader import Loader

loader: Loader | None = None  # for programs that load a library which is no module


def main() -> None:
    """Run the program that the command line names."""
    arch, shim, program, *folders = sys.argv[1:]
    if shim == "-":
        sys.path[:0] = folders
    else:
        _install(arch, Path(shim), folders)
    sys.argv = [program]
    runpy.run_path(program, run_name="__main__")


def _install(arch: str, shim: Path, folders: list[str]) -> None:
    global loader  # noqa: PLW0603 (set once, before the program runs)
    from tests.machorun.importer import install
    from tests.machorun.loader import Loader

    loader = Loader(shim, arch)
    install(loader, folders)
    here = os.uname()  # Python that asks for the architecture gets Darwin's word for it
    os.uname = lambda: os.uname_result((*here[:4], arch))
