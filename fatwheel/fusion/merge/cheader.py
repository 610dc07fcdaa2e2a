"""C and C++ headers that differ: one header that shows each architecture its own text.

The texts stand whole in the branches of one conditional:

    #if defined(__x86_64__)
    …
    #elif defined(__aarch64__)
    …
    #else
    #error "…"
    #endif

A compiler lexes the branch that it skips, too, so each text must be closed in itself: no comment, raw
string or conditional is open at its end, whichever language and standard reads it (`cscan`). One that
is not (the two halves of a `begin.h` and an `end.h`) is refused. Line numbers in diagnostics, and
`__LINE__`, are those of the guarded file. A header that was guarded before is a text like any other:
guards nest.

Specification: ISO C (C17) 6.10.1 "Conditional inclusion".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.fusion.merge.cscan import find_problem

__all__ = ["guard", "is_c_header", "unguard"]

_SUFFIXES = frozenset(
    {".h", ".hh", ".hp", ".hpp", ".hxx", ".h++", ".inl", ".ipp", ".tcc", ".tpp", ".txx", ".cuh"}
)
_BOM = b"\xef\xbb\xbf"
_HEAD = b"/* fatwheel: this header differs between x86_64 and arm64. */"
_IF, _ELIF = (
    b"%s defined(%s)" % (word, arch.macro.encode())
    for word, arch in zip((b"#if", b"#elif"), Arch, strict=True)
)
_ELSE = (b"#else", b'#error "This header is for x86_64 and arm64 alone."', b"#endif", b"")
_MOST_TRIED = 8
"""Places that are taken for the border between the two texts; more than one show where guards nest."""


def is_c_header(name: str) -> bool:
    """Tell whether a member's name is a C, C++, Objective-C or CUDA header's, in any case.

    `.inc` and names without a suffix are not: too many other languages use them.
    """
    return PurePosixPath(name).suffix.lower() in _SUFFIXES


def guard(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Return one header in which each architecture sees its own text and any other an error.

    Both texts are kept byte for byte, in whatever encoding (without a byte order mark, which only
    the start of a file may have); a line end is added where the last one lacks it.

    `Unmergeable` when a text holds NUL bytes (UTF-16), leaves something open at its end, or when
    compilers may disagree on where its comments and conditionals end.
    """
    parts: dict[Arch, bytes] = {}
    for arch, text in ((Arch.X86_64, x86_64), (Arch.ARM64, arm64)):
        parts[arch] = text.removeprefix(_BOM)
        problem = find_problem(parts[arch])
        if problem:
            return Unmergeable(why=f"{arch.value}'s cannot stand in a conditional: it {problem}")
    end = b"\r\n" if b"\r\n" in parts[Arch.ARM64] else b"\n"
    content = b"".join(
        (
            _HEAD + end + _IF + end,
            _closed(parts[Arch.X86_64], end),
            _ELIF + end,
            _closed(parts[Arch.ARM64], end),
            end.join(_ELSE),
        )
    )
    return Merged(content=content, how="guarded: each architecture sees its own text")


def _closed(text: bytes, end: bytes) -> bytes:
    """Return the text so that the line after it is a line of its own.

    A backslash joins the next line to the last one, even where blanks follow it; `??/` is a
    backslash in old standards.
    """
    if text and not text.endswith(b"\n"):
        text += end
    last = text.removesuffix(b"\n").rstrip(b" \t\f\v\r")
    return text + end if last.endswith((b"\\", b"??/")) else text


def unguard(content: bytes) -> Mapping[Arch, bytes] | None:
    """Return the two texts that `guard` made this header of; None where it did not.

    They are what went in, but for a byte order mark and the line end that a last line may have lacked. Of guards that
    nest the outermost is taken away.
    """
    end = b"\r\n" if content.startswith(_HEAD + b"\r") else b"\n"
    head, tail, border = _HEAD + end + _IF + end, end.join(_ELSE), _ELIF + end
    if not (content.startswith(head) and content.endswith(tail)):
        return None
    last = len(content) - len(tail)
    at = len(head)
    for _ in range(_MOST_TRIED):
        at = content.find(border, at, last)
        if at < 0:
            break
        x86_64, arm64 = content[len(head) : at], content[at + len(border) : last]
        result = guard(x86_64, arm64)
        if isinstance(result, Merged) and result.content == content:
            return {Arch.X86_64: x86_64, Arch.ARM64: arm64}
        at += len(border)
    return None
