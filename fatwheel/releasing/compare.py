"""Whether two folders hold the same files, and which members of archives differ."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from zipfile import ZipFile

from fatwheel.releasing.programs import FailedError

__all__ = ["compare", "sha256"]


def compare(first: Path, second: Path) -> None:
    """Fail unless both folders hold the same files."""
    sums = [{path.name: sha256(path) for path in folder.iterdir()} for folder in (first, second)]
    for name in sorted(set(sums[0]) | set(sums[1])):
        if name not in sums[1] or name not in sums[0]:
            raise FailedError(
                f"{name} was made only the {'first' if name in sums[0] else 'second'} time"
            )
        if sums[0][name] != sums[1][name]:
            differing = (
                ", ".join(_differing_members(first / name, second / name)) or "its container"
            )
            raise FailedError(
                f"{name} is not the same when it is made again (what differs: {differing}); "
                f"{first} and {second} hold both"
            )


def _differing_members(first: Path, second: Path) -> list[str]:
    """Return the members of two archives that differ."""
    contents = [_member_sums(path) for path in (first, second)]
    found = sorted(set(contents[0]) | set(contents[1]))
    return [name for name in found if contents[0].get(name) != contents[1].get(name)]


def _member_sums(path: Path) -> dict[str, object]:
    """Return what tells each member of an archive from another's of the same name."""
    if path.suffix == ".whl":
        with ZipFile(path) as archive:
            return {info.filename: (info.CRC, info.date_time) for info in archive.infolist()}
    with tarfile.open(path) as tar:
        return {
            member.name: (
                member.mtime,
                member.mode,
                hashlib.sha256(file.read()).digest() if (file := tar.extractfile(member)) else b"",
            )
            for member in tar
        }


def sha256(path: Path) -> str:
    """Return a file's digest in hexadecimal."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
