"""Output files that appear under their name only when they are complete.

An unfinished file has a name of its own and is locked while its writer lives. What a writer that was killed left
behind is removed by the next one in the same folder: nobody holds its lock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fatwheel.errors import OutputExistsError

try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open
    _LOCKS = False
else:
    _LOCKS = True

__all__ = ["new_file"]

_BUFFER = 256 * 1024  # bytes; most members of a wheel are a few KiB
_UNFINISHED = ".fatwheel-*.part"


@contextlib.contextmanager
def new_file(target: Path, *, replace: bool, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a file, open for writing and reading, that becomes `target` when the block ends well.

    When it does not, nothing is left. An existing `target` is replaced only with `replace`; without it,
    `OutputExistsError` is raised, also when the file came up in the meantime. A `durable` file is on the disk before it
    gets its name, so that a power cut leaves no empty one.
    """
    if not replace and target.exists():
        raise _exists(target)
    _remove_orphans(target.parent)
    with _errors_name(target):
        part, file = _create(target)
        try:
            with file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                if _LOCKS:  # the lock ends with the file, and the name must be given before
                    _name(part, target, replace=replace)
            if not _LOCKS:
                _name(part, target, replace=replace)
            if durable:
                _sync_folder(target.parent)
        finally:
            if part.exists():  # or unlink would complain of a file system that cannot be written
                part.unlink(missing_ok=True)


@contextlib.contextmanager
def _errors_name(target: Path) -> Iterator[None]:
    """Let errors name the file to be: a full disk names none, and others the unfinished one."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if error.errno is not None and (name is None or str(name).endswith(".part")):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


def _create(target: Path) -> tuple[Path, BinaryIO]:
    """Return a new file, locked, and its name for the time being."""
    while True:
        part = target.with_name(f".fatwheel-{os.urandom(8).hex()}.part")
        file = part.open("x+b", buffering=_BUFFER)
        if _lock(file) and part.exists():
            return part, file
        file.close()  # somebody took it for an orphan before it was locked


def _lock(file: BinaryIO) -> bool:
    """Lock a file for as long as it is open; return False where another one has it.

    A file system that has no locks is taken for one where nobody else looks.
    """
    if _LOCKS:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True


def _remove_orphans(folder: Path) -> None:
    """Remove unfinished files whose writers are gone; those of others, and what cannot be told, stay."""
    for part in folder.glob(_UNFINISHED):
        with contextlib.suppress(OSError):
            if not _LOCKS:
                part.unlink()
                continue
            with part.open("rb") as file:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def _name(part: Path, target: Path, *, replace: bool) -> None:
    if replace:
        part.replace(target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise _exists(target) from None
    except (OSError, NotImplementedError, AttributeError):  # a file system without hard links
        if target.exists():
            raise _exists(target) from None
        part.rename(target)


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk, where folders can be opened for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _exists(target: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{target} exists; replace it with --force, or write elsewhere with -o"
    )
