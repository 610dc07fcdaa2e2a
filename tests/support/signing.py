"""A signer of images, ad hoc, as xnu's osfmk/kern/cs_blobs.h describes signatures; it shares no code with fatwheel."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}
REQUIREMENTS = struct.pack(">3I", 0xFADE0C01, 12, 0)
AD_HOC, LINKER_SIGNED = 0x2, 0x20000


def blob(magic: int, content: bytes = b"") -> bytes:
    """A blob with this content."""
    return struct.pack(">2I", magic, 8 + len(content)) + content


def digest(kind: int, data: bytes) -> bytes:
    """A hash as directories of this hash type have it."""
    name, size = HASHES[kind]
    return hashlib.new(name, data).digest()[:size]


@dataclass(frozen=True, kw_only=True)
class Directory:
    """How to write one CodeDirectory; `limit` (bytes) is the code's length unless it is given.

    `special` are hashes by slot, which the hashes of the signature's own blobs are added to.
    """

    kind: int = 2
    page_bits: int = 12
    flags: int = AD_HOC
    version: int = 0x20400
    identifier: bytes = b"test"
    team: bytes = b""
    special: Mapping[int, bytes] = field(default_factory=dict)
    limit: int | None = None

    def written(self, code: bytes, blobs: Mapping[int, bytes] = {}) -> bytes:
        """Return the directory of `code`, as a blob."""
        size = HASHES[self.kind][1]
        own = {slot: digest(self.kind, data) for slot, data in blobs.items() if slot <= 11}
        special = {**own, **self.special}
        count = max(special, default=0)
        slots = b"".join(special.get(slot, bytes(size)) for slot in range(count, 0, -1))
        page = 1 << self.page_bits if self.page_bits else len(code)
        pages = [code[at : at + page] for at in range(0, len(code), page)] if code else []
        head = 88 if self.version >= 0x20400 else 64 if self.version >= 0x20300 else 52
        texts = self.identifier + b"\0" + (self.team + b"\0" if self.team else b"")
        first = head + len(texts) + len(slots)
        limit = len(code) if self.limit is None else self.limit
        fields = struct.pack(
            ">7I4BI",
            *(self.version, self.flags, first, head, count, len(pages), min(limit, 0xFFFFFFFF)),
            *(size, self.kind, 0, self.page_bits, 0),
        )
        fields += struct.pack(">2I", 0, head + len(self.identifier) + 1 if self.team else 0)
        fields += struct.pack(">IQ3Q", 0, limit if limit > 0xFFFFFFFF else 0, 0, 0, 0)
        hashes = b"".join(digest(self.kind, one) for one in pages)
        return blob(0xFADE0C02, fields[: head - 8] + texts + slots + hashes)


def superblob(blobs: Iterable[tuple[int, bytes]]) -> bytes:
    """A signature of these blobs by slot."""
    listed = list(blobs)
    at, index, data = 12 + 8 * len(listed), b"", b""
    for slot, content in listed:
        index += struct.pack(">2I", slot, at + len(data))
        data += content
    return struct.pack(">3I", 0xFADE0CC0, at + len(data), len(listed)) + index + data


def signature(
    code: bytes,
    *directories: Directory,
    blobs: Mapping[int, bytes] = {},
) -> bytes:
    """The signature of `code` with these directories (one with SHA-256 where none is given) and further blobs."""
    made = [one.written(code, blobs) for one in directories or (Directory(),)]
    slots = [0, *range(0x1000, 0x1000 + len(made) - 1)]
    return superblob([*zip(slots, made, strict=True), *blobs.items()])
