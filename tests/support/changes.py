"""What other programs do to a file that is being read."""

from __future__ import annotations

import mmap
import os
import zipfile
from pathlib import Path


def through_memory(path: Path, offset: int) -> None:
    """Change a byte as a program does that has the file mapped: neither size nor times need to change."""
    before = path.stat()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[offset] ^= 0x55
        mapped.flush()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Let the name lead to another file of the same content."""
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def data_of(path: Path, member: str) -> tuple[int, int]:
    """Return where a member's data lie: offset and size in bytes."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    raw = path.read_bytes()[info.header_offset :]
    start = info.header_offset + 30 + int.from_bytes(raw[26:28], "little")
    return start + int.from_bytes(raw[28:30], "little"), info.compress_size
