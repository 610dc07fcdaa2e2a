"""The wire values of the zip format that its reader and its writer share.

The numbers are those of PKWARE's APPNOTE.TXT, version 6.3.10; all fields are little endian.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

__all__ = [
    "CENTRAL",
    "CENTRAL_SIGNATURE",
    "DESCRIPTOR_SIGNATURE",
    "END",
    "END64",
    "END64_SIGNATURE",
    "END_SIGNATURE",
    "LOCAL",
    "LOCAL_SIGNATURE",
    "LOCATOR",
    "LOCATOR_SIGNATURE",
    "MAX16",
    "MAX32",
    "Flag",
    "Method",
]


class Method(IntEnum):
    """How a member's content is encoded (4.4.5), as far as wheels may use it."""

    STORED = 0
    DEFLATED = 8


class Flag(IntEnum):
    """General purpose bits that matter here (4.4.4)."""

    ENCRYPTED = 1 << 0
    DESCRIPTOR = 1 << 3
    PATCHED = 1 << 5
    STRONG_ENCRYPTION = 1 << 6
    UTF8 = 1 << 11
    MASKED_HEADERS = 1 << 13


MAX16 = 0xFFFF
"""In a 16-bit field: the value stands in the Zip64 record instead (4.4.1.4)."""
MAX32 = 0xFFFFFFFF
"""In a 32-bit field: the value stands in the Zip64 record or extra field instead (4.4.1.4)."""

LOCAL_SIGNATURE = b"PK\x03\x04"
LOCAL = Struct("<4s5H3L2H")
"""Local file header (4.3.7): signature, version needed, flags, method, time, date, CRC-32,
compressed size, size, length of the name, length of the extra field."""

DESCRIPTOR_SIGNATURE = b"PK\x07\x08"
"""Optional start of a data descriptor (4.3.9.3)."""

CENTRAL_SIGNATURE = b"PK\x01\x02"
CENTRAL = Struct("<4s2B5H3L5H2L")
"""Central directory header (4.3.12): signature, version made by, system made on, version needed,
flags, method, time, date, CRC-32, compressed size, size, lengths of name, extra field and comment,
disk, internal attributes, external attributes, offset of the local header."""

END64_SIGNATURE = b"PK\x06\x06"
END64 = Struct("<4sQ2H2L4Q")
"""Zip64 end of central directory record (4.3.14): signature, bytes that follow this field, version
made by, version needed, this disk, the directory's disk, members on this disk, members, size and
offset of the directory."""

LOCATOR_SIGNATURE = b"PK\x06\x07"
LOCATOR = Struct("<4sLQL")
"""Zip64 end of central directory locator (4.3.15): signature, the record's disk, the record's
offset, number of disks."""

END_SIGNATURE = b"PK\x05\x06"
END = Struct("<4s4H2LH")
"""End of central directory record (4.3.16): signature, this disk, the directory's disk, members on
this disk, members, size and offset of the directory, length of the comment."""
