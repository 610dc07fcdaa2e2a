"""The two architectures of a universal2 wheel and their spellings."""

from __future__ import annotations

from enum import Enum

__all__ = ["Arch"]


class Arch(Enum):
    """One architecture of macOS; the value is its name in a platform tag, in `lipo` and in `uname -m`."""

    X86_64 = "x86_64"
    ARM64 = "arm64"

    @property
    def cputype(self) -> int:
        """`cputype` of its Mach-O images (mach/machine.h)."""
        return {Arch.X86_64: 0x01000007, Arch.ARM64: 0x0100000C}[self]

    @property
    def other(self) -> Arch:
        """The other one."""
        return Arch.ARM64 if self is Arch.X86_64 else Arch.X86_64

    @property
    def rust_target(self) -> str:
        """Rust's target triple."""
        return {Arch.X86_64: "x86_64-apple-darwin", Arch.ARM64: "aarch64-apple-darwin"}[self]

    @property
    def macro(self) -> str:
        """The macro that C compilers predefine for it."""
        return {Arch.X86_64: "__x86_64__", Arch.ARM64: "__aarch64__"}[self]

    @property
    def lowest_macos(self) -> tuple[int, int]:
        """The first macOS that runs it."""
        return {Arch.X86_64: (10, 4), Arch.ARM64: (11, 0)}[self]

    @classmethod
    def from_cputype(cls, cputype: int) -> Arch | None:
        """Return the architecture of a Mach-O `cputype`, or None for any other."""
        return _BY_CPUTYPE.get(cputype)


_BY_CPUTYPE = {arch.cputype: arch for arch in Arch}
