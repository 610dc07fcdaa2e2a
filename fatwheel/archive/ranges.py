"""Byte ranges of a file that several threads may read at once."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from fatwheel.errors import WheelError

__all__ = ["CHUNK", "RangeFile", "ReadAhead", "file_sha256"]

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
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self.size = os.fstat(self._fd).st_size
        self._lock = None if hasattr(os, "pread") else threading.Lock()

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


def file_sha256(file: RangeFile) -> str:
    """Return the SHA-256 of a whole file in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in file.chunks(0, file.size):
        digest.update(chunk)
    return digest.hexdigest()
