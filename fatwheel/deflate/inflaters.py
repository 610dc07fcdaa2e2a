"""The libraries that inflate raw deflate streams (RFC 1951), behind one seam, and which of them is taken.

Splicing needs to know where a stream's last block begins and ends, bit by bit. zlib's `inflate`
reports block boundaries when it is called with `Z_BLOCK`, which Python's `zlib` module does not
pass; libz and zlib-ng do it through ctypes. Whoever inflates, the facts about a stream are the
same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol

from fatwheel.deflate.nativezlib import load_libz, load_zlib_ng
from fatwheel.deflate.pythonzlib import PythonZlib
from fatwheel.deflate.stream import Buffers, End, Note

__all__ = [
    "Inflater",
    "available_inflaters",
    "best_inflater",
    "load_libz",
    "load_zlib_ng",
    "python_zlib",
]


class Inflater(Protocol):
    """A way to inflate and to compute CRC-32."""

    @property
    def name(self) -> str:
        """What does the work, with its version."""

    @property
    def finds_blocks(self) -> bool:
        """Whether `End.blocks` is known at the end."""

    @property
    def crc32(self) -> Callable[[bytes | memoryview, int], int]:
        """The library's CRC-32: `crc32(data, before)`, like `zlib.crc32`."""

    def whole(self, raw: bytes, size: int) -> bytes | None:
        """Return the content of a small stream in one call.

        None where `raw` is anything but one sound stream with `size` bytes of content; `run` tells what is wrong.
        """

    def run(
        self,
        chunks: Iterable[bytes],
        *,
        watch_from: int = 0,
        note: Note | None = None,
        buffers: Buffers | None = None,
    ) -> Generator[memoryview, None, End]:
        """Yield the content in pieces of at most 256 KiB; return what is known at the stream's end.

        Block ends are looked for from byte `watch_from` of the stream on, which saves time
        before; where the last block begins earlier, `End.blocks` is None. `note` is called with
        each boundary between two blocks that is found: its bit in the stream, and its byte in the
        content.

        A piece is valid until the next one is asked for: its memory is used again. With `buffers`,
        that is only when all of them were used. Chunks behind the stream's end are not asked for.
        Streams may run in any number of threads at once. Raises `zlib.error` for a malformed stream
        and `EOFError` where the chunks end before the stream.
        """


def available_inflaters() -> Iterator[Inflater]:
    """Yield the inflaters of this machine, the fastest first; Python's zlib is always the last."""
    for load in (load_zlib_ng, load_libz):
        if (inflater := load()) is not None:
            yield inflater
    yield python_zlib()


@functools.cache
def best_inflater() -> Inflater:
    """Return the fastest inflater of this machine that finds blocks, else Python's zlib; it is looked for once."""
    return next(available_inflaters())


def python_zlib() -> Inflater:
    """Return the inflater that needs nothing but Python."""
    return PythonZlib()
