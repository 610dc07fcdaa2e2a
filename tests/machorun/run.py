"""Run a program with modules from given folders; started in a Python of its own, see `pythons.command`.

    run.py ARCH SHIM PROGRAM FOLDER…

With SHIM "-" the folders hold modules of this machine's own kind, which Python imports itself.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the program that the command line names."""
    arch, shim, program, *folders = sys.argv[1:]
    if shim == "-":
        sys.path[:0] = folders
    else:
        from tests.machorun.importer import install
        from tests.machorun.loader import Loader

        install(Loader(Path(shim), arch), folders)
    sys.argv = [program]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
