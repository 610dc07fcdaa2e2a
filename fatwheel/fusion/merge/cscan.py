"""Whether a C or C++ text is closed in itself: its comments, raw strings and conditionals.

This is as much of translation phases 1 to 3 as that takes. The languages and their standards read
some texts in different ways: trigraphs, digraphs, raw strings, `//`, `1'000`, apostrophes in prose.
The text must be closed in all of them. What leaves a doubt is a problem, too: a comment that one compiler
sees and another does not can hide the directive that separates the architectures.

Specification: ISO C (C17) 5.1.1.2 "Translation phases", 6.4 "Lexical elements"; ISO C++ (C++20)
5.2 [lex.phases], 5.4 [lex.pptoken]; what GCC and Clang do besides.
"""

from __future__ import annotations

import bisect
import itertools
import re
from typing import NamedTuple

__all__ = ["find_problem"]

_SPLICE = re.compile(rb"\\[ \t\f\v]*\r?\n")
_TRIGRAPH = re.compile(rb"\?\?([=/'()!<>-])")
_TRIGRAPHS = dict(zip(b"=/'()!<>-", b"#\\^[]|{}~", strict=True))
# Clang looks for the other end of such a marker in all that follows.
_CONFLICT_MARKER = re.compile(rb"^(?:<{7}|>{4}) ", re.MULTILINE)
_HAS_INCLUDE = re.compile(rb"__has_(?:include(?:_next)?|embed)[^\n]*<[^\n>]*(?:['\"]|/\*)")

_TOKEN = re.compile(
    rb"""
      (?P<newline> \n)
    | (?P<blank> [ \t\r\f\v]+)
    | (?P<comment> /\*)
    | (?P<line> //[^\n]*)
    | (?P<hash> \# | %:)
    | (?P<plain> (?: [^\n/\#%"'\\\w$\x80-\xff]                     # what needs no second look
                   | [A-Za-z_$][\w$]*(?![\w$\x80-\xff"']) ){1,1000})
    | (?P<number> [0-9](?:[eEpP][+-]|'[\w$\x80-\xff]|[\w.$\x80-\xff])*)
    | (?P<word> [A-Za-z_$\x80-\xff][\w$\x80-\xff]*)                # with a quote behind it, or not ASCII
    | (?P<quoted> "[^"\\\n]*(?:\\[^\n][^"\\\n]*)*" | '[^'\\\n]*(?:\\[^\n][^'\\\n]*)*')
    | (?P<quote> ["'][^\n]*)                                       # one that its line does not end
    | (?P<universal> \\[uUN])                                      # \u00e9 in a name
    | (?P<other> .)
    """,
    re.VERBOSE,
)
_NAME = re.compile(rb"[A-Za-z_]\w*")
_BLANKS = re.compile(rb"[ \t\r\f\v]*")
_RAW_PREFIXES = frozenset({b"R", b"LR", b"uR", b"UR", b"u8R"})
_DELIMITER = re.compile(rb'"([\w-]{0,16})\(')
_OPERAND = re.compile(rb'(?:<[\w./+@ -]*>|"[\w./+@ -]*")|[A-Za-z_]')

_OPENING = frozenset({b"if", b"ifdef", b"ifndef"})
_MIDDLE = frozenset({b"elif", b"elifdef", b"elifndef", b"else"})
_INCLUDING = frozenset({b"include", b"include_next", b"import", b"embed"})
_MESSAGES = frozenset({b"error", b"warning"})  # to Clang, no comment starts there


class _ProblemError(Exception):
    """Carries a clause whose subject is the text."""


class _Reading(NamedTuple):
    """What a language or a standard has of its own."""

    trigraphs: bool
    digraphs: bool
    raw_strings: bool


def find_problem(text: bytes) -> str:
    """Return what keeps a conditional around the text from working (a clause), or nothing.

    `text` is without a byte order mark. Takes time that is linear in its size.
    """
    if b"\0" in text:
        return "has NUL bytes"
    if text.count(b"\r") > text.count(b"\r\n"):
        return "has carriage returns without line feeds"
    if match := _CONFLICT_MARKER.search(text):
        line = text.count(b"\n", 0, match.start()) + 1
        return f"has a version control conflict marker (line {line})"
    for reading in _readings(text):
        try:
            _Scan(text, reading).run()
        except _ProblemError as error:
            without = "" if reading.raw_strings else "has raw strings, and for C, which has none, "
            return f"{without}{error}"
    return ""


def _readings(text: bytes) -> list[_Reading]:
    """Return all readings that can differ for this text; ISO C++17 is among them."""
    trigraphs = (False, True) if _TRIGRAPH.search(text) else (False,)
    joined = _SPLICE.sub(b"", text)
    digraphs = (True, False) if b"%:" in joined else (True,)
    raw_strings = (True, False) if b'R"' in joined else (True,)
    return [_Reading(*choice) for choice in itertools.product(trigraphs, digraphs, raw_strings)]


def _opens_comment(line: bytes) -> bool:
    """Tell whether some reading of a line's rest could end inside a comment that starts there."""
    start = line.rfind(b"/*")
    return start >= 0 and line.find(b"*/", start + 2) < 0


def _any_within(positions: list[int], first: int, last: int) -> bool:
    """Tell whether one of these positions (ascending) is from `first` to `last`, both included."""
    return bisect.bisect_left(positions, first) < bisect.bisect_right(positions, last)


class _Scan:
    """One pass over the text as one reading has it."""

    def __init__(self, text: bytes, reading: _Reading) -> None:
        trigraphs = []
        if reading.trigraphs:
            trigraphs = [match.start() - 2 * i for i, match in enumerate(_TRIGRAPH.finditer(text))]
            text = _TRIGRAPH.sub(lambda match: bytes([_TRIGRAPHS[match[1][0]]]), text)
        splices = [match.span() for match in _SPLICE.finditer(text)]
        removed = list(itertools.accumulate((end - start for start, end in splices), initial=0))
        self._reading = reading
        self._text = _SPLICE.sub(b"", text) if splices else text
        # Where lines were joined, and where trigraphs stood, in bytes of the joined text.
        self._splices = [
            start - before for (start, _), before in zip(splices, removed, strict=False)
        ]
        self._trigraphs = [at - removed[bisect.bisect_left(splices, (at, at))] for at in trigraphs]
        self._open: list[bool] = []  # the conditionals around; whether their #else has come
        self._in_directive = False

    def run(self) -> None:
        """Raise `_ProblemError` where the text is not closed, or may not be."""
        text, position, fresh, last = self._text, 0, True, ""
        while position < len(text):
            match = _TOKEN.match(text, position)
            assert match is not None, "the pattern's last alternative takes any byte"
            kind, start, position = match.lastgroup or "", position, match.end()
            last = kind if kind != "blank" else last
            if kind == "newline":
                fresh, self._in_directive = True, False
            elif kind == "comment":
                position = self._comment_end(position)
            elif kind == "hash" and fresh and (text[start] != ord("%") or self._reading.digraphs):
                self._in_directive = True
                position = self._directive(position)
                fresh = False
            elif kind not in ("blank", "line"):
                fresh = False
                position = self._token(kind, start, position)
            elif kind == "line" and _opens_comment(match[0][1:]):  # `/` and `/*` to ISO C89
                raise self._doubt(start, "a // comment holds the start of another comment")
        if self._open:
            raise _ProblemError(f"ends with {len(self._open)} #if open")
        if last != "line" and text.rstrip(b" \t\f\v\r").endswith(b"\\"):
            raise _ProblemError("ends with a backslash and no line end")

    def _line(self, position: int) -> int:
        """Return the number of the line (from 1) that holds this byte of the joined text."""
        joined = bisect.bisect_right(self._splices, position)
        return self._text.count(b"\n", 0, position) + joined + 1

    def _rest(self, position: int) -> bytes:
        end = self._text.find(b"\n", position)
        return self._text[position:] if end < 0 else self._text[position:end]

    def _doubt(self, position: int, what: str) -> _ProblemError:
        line = self._line(position)
        return _ProblemError(f"may be read in two ways: {what} (line {line})")

    def _comment_end(self, position: int) -> int:
        end = self._text.find(b"*/", position)
        if end < 0:
            raise _ProblemError("ends inside a comment")
        return end + 2

    def _token(self, kind: str, start: int, end: int) -> int:
        """Look at a token that is no blank, and return where the next one starts."""
        text = self._text
        if kind == "universal" or (kind in ("number", "word") and not text[start:end].isascii()):
            # GCC refuses characters that no name may have, even where it skips.
            line = self._line(start)
            raise _ProblemError(f"has characters outside of ASCII in its code (line {line})")
        if kind == "number":
            quote = text.find(b"'", start, end)
            if quote >= 0 and _opens_comment(self._rest(quote)):
                raise self._doubt(
                    start, "a number has an apostrophe, and a comment starts behind it"
                )
        elif kind == "word" and text[end : end + 1] == b'"':
            word = text[start:end]
            if word in _RAW_PREFIXES:
                return self._raw_string(end) if self._reading.raw_strings else end
            if word.endswith(b"R") and not _NAME.fullmatch(word):
                raise self._doubt(start, "a raw string starts inside of a name")
        elif kind == "quote":
            if self._reading.raw_strings and not self._open and not self._in_directive:
                raise _ProblemError(f"has a quote that line {self._line(start)} does not close")
            if _opens_comment(text[start:end]):
                raise self._doubt(start, "a comment starts behind a quote that is not closed")
        elif kind == "hash" and text[start - 1 : start] == b"<":
            raise self._doubt(start, "<# is an editor's placeholder to Clang")
        return end

    def _raw_string(self, quote: int) -> int:
        """Return the end of the raw string whose quote is at this byte."""
        line = self._line(quote)
        match = _DELIMITER.match(self._text, quote)
        if match is None:
            raise self._doubt(quote, "a raw string has an unusual delimiter")
        end = self._text.find(b")" + match[1] + b'"', match.end())
        if end < 0:
            raise _ProblemError("ends inside a raw string")
        end += len(match[1]) + 2
        # Joined lines and trigraphs are undone in a raw string; the delimiter may come of them.
        if _any_within(self._splices, quote - 2, end):
            raise self._doubt(quote, "a raw string has a backslash at a line's end")
        if _any_within(self._trigraphs, quote, end):
            raise self._doubt(quote, "a raw string has a trigraph")
        if self._in_directive and b"\n" in self._text[quote:end]:
            raise _ProblemError(f"has a raw string of many lines in a directive (line {line})")
        return end

    def _directive(self, position: int) -> int:
        """Read a directive's name behind its #, and return where the name starts."""
        text = self._text
        while True:
            blanks = _BLANKS.match(text, position)
            position = blanks.end() if blanks else position
            if text[position : position + 2] != b"/*":
                break
            position = self._comment_end(position + 2)
        match = _NAME.match(text, position)
        if match is None:
            return position
        name, start, position = match[0], position, match.end()
        if (
            text[position : position + 1] in (b"$", b"\\")
            or text[position : position + 1] > b"\x7f"
        ):
            raise self._doubt(start, "a directive has an unusual name")
        if name in _OPENING or name in _MIDDLE or name == b"endif":
            self._conditional(name, start)
        rest = self._rest(position)
        unusual = name in _INCLUDING and not _OPERAND.match(rest.strip())
        if (unusual or name in _MESSAGES) and _opens_comment(rest):
            raise self._doubt(start, f"a comment starts in an #{name.decode('ascii')}")
        if name in (b"if", b"elif") and _HAS_INCLUDE.search(rest):
            raise self._doubt(start, "an unusual file name in a condition")
        return start

    def _conditional(self, name: bytes, position: int) -> None:
        if name in _OPENING:
            self._open.append(False)
            return
        word = name.decode("ascii")
        if not self._open:
            raise _ProblemError(f"has an #{word} without its #if")
        if name == b"endif":
            self._open.pop()
            return
        if self._open[-1]:
            line = self._line(position)
            raise _ProblemError(f"has an #{word} behind the #else of its #if (line {line})")
        self._open[-1] = name == b"else"
