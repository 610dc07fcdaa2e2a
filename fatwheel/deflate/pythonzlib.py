"""Inflating with Python's own zlib, which is always there and finds no blocks."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterable
from typing import Any

from fatwheel.archive.ranges import CHUNK
from fatwheel.deflate.stream import RAW, Buffers, End, Note

__all__ = ["ModuleInflater", "PythonZlib"]


class ModuleInflater:
    """What `module`, which is Python's zlib or made like it, does by itself: CRC-32, and small streams in one call."""

    def __init__(self, module: Any) -> None:
        self.crc32: Callable[[bytes | memoryview, int], int] = module.crc32
        self._begin, self._error = module.decompressobj, module.error

    def whole(self, raw: bytes, size: int) -> bytes | None:
        """Return the content of a small stream; see `Inflater.whole`."""
        stream = self._begin(RAW)
        try:
            content: bytes = stream.decompress(raw, size + 1)
        except self._error:
            return None
        right = stream.eof and len(content) == size and not stream.unused_data
        return content if right else None


class PythonZlib(ModuleInflater):
    """An `Inflater` that needs nothing but Python."""

    name = f"Python's zlib {zlib.ZLIB_RUNTIME_VERSION}"
    finds_blocks = False

    def __init__(self) -> None:
        super().__init__(zlib)

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        watch_from: int = 0,
        note: Note | None = None,
        buffers: Buffers | None = None,
    ) -> Generator[memoryview, None, End]:
        """Yield the content; see `Inflater.run`."""
        stream = zlib.decompressobj(RAW)
        consumed = 0
        for chunk in chunks:
            consumed += len(chunk)
            data = chunk
            while True:
                piece = stream.decompress(data, CHUNK)
                if piece:
                    yield memoryview(piece)
                if stream.eof:
                    return End(consumed=consumed - len(stream.unused_data), blocks=None)
                data = stream.unconsumed_tail
                if not data and len(piece) < CHUNK:
                    break
        raise EOFError
