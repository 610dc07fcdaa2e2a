"""Programs that name themselves in what they make: build_tool_version (mach-o/loader.h)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Tool"]

_NAMES = {1: "clang", 2: "swift", 3: "ld", 4: "lld", 5: "zig"}  # zig's std.macho has the last one
_LINKERS = (3, 4, 5)


class Tool(NamedTuple):
    """A tool of LC_BUILD_VERSION: its number, and its version, encoded as xxxx.yy.zz in nibbles."""

    number: int
    version: int

    @property
    def is_linker(self) -> bool:
        """Whether it links: Apple's ld, LLVM's or zig's."""
        return self.number in _LINKERS

    def __str__(self) -> str:
        """Return its name and version (`ld 1115.7.3`); `tool NUMBER` where it has no name here."""
        name = _NAMES.get(self.number, f"tool {self.number}")
        major, minor, patch = self.version >> 16, self.version >> 8 & 0xFF, self.version & 0xFF
        return f"{name} {major}.{minor}" + (f".{patch}" if patch else "")
