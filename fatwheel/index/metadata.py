"""METADATA of a wheel that is not fused yet: both halves', read without fetching the wheels, and merged.

An index may serve a wheel's METADATA beside it (PEP 658, PEP 714); where it does not, the few bytes of the archive
that hold it are asked for.
"""

from __future__ import annotations

import hashlib
import io
import zipfile

from fatwheel.fusion.merge import Merged
from fatwheel.fusion.merge.metadata import merge_metadata
from fatwheel.index.cache import Cache
from fatwheel.index.page import File
from fatwheel.index.upstream import Upstream, UpstreamError

__all__ = ["MetadataReader", "merged_metadata"]

_TAIL = 128 * 1024  # bytes at an archive's end: its directory, and in most wheels METADATA
_NEAR = 16 * 1024  # bytes that are read at once in front of what is missing
_LARGEST = 4 << 20  # bytes of METADATA, as for wheels that are read whole
_MOST_READS = 12


class _MissingError(Exception):
    """A range that was not fetched yet."""

    def __init__(self, offset: int, size: int) -> None:
        super().__init__(offset, size)
        self.offset, self.size = offset, size


class _Sparse(io.RawIOBase):
    """A file of which some ranges are known."""

    def __init__(self, size: int, offset: int, data: bytes) -> None:
        self._size = size
        self._pieces = [(offset, data)]
        self._at = 0

    def add(self, offset: int, data: bytes) -> None:
        self._pieces.append((offset, data))

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        size = left if size < 0 else min(size, left)
        for offset, data in self._pieces:
            if offset <= self._at and self._at + size <= offset + len(data):
                found = data[self._at - offset : self._at - offset + size]
                self._at += size
                return found
        raise _MissingError(self._at, size)


class MetadataReader:
    """Reads METADATA of wheels of an index, each once."""

    def __init__(self, cache: Cache, *, offline: bool) -> None:
        """What is read is kept in the cache; offline, nothing else is read."""
        self._cache = cache
        self._offline = offline

    def known(self, file: File) -> bytes | None:
        """Return METADATA where it was read before, or lies in a wheel that was fetched."""
        text = self._cache.metadata(file)
        if text is None and (made := self._cache.made(self._cache.input_path(file))) is not None:
            with zipfile.ZipFile(made.path) as archive:
                text = _read(archive, file.filename)
            self._cache.keep_metadata(file, text)
        return text

    async def read(self, upstream: Upstream, file: File) -> bytes:
        """Return METADATA of the wheel.

        Raises `UpstreamError` where it cannot be had: offline, or the index serves neither the file nor ranges.
        """
        text = self.known(file)
        if text is not None:
            return text
        if self._offline:
            raise UpstreamError(
                f"METADATA of {file.filename} is not in the cache, and this is --offline"
            )
        text = await (
            self._beside(upstream, file) if file.metadata is not None else _inside(upstream, file)
        )
        self._cache.keep_metadata(file, text)
        return text

    async def _beside(self, upstream: Upstream, file: File) -> bytes:
        out = io.BytesIO()
        beside = File(
            filename=f"{file.filename}.metadata",
            url=f"{file.url}.metadata",
            hashes=file.metadata or {},
        )
        await upstream.fetch(beside, out, lambda _: None)
        return out.getvalue()


async def _inside(upstream: Upstream, file: File) -> bytes:
    """Read METADATA out of the archive by ranges."""
    data, size = await upstream.read(file, None, _TAIL)
    sparse = _Sparse(size, max(0, size - len(data)), data)
    for _ in range(_MOST_READS):
        try:
            sparse.seek(0)
            with zipfile.ZipFile(sparse) as archive:
                return _read(archive, file.filename)
        except _MissingError as missing:
            size_wanted = min(max(missing.size, _NEAR), size - missing.offset)
            found, _ = await upstream.read(file, missing.offset, size_wanted)
            sparse.add(missing.offset, found)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
            raise UpstreamError(
                f"{file.filename} has no METADATA that can be read ({error})"
            ) from None
    raise UpstreamError(f"{file.filename} has no METADATA that can be read in {_MOST_READS} pieces")


def _read(archive: zipfile.ZipFile, filename: str) -> bytes:
    for info in archive.infolist():
        folder, slash, base = info.filename.partition("/")
        if slash and base == "METADATA" and folder.endswith(".dist-info"):
            if info.file_size > _LARGEST:
                break
            return archive.read(info)
    raise UpstreamError(f"{filename} has no METADATA that can be read")


def merged_metadata(x86_64: bytes, arm64: bytes) -> tuple[bytes, str] | None:
    """Return METADATA of the fused wheel and its SHA-256; None where the two do not agree as values."""
    text = arm64
    if x86_64 != arm64:
        merged = merge_metadata(x86_64, arm64)
        if not isinstance(merged, Merged):
            return None
        text = merged.content
    return text, hashlib.sha256(text).hexdigest()
