"""Byte ranges of a file that several threads may read at once.

A member's data are read more than once: verified first, copied or looked at again later. In between somebody may write
to the file, even without a trace in its times (through mapped memory). So the first reading notes a sum of each piece,
and every later one is compared with it: what is copied is what was verified. What is read once only needs no sum.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from fatwheel.archive.crc import fastest_crc32
from fatwheel.errors import AbandonedError, ChangedError, WheelError
from fatwheel.printable import counted

__all__ = ["CHUNK", "Progress", "RangeFile", "ReadAhead", "Span", "SteadyReader", "file_sha256"]

Progress = Callable[[int], None]
"""Called, in any thread, with the number of bytes that were read since the last call."""

CHUNK = 256 * 1024
"""The most bytes held in one piece: enough to make calls cheap, few enough for the cache."""

_AHEAD = 32 * 1024
_NEAR = 4096  # bytes between two ranges, above which the next ones hardly follow closely


class Span(NamedTuple):
    """Where a member's data lie, in bytes of the file, and its name."""

    offset: int
    size: int
    member: str

    @property
    def end(self) -> int:
        """The byte behind them."""
        return self.offset + self.size


class RangeFile:
    """A file that is open for reading byte ranges, from any number of threads at once.

    `name` stands in messages, `size` and `mode` are its length in bytes and its mode when it was opened. `members` says
    in rising order where an archive's members lie; whoever has read its directory sets it. `progress` is told of every
    piece of members' data, as often as it is read.
    """

    def __init__(self, path: Path, *, name: str | None = None) -> None:
        """Open the file at `path`, which messages call by its own name or by `name`.

        Raises `OSError` where it cannot be opened, and `WheelError` where it is no regular file.
        """
        self.name = path.name if name is None else name
        self.members: Sequence[Span] = ()
        self.progress: Progress | None = None
        self._is_abandoned = False
        if not stat.S_ISREG(
            path.stat().st_mode
        ):  # before opening: a FIFO would wait for its writer
            raise WheelError(self.name, None, "is not a regular file")
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._opened = os.fstat(self._fd)
        self.size, self.mode = self._opened.st_size, self._opened.st_mode
        self._lock = None if hasattr(os, "pread") else threading.Lock()
        self._crc32 = fastest_crc32()
        self._sums: dict[int, int] = {}  # CRC-32 of each piece of members' data, by its offset

    def read(self, offset: int, size: int) -> bytes:
        """Return exactly the `size` bytes from byte `offset` on.

        Raises `WheelError` where the file ends before, and `ChangedError` where it was shortened since it was opened.
        """
        if offset < 0 or size < 0:
            raise ValueError(f"negative range: offset {offset}, size {size}")
        if offset + size > self.size:
            problem = (
                f"is truncated at byte {self.size}; bytes {offset} to {offset + size} are needed"
            )
            raise WheelError(self.name, None, problem)
        data = self._read(offset, size)
        while len(data) < size:  # a system call may return less than it was asked for
            more = self._read(offset + len(data), size - len(data))
            if not more:
                how = f"it had {counted(self.size, 'byte')} and ends at {offset + len(data)}"
                raise ChangedError(self.name, self._member_at(offset), how)
            data += more
        return data

    def chunks(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield the `size` bytes from byte `offset` on in pieces of at most `CHUNK` bytes."""
        end = offset + size
        while offset < end:
            piece = self.read(offset, min(CHUNK, end - offset))
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

    def whole(self) -> Iterator[bytes]:
        """Yield all bytes of the file in pieces of at most `CHUNK` bytes, members' data compared as by `steady`."""
        at = 0
        for group in self._groups():
            first, end = group[0], group[-1].end
            if end - at <= CHUNK:
                piece = self.read(at, end - at)
                view = memoryview(piece)
                for span in group:
                    self.compare(span.offset, view[span.offset - at : span.end - at])
                yield piece
            else:
                yield from self.chunks(at, first.offset - at)
                yield from self.steady(first.offset, first.size)
            at = end
        yield from self.chunks(at, self.size - at)

    def _groups(self) -> Iterator[list[Span]]:
        """Yield the members in groups of up to `CHUNK` bytes, headers included; larger ones are alone."""
        start, group = 0, list[Span]()
        for span in self.members:
            if group and span.end - start > CHUNK:
                yield group
                start, group = group[-1].end, []
            group.append(span)
        if group:
            yield group

    def compare(self, offset: int, piece: bytes | memoryview) -> None:
        """Note the sum of a piece of a member's data, or compare it with what was noted; raises `ChangedError`."""
        found = self._crc32(piece, 0)
        if self._sums.setdefault(offset, found) != found:
            raise ChangedError(self.name, self._member_at(offset))
        self.go_on()
        if self.progress is not None:
            self.progress(len(piece))

    @property
    def known_sums(self) -> int:
        """Of how many pieces the sums are known."""
        return len(self._sums)

    def sums_from(self, known: int) -> dict[int, int]:
        """Return the sums that were noted after so many were known, by the pieces' offsets."""
        return dict(itertools.islice(self._sums.items(), known, None))

    def join_sums(self, sums: Mapping[int, int]) -> None:
        """Note the sums of pieces that a copy of this process has read, or compare them; raises `ChangedError`."""
        for offset, found in sums.items():
            if self._sums.setdefault(offset, found) != found:
                raise ChangedError(self.name, self._member_at(offset))

    def go_on(self) -> None:
        """Raise `AbandonedError` after `abandon`."""
        if self._is_abandoned:
            raise AbandonedError("nobody waits for this any more")

    def abandon(self) -> None:
        """End what other threads do with members' data: each of them gets `AbandonedError` at its next piece."""
        self._is_abandoned = True

    def check_content(self) -> None:
        """Read the file once more; raise `ChangedError` where members' data changed, or as `check_unchanged` does."""
        for _ in self.whole():
            pass
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Raise `ChangedError` where the file was written to since it was opened, or its name leads to another file."""
        now, opened = os.fstat(self._fd), self._opened
        if now.st_size != opened.st_size:
            raise ChangedError(
                self.name, None, f"{counted(opened.st_size, 'byte')}, now {now.st_size}"
            )
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

    def _member_at(self, offset: int) -> str | None:
        """Return the member whose data the byte at `offset` belongs to."""
        found = bisect_right(self.members, offset, key=lambda span: span.offset) - 1
        if found < 0 or offset >= self.members[found].end:
            return None
        return self.members[found].member

    def _read(self, offset: int, size: int) -> bytes:
        try:
            if self._lock is None:
                return os.pread(self._fd, size, offset)
            with self._lock:  # Windows: position and reading are two calls
                os.lseek(self._fd, offset, os.SEEK_SET)
                return os.read(self._fd, size)
        except OSError as error:  # it names no file, and would be taken for the output's
            raise OSError(error.errno, error.strerror, str(self._path)) from error


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
        count = min(count, self._size - start)
        if count <= 0:
            return b""
        at = start - start % CHUNK
        if start - at + count > CHUNK:
            return b"".join(self._file.steady(self._offset, self._size, start, count))
        if at != self._at:
            (self._piece,) = self._file.steady(
                self._offset, self._size, at, min(CHUNK, self._size - at)
            )
            self._at = at
        return self._piece[start - at : start - at + count]


def file_sha256(file: RangeFile) -> str:
    """Return the SHA-256 of a whole file in hexadecimal; raises `ChangedError` as `RangeFile.whole` does."""
    digest = hashlib.sha256()
    for piece in file.whole():
        digest.update(piece)
    return digest.hexdigest()
