"""Which wheel files the words of a command line name: files, folders and patterns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from fatwheel.errors import UsageError

__all__ = ["expanded", "find_wheels"]


def find_wheels(arguments: Iterable[Path]) -> tuple[Path, ...]:
    """Return the wheels that the arguments name, each once: files as they are, folders searched through, sorted.

    What is hidden (its name begins with a dot) is found only by its own name, as in a shell. An argument that does
    not exist and looks like a pattern is one, for those who have no shell that expands it.

    Raises `UsageError` for what does not exist, for a folder without wheels and a pattern that matches nothing, and
    `OSError` for a folder that cannot be read.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        for path in expanded(argument):
            found.update(dict.fromkeys(_searched(path) if path.is_dir() else [path]))
    return tuple(found)


def expanded(argument: Path) -> Iterable[Path]:
    """Return what a pattern matches, or the file or folder that the argument names; raises as `find_wheels` does."""
    if argument.exists():
        return [argument]
    import glob

    if argument.is_symlink() or not glob.has_magic(str(argument)):
        raise UsageError(f"{argument}: there is no such file or folder")
    matching = sorted(glob.glob(str(argument), recursive=True))  # noqa: PTH207  (a Path globs below one folder)
    if not matching:
        raise UsageError(f"{argument}: no file or folder matches this pattern")
    return map(Path, matching)


def _searched(folder: Path) -> list[Path]:
    """Return all wheels in a folder and the folders below."""
    inside = sorted(_wheels_below(folder))
    if not inside:
        raise UsageError(f"{folder}: the folder holds no wheels (*.whl)")
    return inside


def _wheels_below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(where, name)
            if name.endswith(".whl") and not name.startswith(".") and path.is_file():
                yield path


def _unreadable(error: OSError) -> NoReturn:
    raise error
