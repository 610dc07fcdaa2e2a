"""What is known of a raw deflate stream (RFC 1951) when it was inflated, and the memory that its content is put in."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from fatwheel.archive.ranges import CHUNK
from fatwheel.values import valueclass

__all__ = ["RAW", "Blocks", "Buffers", "End", "Note"]

RAW = -15
"""The libraries' word for a stream without zlib's header and checksum, as in zip archives; its window has 32 KiB."""


@valueclass
class Blocks:
    """Where a deflate stream's last block lies, in bits from the stream's first byte.

    `last_block_bit` is its BFINAL bit, the first of its header (RFC 1951, 3.2.3), `end_bit` the
    first bit behind its end; bits count from the least significant one of each byte.
    """

    last_block_bit: int
    end_bit: int


@valueclass
class End:
    """What is known when a stream ends: its length in bytes and, where found, its last block."""

    consumed: int
    blocks: Blocks | None


Note = Callable[[int, int], None]
"""Takes note of a boundary between two blocks: its bit in the stream, its byte in the content."""


class Buffers:
    """Memory for `count` pieces, which are written to in turns."""

    def __init__(self, count: int) -> None:
        memory = [(ctypes.c_ubyte * CHUNK)() for _ in range(count)]
        self.turns = [(ctypes.addressof(one), memoryview(one).cast("B")) for one in memory]
