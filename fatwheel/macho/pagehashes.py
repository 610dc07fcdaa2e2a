"""Hashes of an image's pages, taken while the image passes by.

A code signature holds a hash for each page of code before it. It lies at the image's end, so when its
directories say how the pages were hashed, they are gone. What is likely is hashed on the way; for anything
else the image is read a second time.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from fatwheel.arch import Arch

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

__all__ = ["PageChoice", "PageHash", "PageSums", "SignedImage", "likely_hashes"]


_MARGIN = (
    32 << 10
)  # bytes of a signature beside the hashes of pages, certificates included; real ones have 20


class PageHash(NamedTuple):
    """A way to hash pages: hashlib's name of the algorithm, and the bytes of a page (0: all in one)."""

    algorithm: str
    page_size: int


class SignedImage(NamedTuple):
    """What the load commands say of an image that is signed.

    It begins at byte `base` of the file; its signature has `size` bytes at byte `limit` of the image. `minos`
    is the oldest macOS (major, minor) that it is made for.
    """

    arch: Arch | None
    base: int
    limit: int
    size: int
    minos: tuple[int, int] | None


PageChoice = Callable[[SignedImage], Collection[PageHash]]
"""Says in which ways to hash the pages of an image; none is an answer, too."""


def likely_hashes(image: SignedImage) -> tuple[PageHash, ...]:
    """Guess in which ways the pages were hashed, from the size of the signature: it has room for each hash.

    All is SHA-256 over 4 KiB or, of late for arm64, 16 KiB. SHA-1 goes with it where the code, or another slice
    of its file, is for macOS before 10.12. What else codesign makes room for is a few KiB.
    """
    pages = -(-image.limit // 4096)
    page_size = 4096 if image.size >= 32 * pages else 16384
    strong = PageHash("sha256", page_size)
    if image.size < (32 + 20) * pages:
        return (strong,)
    old = image.minos is not None and image.minos < (10, 12)
    return (strong, PageHash("sha1", page_size)) if old or 20 * pages > _MARGIN else (strong,)


class PageSums:
    """The hashes of all pages that passed by so far."""

    def __init__(self, kind: PageHash) -> None:
        """Begin with the image's first byte."""
        self.kind = kind
        self._new: Callable[..., Hash] = getattr(hashlib, kind.algorithm)
        if kind.algorithm == "sha1":  # where it is forbidden, too, it says what was signed
            self._new = functools.partial(self._new, usedforsecurity=False)
        self._all = None if kind.page_size else self._new()
        self._found = bytearray()
        self._begun = bytearray()  # a page that is not complete

    def feed(self, data: bytes | memoryview) -> None:
        """Take the next bytes, which are copied where they are kept."""
        if self._all is not None:
            self._all.update(data)
            return
        size, new, first = self.kind.page_size, self._new, 0
        if self._begun:
            first = size - len(self._begun)
            self._begun += data[:first]
            if len(self._begun) < size:
                return
            self._found += new(self._begun).digest()
            self._begun.clear()
        end = first + (len(data) - first) // size * size
        self._found += b"".join(
            [new(data[at : at + size]).digest() for at in range(first, end, size)]
        )
        self._begun += data[end:]

    def finish(self) -> bytes:
        """Return all hashes, one behind the other, in full length; the last page is as short as it is."""
        if self._all is not None:
            return bytes(self._all.digest())
        return bytes(self._found) + (self._new(self._begun).digest() if self._begun else b"")
