"""Which files the texts of a wheel name: a debugger opens its libraries by name, and no load command tells."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from fatwheel.deflate.inflaters import Inflater
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.scan import content_chunks
from fatwheel.wheels.wheel import OpenWheel, Wheel

__all__ = ["find_named"]

_LISTS = ("RECORD", "RECORD.jws", "RECORD.p7s", REPORT_NAME)
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_MOST_WORK = 2 << 30
"""Bytes of text that are searched, counted for each name anew: seconds."""
_MOST_HITS = 10_000
"""Longer words that hold a name, in one piece of text; with more of them it counts as named."""


def find_named(
    opened: OpenWheel, wheel: Wheel, members: Iterable[str], inflater: Inflater
) -> dict[str, str]:
    """Return the first file in which each of `members` is named, of those without code; lists of files do not count.

    A name is the file's own, without folders and without what follows its last dot, and no part of a longer word.
    """
    wanted = {name: _needle(name) for name in members}
    texts = [
        (name, member.entry)
        for name, member in wheel.members.items()
        if member.content is None and not _is_list(wheel, name)
    ]
    found: dict[str, str] = {}
    if len(wanted) * sum(entry.size for _, entry in texts) > _MOST_WORK:
        return dict.fromkeys(wanted, "too much text to look through")
    for text, entry in texts if wanted else ():
        overlap = max(map(len, wanted.values())) + 1
        for piece in _overlapping(map(bytes, content_chunks(opened, entry, inflater)), overlap):
            for name in [name for name, needle in wanted.items() if _holds(piece, needle)]:
                found[name] = text
                del wanted[name]
            if not wanted:
                return found
    return found


def _needle(member: str) -> bytes:
    base = posixpath.basename(member)
    return (base.rpartition(".")[0] or base).encode()


def _is_list(wheel: Wheel, name: str) -> bool:
    folder, base = posixpath.split(name)
    return folder == wheel.dist_info and base in _LISTS


def _overlapping(chunks: Iterable[bytes], overlap: int) -> Iterator[bytes]:
    """Yield the chunks, each behind the end of the one before."""
    before = b""
    for chunk in chunks:
        piece = before + chunk
        yield piece
        before = piece[-overlap:]


def _holds(piece: bytes, needle: bytes) -> bool:
    """Return whether `needle` stands in `piece` as a word."""
    at = -1
    for _ in range(_MOST_HITS):
        at = piece.find(needle, at + 1)
        if at < 0:
            return False
        around = (*piece[max(at - 1, 0) : at], *piece[at + len(needle) : at + len(needle) + 1])
        if _WORD.isdisjoint(around):
            return True
    return True
