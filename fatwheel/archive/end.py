"""Where a zip archive's central directory lies, found in one way only.

Readers find the end record in different ways (from the front, from the back, by comment length),
so an archive whose end can be read in two ways shows different members to different installers.
Sections are those of PKWARE's APPNOTE.TXT, version 6.3.10.
"""

from __future__ import annotations

from fatwheel.archive.format import (
    END,
    END64,
    END64_SIGNATURE,
    END_SIGNATURE,
    LOCATOR,
    LOCATOR_SIGNATURE,
    MAX16,
    MAX32,
)
from fatwheel.archive.ranges import RangeFile
from fatwheel.errors import WheelError
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = ["Directory", "find_directory"]

MAX_DIRECTORY = 64 * 1024 * 1024
MAX_MEMBERS = 250_000
"""Far beyond any real wheel (torch has 11,000 members), and little enough to be held in memory."""


@valueclass
class Directory:
    """The central directory: `size` bytes from byte `offset` on, with `members` headers."""

    offset: int
    size: int
    members: int


def find_directory(file: RangeFile, source: str) -> Directory:
    """Find the central directory through the end record (4.3.16) and, where there is one, Zip64's.

    Raises `WheelError` where there is no end record or more than one candidate, where it and the
    Zip64 record disagree, where the archive has several disks, where the directory does not end
    where the end records begin (bytes were put before or into the archive), and for more than
    250,000 members.
    """
    end, tail = _end_record(file, source)
    _, disk, start_disk, here, members, size, offset, _ = END.unpack_from(tail)
    limit = end
    if end >= LOCATOR.size:
        locator = file.read(end - LOCATOR.size, LOCATOR.size)
        if locator.startswith(LOCATOR_SIGNATURE):
            classic = (disk, start_disk, here, members, size, offset)
            limit, values = _zip64_record(file, source, locator, end - LOCATOR.size)
            _compare(classic, values, source)
            disk, start_disk, here, members, size, offset = values
    if disk or start_disk or here != members:
        raise WheelError(source, None, "is one part of an archive on several disks")
    if offset + size != limit:
        problem = (
            f"its central directory of {counted(size, 'byte')} at byte {offset} must end at byte {limit}, "
            f"where the end record begins"
        )
        raise WheelError(source, None, problem)
    if members > MAX_MEMBERS or size > MAX_DIRECTORY:
        problem = (
            f"has {counted(members, 'member')} in a directory of {counted(size, 'byte')}; "
            f"at most {MAX_MEMBERS} are read"
        )
        raise WheelError(source, None, problem)
    return Directory(offset=offset, size=size, members=members)


def _end_record(file: RangeFile, source: str) -> tuple[int, bytes]:
    """Return the end record's offset and all bytes from there on."""
    base = max(0, file.size - END.size - MAX16)
    tail = file.read(base, file.size - base)
    signatures = []
    at = tail.find(END_SIGNATURE)
    while at >= 0:
        signatures.append(at)
        at = tail.find(END_SIGNATURE, at + 1)
    fitting = [at for at in signatures if _end_of_comment(tail, at) == len(tail)]
    if not signatures:
        raise WheelError(source, None, "is truncated or no zip archive: it has no end record")
    if not fitting:
        left = len(tail) - _end_of_comment(tail, signatures[-1])
        problem = (
            f"has {counted(left, 'byte')} after its end record"
            if left > 0
            else "is cut off in its end record"
        )
        raise WheelError(source, None, problem)
    if len(fitting) > 1 or fitting[0] != signatures[-1]:
        places = ", ".join(str(base + at) for at in signatures[signatures.index(fitting[0]) :][:4])
        problem = f"has several end records (bytes {places}); readers disagree which of them counts"
        raise WheelError(source, None, problem)
    return base + fitting[0], tail[fitting[0] :]


def _end_of_comment(tail: bytes, at: int) -> int:
    if at + END.size > len(tail):
        return len(tail) + 1
    return at + END.size + int.from_bytes(tail[at + 20 : at + 22], "little")


def _zip64_record(
    file: RangeFile, source: str, locator: bytes, locator_offset: int
) -> tuple[int, tuple[int, ...]]:
    """Return the Zip64 end record's offset and values (4.3.14), ordered as in the end record."""
    _, disk, offset, disks = LOCATOR.unpack(locator)
    if disk or disks > 1:
        raise WheelError(source, None, "is one part of an archive on several disks")
    if offset + END64.size > locator_offset:
        problem = f"its Zip64 end record at byte {offset} overlaps the locator at {locator_offset}"
        raise WheelError(source, None, problem)
    record = file.read(offset, END64.size)
    signature, length, _, _, *values = END64.unpack(record)
    if signature != END64_SIGNATURE:
        problem = f"has no Zip64 end record at byte {offset} (found {signature.hex()})"
        raise WheelError(source, None, problem)
    if offset + 12 + length != locator_offset:
        problem = (
            f"its Zip64 end record at byte {offset} ends at byte {offset + 12 + length}, "
            f"not at the locator's {locator_offset}"
        )
        raise WheelError(source, None, problem)
    return offset, tuple(values)


def _compare(classic: tuple[int, ...], zip64: tuple[int, ...], source: str) -> None:
    """Check that each value equals Zip64's or says that Zip64's counts (4.4.1.4)."""
    names = ("disk", "directory's disk", "members here", "members", "directory size", "offset")
    limits = (MAX16, MAX16, MAX16, MAX16, MAX32, MAX32)
    for name, here, there, limit in zip(names, classic, zip64, limits, strict=True):
        if here not in (there, limit):
            problem = f"{name} is {here} in its end record but {there} in the Zip64 end record"
            raise WheelError(source, None, problem)
