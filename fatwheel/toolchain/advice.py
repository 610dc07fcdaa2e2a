"""What to do where a linker finds a framework or a library nowhere."""

from __future__ import annotations

import re

from fatwheel.toolchain.stubs import known_libraries

__all__ = ["advice"]

# LLVM's words, and zig's.
_FRAMEWORK = re.compile(
    r"framework not found (?:for -framework )?(?P<lld>\S+)|unable to find system framework \"(?P<zig>[^\"]+)\""
)
_LIBRARY = re.compile(
    r"library not found for -l(?P<lld>\S+)|unable to find dynamic system library \"(?P<zig>[^\"]+)\""
)


def advice(said: str) -> str:
    """Return a line about a linker's complaint, "" where it is not about an SDK."""
    for pattern, kind in ((_FRAMEWORK, "the framework "), (_LIBRARY, "the library lib")):
        found = pattern.search(said)
        if found is not None:
            return f"fatwheel: {_sentence(kind, found['lld'], found['zig'])}"
    return ""


def _sentence(kind: str, by_lld: str | None, by_zig: str | None) -> str:
    if by_zig in known_libraries():
        return (
            f"zig has no stub of {kind}{by_zig}, and for LLVM's linker fatwheel has one: --linker lld, or set "
            "SDKROOT to a macOS SDK"
        )
    return (
        f"{kind}{by_lld or by_zig} has no stub here; if it is macOS's own, set SDKROOT to a macOS SDK (the folder "
        "MacOSX.sdk from Xcode's command line tools), else say with -L or -F where it is"
    )
