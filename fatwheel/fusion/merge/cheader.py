"""C and C++ headers that differ: one header that shows each architecture its own text.

The texts stand whole in the branches of one conditional:

    #if defined(__x86_64__)
    …
    #elif defined(__aarch64__)
    …
    #else
    #error "…"
    #endif

A conditional hides a text only if the text itself leaves no comment, string or conditional open;
one that does (the two halves of a `begin.h` and an `end.h`) is refused. Line numbers in
diagnostics, and `__LINE__`, are those of the guarded file. A header that was guarded before is a
text like any other: guards nest.

Specification: ISO C (C17) 5.1.1.2 "Translation phases" and 6.10.1 "Conditional inclusion".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable

__all__ = ["guard", "is_c_header"]

_SUFFIXES = frozenset(
    {".h", ".hh", ".hp", ".hpp", ".hxx", ".h++", ".inl", ".ipp", ".tcc", ".tpp", ".txx", ".cuh"}
)
_BOM = b"\xef\xbb\xbf"
# A compiler joins lines at a backslash even where blanks follow it; `??/` is a backslash in old
# standards.
_SPLICE_AT_END = re.compile(rb"(?:\\|\?\?/)[ \t\f\v\r]*\n?\Z")
_SPLICE = re.compile(rb"\\[ \t\f\v]*\r?\n")
_TOKEN = re.compile(
    rb"""
      (?P<newline> \n)
    | (?P<blank> [ \t\r\f\v]+ | //[^\n]*)
    | (?P<comment> /\*)
    | (?P<raw> (?:u8|[uUL])?R"(?P<delimiter>[^ ()\\\t\v\f\n]{0,16})\()
    | (?P<hash> \# | %:)
    | (?P<word> [A-Za-z_]\w*)
    | (?P<other> \.?[0-9](?:[eEpP][+-]|'[0-9A-Za-z_]|[\w.])*     # 1'000 is no character constant
               | "(?:[^"\\\n]|\\.)*"?
               | '(?:[^'\\\n]|\\.)*'?
               | [^\n \t\r\f\v/\#%A-Za-z_.0-9"']+
               | .)
    """,
    re.VERBOSE,
)
_OPENING = frozenset({b"if", b"ifdef", b"ifndef"})
_MIDDLE = frozenset({b"else", b"elif", b"elifdef", b"elifndef"})


def is_c_header(name: str) -> bool:
    """Tell whether a member's name is a C, C++, Objective-C or CUDA header's, in any case.

    `.inc` and names without a suffix are not: too many other languages use them.
    """
    return PurePosixPath(name).suffix.lower() in _SUFFIXES


def guard(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Return one header in which each architecture sees its own text and any other an error.

    Both texts are kept byte for byte, in whatever encoding (without a byte order mark, which only
    the start of a file may have); a line end is added where the last one lacks it.

    `Unmergeable` when a text holds NUL bytes (UTF-16) or leaves something open at its end.
    """
    parts: dict[Arch, bytes] = {}
    for arch, text in ((Arch.X86_64, x86_64), (Arch.ARM64, arm64)):
        parts[arch] = text.removeprefix(_BOM)
        problem = _open_at_end(parts[arch])
        if problem:
            return Unmergeable(why=f"{arch.value}'s cannot stand in a conditional: it {problem}")
    end = b"\r\n" if b"\r\n" in parts[Arch.ARM64] else b"\n"
    x_macro, a_macro = (f"defined({arch.macro})".encode("ascii") for arch in Arch)
    content = b"".join(
        (
            b"/* fatwheel: this header differs between x86_64 and arm64. */" + end,
            b"#if " + x_macro + end,
            _closed(parts[Arch.X86_64], end),
            b"#elif " + a_macro + end,
            _closed(parts[Arch.ARM64], end),
            b"#else" + end,
            b'#error "This header is for x86_64 and arm64 alone."' + end,
            b"#endif" + end,
        )
    )
    return Merged(content=content, how="guarded: each architecture sees its own text")


def _closed(text: bytes, end: bytes) -> bytes:
    """Return the text so that the line after it is a line of its own."""
    if text and not text.endswith(b"\n"):
        text += end
    return text + end if _SPLICE_AT_END.search(text[-200:]) else text


def _open_at_end(text: bytes) -> str:
    """Return what keeps a conditional around the text from working, or nothing."""
    if b"\0" in text:
        return "has NUL bytes"
    depth = 0
    for directive in _directives(_SPLICE.sub(b"", text)):
        if not isinstance(directive, bytes):
            return directive.where
        if directive in _OPENING:
            depth += 1
        elif directive == b"endif":
            depth -= 1
        if depth < 0 or (depth == 0 and directive in _MIDDLE):
            return f"has an #{directive.decode('ascii')} without its #if"
    return f"ends with {depth} #if open" if depth else ""


class _Open(NamedTuple):
    """A token that the text does not end."""

    where: str


def _directives(text: bytes) -> Iterator[bytes | _Open]:
    """Yield the names of the text's preprocessing directives, in order.

    One pass over the tokens, as compilers lex skipped groups, too. The text has no spliced lines.
    """
    position = 0
    line_start = True
    after_hash = False
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise AssertionError("the pattern's last alternative takes any byte")
        position = match.end()
        closing = b""
        if match["newline"]:
            line_start, after_hash = True, False
        elif match["comment"]:
            closing = b"*/"
        elif match["hash"]:
            line_start, after_hash = False, line_start
        elif not match["blank"]:
            if match["word"] and after_hash:
                yield match["word"]
            if match["raw"]:
                closing = b")" + match["delimiter"] + b'"'
            line_start = after_hash = False
        if closing:
            found = text.find(closing, position)
            if found < 0:
                yield _Open(
                    "ends inside a comment" if match["comment"] else "ends inside a raw string"
                )
                return
            position = found + len(closing)
