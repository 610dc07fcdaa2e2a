"""The CRC-32 of zeros, more of them than anybody wants to run over."""

from __future__ import annotations

import zlib

from fatwheel.archive.crc import combine


def crc_of_zeros(size: int) -> int:
    """Return the CRC-32 of `size` bytes of zero, by doubling."""
    crc, done = 0, 0
    for bit in f"{size:b}":
        crc, done = combine(crc, crc, done), 2 * done
        if bit == "1":
            crc, done = zlib.crc32(b"\0", crc), done + 1
    return crc
