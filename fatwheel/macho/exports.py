"""The initialisation functions of Python modules that an image exports.

Python imports an extension module by calling `PyInit_NAME`, or `PyInitU_NAME` where the name is not
ASCII (PEP 489, "Export Hook Name"); from 3.15 on `PyModExport_NAME` comes first (PEP 793). dyld finds
it in the export trie (mach-o/loader.h, at `dyld_info_command`): a node is the size of what is said of
the name that leads to it (ULEB128), that many bytes, the number of edges (one byte), and for each edge
its letters up to a NUL and the offset of the node it leads to (ULEB128). Only the edges towards these
names are followed.
"""

from __future__ import annotations

from fatwheel.macho.probe import Parser, take

__all__ = ["LARGEST_TRIE", "Lookups", "find_init_functions", "read_trie"]

LARGEST_TRIE = 4 << 20
"""Bytes above which a trie is not read; those of modules have some dozens to thousands."""

_PREFIXES = (b"_PyInit_", b"_PyInitU_", b"_PyModExport_", b"_PyModExportU_")
_MOST_EDGES = 2048  # that are looked at; 300 lead to the 60 modules of a libpython
_LONGEST_NAME = 4096  # bytes
_LONGEST_ULEB = 5  # bytes; sizes and offsets in a trie fit into 32 bits


def read_trie(base: int, offset: int, size: int) -> Parser[bytes | None]:
    """Read the trie of `size` bytes at byte `offset` of the image at byte `base` of the source.

    None for one that is too large or not there whole.
    """
    if size > LARGEST_TRIE:
        return None
    trie = yield from take(base + offset, size)
    return trie if len(trie) == size else None


class Lookups:
    """Looks symbols up in export tries, in bounded time for all of them together."""

    def __init__(self, edges: int = 8_000_000) -> None:
        """Allow so many edges to be looked at; the largest real wheels take some 4 million."""
        self._left = edges

    def has(self, trie: bytes, name: bytes) -> bool | None:
        """Return whether `trie` has the symbol `name`; None where it is damaged, or too much was asked already.

        ld64 wrote edges without a letter, which lead from a name's end to what is said of it.
        """
        waiting = [(0, 0)]  # a node, and how much of the name leads to it
        try:
            while waiting:
                at, done = waiting.pop()
                size, at = _uleb(trie, at)
                if size and done == len(name):
                    return True
                at += size
                count, at = trie[at], at + 1
                self._left -= count + 1
                if self._left < 0:
                    return None
                for _ in range(count):
                    end = trie.index(0, at, at + _LONGEST_NAME)
                    if name.startswith(trie[at:end], done):
                        node, after = _uleb(trie, end + 1)
                        waiting.append((node, done + end - at))
                        at = after
                    else:
                        at = end + 2
                        while trie[at - 1] > 0x7F:  # to the end of the offset
                            at += 1
                            if at - end > _LONGEST_ULEB:
                                return None
        except (IndexError, ValueError):
            return None
        return False


def find_init_functions(trie: bytes) -> tuple[str, ...] | None:
    """Return the names in an export trie that Python would call, sorted and without their `_`.

    None where the trie is damaged, or so large or tangled that none was found in bounded time.
    """
    found: set[str] = set()
    reached = {0}
    waiting = [(0, b"")] if trie else []
    edges = 0
    try:
        while waiting:
            at, name = waiting.pop()
            size, at = _uleb(trie, at)
            if size and name.startswith(_PREFIXES):
                found.add(name[1:].decode("ascii", "backslashreplace"))
            at += size
            count, at = trie[at], at + 1
            edges += count
            if edges > _MOST_EDGES:
                break
            for _ in range(count):
                end = trie.index(0, at, at + _LONGEST_NAME - len(name))
                longer = name + trie[at:end]
                node, at = _uleb(trie, end + 1)
                if longer.startswith(_PREFIXES) or any(p.startswith(longer) for p in _PREFIXES):
                    if node in reached:
                        return None
                    reached.add(node)
                    waiting.append((node, longer))
    except (IndexError, ValueError):
        return None
    if not found and edges > _MOST_EDGES:
        return None
    return tuple(sorted(found))


def _uleb(data: bytes, at: int) -> tuple[int, int]:
    """Return the ULEB128 at `at` and where it ends. Raises `ValueError` where it is too long."""
    value = 0
    for index in range(_LONGEST_ULEB):
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("a ULEB128 of more than 32 bits")
