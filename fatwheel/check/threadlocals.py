"""Thread-local variables that lie where the linker must not have put them (FW313, FW314).

For each thread dyld copies the thread-local sections as one piece into memory from `malloc`, which is
aligned to 16 bytes. So a variable is as aligned as its distance from the first of these sections, and
linkers align that section to the strictest alignment of them all. zig's (0.17.1) does not.
"""

from __future__ import annotations

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.macho.image import Image
from fatwheel.printable import counted

__all__ = ["check_thread_locals"]

_MALLOC_ALIGN = 16  # bytes


def check_thread_locals(member: str, image: Image) -> Finding | None:
    """Return the finding for an image of `member` whose thread-local variables are misaligned, if they are.

    An error where a thread of x86_64 crashes: compilers use `movaps`, which faults, for what is aligned to 16
    bytes or more.
    """
    found, arch = image.thread_locals, image.mac_arch
    if found is None or arch is None or not found.misalignment:
        return None
    fatal = arch is Arch.X86_64 and bool(found.misalignment % _MALLOC_ALIGN)
    harm = "and code that relies on it crashes" if fatal else "which code may rely on"
    return Finding(
        code="FW313" if fatal else "FW314",
        severity=Severity.ERROR if fatal else Severity.WARNING,
        member=member,
        message=(
            f"its {arch.value} thread-local variables begin at {found.address:#x}, "
            f"{counted(found.misalignment, 'byte')} beside the alignment of {1 << found.align} "
            f"that one of them has, {harm}; link it with another linker"
        ),
    )
