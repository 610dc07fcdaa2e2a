"""Output files that appear under their name only when they are complete.

An unfinished file has a name of its own and is locked while its writer lives. What a writer that was killed left
behind is removed by the next one in the same folder: nobody holds its lock. A process number would tell less: it may
be another's by now, or one of another container. A lock tells all under one kernel, but not always what another
machine does on a shared disk; so the name says which kernel it was, and what another one began has a day to end.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import stat
import threading
import zlib
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

__all__ = ["new_file", "written_back"]

_BUFFER = 256 * 1024  # bytes; most members of a wheel are a few KiB
_PREFIX, _SUFFIX = ".fatwheel-", ".part"
_DAY = 24 * 60 * 60  # seconds; nobody works that long on one file without writing to it
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextlib.contextmanager
def new_file(target: Path, *, replace: bool, durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a file, open for writing and reading, that becomes `target` when the block ends well.

    When it does not, nothing is left. An existing `target` is replaced only with `replace`; without it,
    `OutputExistsError` is raised, also when the file came up in the meantime. A `durable` file is on the disk before it
    gets its name, so that a power cut leaves no empty one.
    """
    if not replace and target.exists():
        raise _exists(target)
    with _errors_name(target):
        part, file = _create(target)
        try:
            with file:
                _remove_orphans(part, os.fstat(file.fileno()).st_mtime)
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                _refuse_stranger(part, file, target)
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
def written_back(file: BinaryIO, *, durable: bool = True) -> Iterator[None]:
    """Let the disk write what is in `file`, as `new_file` yields it, while the block looks whether it is right.

    So the end of `new_file` has nothing to wait for. Raises `OSError` where the disk fails, unless the block raises.
    Without `durable`, nothing waits for the disk at all.
    """
    if not durable:
        yield
        return
    file.flush()
    failures: list[OSError] = []

    def write_back() -> None:
        try:
            os.fsync(file.fileno())
        except OSError as error:  # a later call may not be told of it any more
            failures.append(error)

    thread = threading.Thread(target=write_back, name="fatwheel-written-back", daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failures:
        raise failures[0]


@contextlib.contextmanager
def _errors_name(target: Path) -> Iterator[None]:
    """Let errors name the file to be: a full disk names none, and others the unfinished one."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if error.errno is not None and (name is None or str(name).endswith(_SUFFIX)):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise


def _create(target: Path) -> tuple[Path, BinaryIO]:
    """Return a new file, locked, and its name for the time being."""
    while True:
        part = target.with_name(f"{_PREFIX}{_kernel()}{os.urandom(4).hex()}{_SUFFIX}")
        try:
            file = part.open("x+b", buffering=_BUFFER)
        except FileExistsError:
            continue
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


@functools.cache
def _kernel() -> str:
    """Return eight hexadecimal digits for the running kernel; containers on it have the same."""
    try:
        which = _BOOT.read_text("ascii")
    except OSError:
        which = repr(os.uname()) if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return f"{zlib.crc32(which.encode('utf-8', 'replace')):08x}"


def _remove_orphans(own: Path, now: float) -> None:
    """Remove unfinished files beside `own` whose writers are gone; what cannot be told stays.

    `now` is the time in seconds by the file system's own clock.
    """
    for part in own.parent.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            ours = _LOCKS and part.name.startswith(f"{_PREFIX}{_kernel()}")
            if part != own and (ours or now - part.lstat().st_mtime > _DAY):
                _remove_unlocked(part)


def _remove_unlocked(part: Path) -> None:
    """Remove an unfinished file unless it is locked; raises `OSError` where it is, or is not a regular file."""
    if not _LOCKS:
        part.unlink()
        return
    mode = os.O_RDWR if os.access(part, os.W_OK) else os.O_RDONLY  # NFS locks what may be written
    descriptor = os.open(part, mode | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()
    finally:
        os.close(descriptor)


def _refuse_stranger(part: Path, file: BinaryIO, target: Path) -> None:
    """Raise `FileNotFoundError` where the unfinished name does not lead to the file that was written."""
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(part.lstat(), os.fstat(file.fileno())):
            return
    said = "somebody removed or replaced it before it was complete; try again"
    raise OSError(errno.ENOENT, said, str(target))


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
