"""Byte ranges of a file that several threads may read at once.

A member's data are read more than once: verified first, copied or looked at again later. In between somebody may write
to the file, even without a trace in its times (through mapped memory). So the first reading notes a sum of each piece,
and every later one is compared with it: what is copied is what was verified.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from fatwheel.archive.crc import fastest_crc32
from fatwheel.errors import ChangedError, WheelError

__all__ = ["CHUNK", "RangeFile", "ReadAhead", "SteadyReader", "file_sha256"]

CHUNK = 256 * 1024
"""The most bytes held in one piece: enough to make calls cheap, few enough for the cache."""

_AHEAD = 32 * 1024
_NEAR = 4096  # bytes between two ranges, above which the next ones hardly follow closely


class RangeFile:
    """A wheel that is open for reading byte ranges, from any number of threads at once.

    `name` is the file's name and stands in messages, `size` its length in bytes when it was opened.
    """

    def __init__(self, path: Path) -> None:
        """Open the file at `path`.

        Raises `OSError` where it cannot be opened, and `WheelError` where it is no regular file.
        """
        self.name = path.name
        if not stat.S_ISREG(
            path.stat().st_mode
        ):  # before opening: a FIFO would wait for its writer
            raise WheelError(self.name, None, "is not a regular file")
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._opened = os.fstat(self._fd)
        self.size = self._opened.st_size
        self._lock = None if hasattr(os, "pread") else threading.Lock()
        self._crc32 = fastest_crc32()
        self._sums: dict[int, int] = {}  # CRC-32 of each piece of members' data, by its offset

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly the `size` bytes from byte `offset` on.

        Raises `WheelError` where the file ends before, also when it was shortened since it was
        opened.
        """
        if offset < 0 or size < 0:
            raise ValueError(f"negative range: offset {offset}, size {size}")
        if offset + size > self.size:
            raise self._truncated(offset, size, self.size)
        data = self._read(offset, size)
        while len(data) < size:  # a system call may return less than it was asked for
            more = self._read(offset + len(data), size - len(data))
            if not more:
                raise self._truncated(offset, size, offset + len(data))
            data += more
        return data

    def chunks(self, offset: int, size: int, chunk: int = CHUNK) -> Iterator[bytes]:
        """Yield the `size` bytes from byte `offset` on in pieces of at most `chunk` bytes."""
        end = offset + size
        while offset < end:
            piece = self.read(offset, min(chunk, end - offset))
            yield piece
            offset += len(piece)

    def steady(
        self, offset: int, size: int, start: int = 0, count: int | None = None
    ) -> Iterator[bytes]:
        """Yield a member's data, or `count` bytes of it from byte `start` on, in pieces of at most `CHUNK` bytes.

        The data are the `size` bytes from byte `offset` on. Raises `ChangedError` where a piece that was read before is
        not the same any more.
        """
        end = size if count is None else start + count
        for at in range(start - start % CHUNK, end, CHUNK):
            piece = self.read(offset + at, min(CHUNK, size - at))
            self.compare(offset + at, piece)
            first, last = max(0, start - at), end - at
            yield piece if not first and last >= len(piece) else piece[first:last]

    def compare(self, offset: int, piece: bytes) -> None:
        """Note the sum of a piece of a member's data, or compare it with what was noted; raises `ChangedError`."""
        found = self._crc32(piece, 0)
        if self._sums.setdefault(offset, found) != found:
            raise ChangedError(self.name, None)

    def check_unchanged(self) -> None:
        """Raise `ChangedError` where the file was written to since it was opened, or its name leads to another file."""
        now, opened = os.fstat(self._fd), self._opened
        if now.st_size != opened.st_size:
            raise ChangedError(self.name, None, f"{opened.st_size} bytes, now {now.st_size}")
        if now.st_mtime_ns != opened.st_mtime_ns:
            raise ChangedError(self.name, None, "it was written to")
        try:
            named = self._path.stat()
        except OSError:
            raise ChangedError(self.name, None, "the file is gone") from None
        if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
            raise ChangedError(self.name, None, "another file has its name")

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> RangeFile:
        """Return the open file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def _read(self, offset: int, size: int) -> bytes:
        if self._lock is None:
            return os.pread(self._fd, size, offset)
        with self._lock:  # Windows: position and reading are two calls
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, size)

    def _truncated(self, offset: int, size: int, end: int) -> WheelError:
        return WheelError(
            self.name,
            None,
            f"is truncated at byte {end}; bytes {offset} to {offset + size} are needed",
        )


class ReadAhead:
    """Reads small ranges of a file that follow each other closely, many of them at once; for one thread."""

    def __init__(self, file: RangeFile) -> None:
        """Nothing is read yet."""
        self._file = file
        self._data = b""
        self._start = self._end = 0  # of what `_data` holds

    def read(self, offset: int, size: int) -> bytes:
        """Return what `RangeFile.read` does, and raise what it does."""
        end = offset + size
        if self._start <= offset and end <= self._end:
            start = self._start
            return self._data[offset - start : end - start]
        follows = 0 <= offset - self._end < _NEAR
        left = self._file.size - offset
        self._data = self._file.read(offset, max(size, min(_AHEAD, left)) if follows else size)
        self._start, self._end = offset, offset + len(self._data)
        return self._data[:size]

    def steady(self, offset: int, size: int) -> bytes:
        """Return a small member's data, compared as `RangeFile.steady` does it; at most `CHUNK` bytes."""
        data = self.read(offset, size)
        self._file.compare(offset, data)
        return data


class SteadyReader:
    """Reads bits of one member's data here and there, compared as `RangeFile.steady` does it; for one thread."""

    def __init__(self, file: RangeFile, offset: int, size: int) -> None:
        """The data are the `size` bytes from byte `offset` on."""
        self._file, self._offset, self._size = file, offset, size
        self._at, self._piece = -1, b""

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from byte `start` of the data on, fewer where they end before."""
        at = start - start % CHUNK
        if at == self._at and start - at + count <= len(self._piece):
            return self._piece[start - at : start - at + count]
        count = min(count, self._size - start)
        if start - at + count > CHUNK:
            return b"".join(self._file.steady(self._offset, self._size, start, count))
        (self._piece,) = self._file.steady(
            self._offset, self._size, at, min(CHUNK, self._size - at)
        )
        self._at = at
        return self._piece[start - at : start - at + count]


def file_sha256(file: RangeFile) -> str:
    """Return the SHA-256 of a whole file in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in file.chunks(0, file.size):
        digest.update(chunk)
    return digest.hexdigest()
