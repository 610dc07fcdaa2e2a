"""The folder of a release: locked while a run is at work there, and never anybody else's."""

from __future__ import annotations

import os
import shutil
from typing import IO

from fatwheel.releasing.programs import FailedError
from fatwheel.releasing.release import Release

__all__ = ["MANIFEST", "publish", "start_clean"]

MANIFEST = "release.json"
MARKER = ".unfinished"
"""The file that tells an unfinished release, which the next run may remove, from somebody's own folder. Locked while a
run is at work there."""


def start_clean(release: Release) -> None:
    """Remove what an earlier run left; refuse to touch a folder that is no release."""
    out = release.out
    if os.path.ismount(out):
        raise FailedError(
            f"{out} is a mount point, which cannot be replaced; name a folder inside it"
        )
    for folder in release.thin:
        if out.is_relative_to(folder) or folder.is_relative_to(release.partial):
            raise FailedError(
                f"{out} lies in {folder}, and its own files would be taken for thin wheels; name another folder"
            )
    empty = out.is_dir() and not any(out.iterdir())
    if out.exists() and not empty and not (out / MANIFEST).is_file():
        raise FailedError(f"{out} exists and is no earlier release; name another folder")
    if release.partial.exists():
        if not (release.partial / MARKER).is_file():
            raise FailedError(f"{release.partial} is in the way; remove it")
        with (release.partial / MARKER).open("r+", encoding="utf-8") as marker:
            if not _lock(marker):
                raise FailedError(
                    f"another run is at work in {release.partial}; wait for it, or name another folder"
                )
        shutil.rmtree(release.partial)
    release.partial.mkdir(parents=True)
    release.lock = (release.partial / MARKER).open("w", encoding="utf-8")
    release.lock.write("an unfinished release, which the next run removes\n")
    release.lock.flush()
    _lock(release.lock)


def _lock(file: IO[str]) -> bool:
    """Return whether no other process has locked the file; this one has it then until it ends."""
    try:
        import fcntl
    except ModuleNotFoundError:  # on Windows; there, files in use cannot be removed anyway
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def publish(release: Release) -> None:
    """Give the release its name, in place of an earlier one where there is one."""
    shutil.rmtree(release.partial / "target", ignore_errors=True)
    (release.partial / "index.log").unlink()
    earlier = release.partial / "earlier"
    if release.out.exists():
        release.replaced = any(release.out.iterdir())
        release.out.rename(earlier)
    release.partial.rename(release.out)
    shutil.rmtree(release.out / "earlier", ignore_errors=True)
    (release.out / MARKER).unlink()
