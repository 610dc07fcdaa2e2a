"""Output files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fatwheel.errors import OutputExistsError

__all__ = ["new_file"]

_BUFFER = 256 * 1024  # bytes; most members of a wheel are a few KiB


@contextlib.contextmanager
def new_file(target: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Yield a file, open for writing and reading, that becomes `target` when the block ends well.

    When it does not, nothing is left. An existing `target` is replaced only with `replace`; without it,
    `OutputExistsError` is raised, also when the file came up in the meantime.
    """
    if not replace and target.exists():
        raise _exists(target)
    part = target.with_name(f".fatwheel-{os.urandom(8).hex()}.part")
    try:
        with part.open("x+b", buffering=_BUFFER) as file:
            yield file
        if replace:
            part.replace(target)
        else:
            _rename_new(part, target)
    except OSError as error:
        # A full disk names no file.
        if error.errno is not None and error.filename in (None, str(part)):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise
    finally:
        if part.exists():  # or unlink would complain of a file system that cannot be written
            part.unlink(missing_ok=True)


def _rename_new(part: Path, target: Path) -> None:
    """Give `part` the name `target`, which must be free."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except (OSError, NotImplementedError, AttributeError):  # a file system without hard links
        if target.exists():
            raise _exists(target) from None
        part.rename(target)


def _exists(target: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{target} exists; replace it with --force, or write elsewhere with -o"
    )
