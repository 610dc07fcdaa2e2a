"""The symbols that an image exports: the trie that dyld's dlsym walks, and not the symbol table."""

from __future__ import annotations

from tests.machorun.fixups import uleb
from tests.machorun.reader import BadImageError, Image


def exports(image: Image) -> dict[str, int]:
    """Return the unslid address of each exported symbol."""
    trie = image.info.get("exports", b"")
    found: dict[str, int] = {}
    pending = [(0, b"")] if trie else []
    visited = set()
    while pending:
        at, prefix = pending.pop()
        if at in visited:
            raise BadImageError("its exports trie has a loop")
        visited.add(at)
        size, at = uleb(trie, at)
        if size:
            flags, value = uleb(trie, at)
            address, _ = uleb(trie, value)
            if flags & 0x18:  # re-exported, or chosen at run time
                raise BadImageError(f"its export {prefix.decode()} has the flags {flags:#x}")
            found[prefix.decode()] = address + (0 if flags & 3 == 2 else image.base)
        at += size
        children = trie[at]
        at += 1
        for _ in range(children):
            end = trie.index(0, at)
            label = trie[at:end]
            child, at = uleb(trie, end + 1)
            pending.append((child, prefix + label))
    return found
