"""The zip archive: what fatwheel takes for sound, Python's zipfile reads alike."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fatwheel.archive.directory import read_directory
from fatwheel.archive.ranges import RangeFile
from tests.fuzz.target import BrokenPromiseError, Target, check, scratch
from tests.support.wheels import DATE, zip_bytes

__all__ = ["TARGETS"]


def archives() -> Iterator[bytes]:
    """Archives of every kind that fatwheel reads, and some that it refuses."""
    yield zip_bytes()
    yield zip_bytes(
        ("pkg/__init__.py", b""), ("pkg/caf\N{LATIN SMALL LETTER E WITH ACUTE}.py", b"x = 1\n")
    )
    for streamed in (False, True):
        made = io.BytesIO()
        file: IO[bytes] = _Forward(made) if streamed else made  # type: ignore[assignment]
        with zipfile.ZipFile(file, "w") as out:
            for name, mode in (("pkg/", 0o40755), ("pkg/a.sh", 0o100755), ("pkg/link", 0o120777)):
                info = zipfile.ZipInfo(name, DATE)
                info.external_attr = mode << 16
                info.extra = struct.pack("<HH5s", 0x5455, 5, b"\1time")
                with out.open(info, "w", force_zip64=name.endswith("sh")) as member:
                    member.write(b"" if name.endswith("/") else b"echo\n")
            out.comment = b"a comment"
        yield made.getvalue()
    crc = zlib.crc32(b"pkg/a")
    for second in (b"pkg/b", b"pkg/a"):
        extra = struct.pack("<HHBI", 0x7075, 5 + len(second), 1, crc) + second
        yield _one(b"pkg/a", b"text", extra)


def _one(name: bytes, content: bytes, extra: bytes) -> bytes:
    shared = struct.pack(
        "<HHHHHIII", 20, 0, 0, 0, 33, zlib.crc32(content), len(content), len(content)
    )
    local = b"PK\3\4" + shared + struct.pack("<HH", len(name), len(extra)) + name + extra + content
    sizes = struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0o100644 << 16, 0)
    central = b"PK\1\2" + struct.pack("<H", 0x314) + shared + sizes + name + extra
    return (
        local
        + central
        + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)
    )


class _Forward:
    """A file that cannot seek, which makes zipfile write data descriptors."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        pass


def _directory(data: bytes) -> None:
    with scratch() as folder:
        path = folder / "w.whl"
        path.write_bytes(data)
        with RangeFile(path) as file:
            entries = read_directory(file, "w.whl")
        ours = [(e.name, e.crc, e.size, e.compressed_size, e.header_offset) for e in entries]
        theirs = _members(path)
        check(ours == theirs, f"read as {ours}, by zipfile as {theirs}")


def _members(path: Path) -> list[tuple[str, int, int, int, int]]:
    """Return the members of an archive that was accepted, as zipfile sees them."""
    try:
        with zipfile.ZipFile(path) as opened:
            for info in opened.infolist():
                opened.open(info).close()  # looks at the local header
            return [
                (i.filename, i.CRC, i.file_size, i.compress_size, i.header_offset)
                for i in opened.infolist()
            ]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise BrokenPromiseError(f"zipfile refuses what was accepted: {error!r}") from error


TARGETS = (Target(name="directory", run=_directory, seeds=archives, runs=3000, share=3),)
