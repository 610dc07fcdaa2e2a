"""Text for people: made safe to look at, quoted to be pasted, and numbers as they are read.

Names and texts out of wheels are a stranger's. Whatever goes to a terminal passes `printable`, line by line, in
`fatwheel.cli.terminal`; until then it is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "counted",
    "json_printable",
    "printable",
    "shell_line",
    "shell_quoted",
    "size_text",
    "toml_string",
]

# Patterns are compiled where they are used: most commands need none of them.
_REST_OF_ESCAPE = r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}"
_NEEDS_NO_QUOTES = r"[A-Za-z0-9_@%+=:,./-]+"  # as for shlex.quote


def printable(line: str) -> str:
    r"""Return a line that a terminal does nothing with but show it.

    What `str.isprintable` refuses becomes an escape: control characters such as ESC and those of C1, tabs and ends of
    lines of every kind, marks that turn the direction of writing, characters without width, halves of surrogate pairs.
    The escapes are Python's: `\x1b`, `\u202e`, `\U000e0001`. Where one stands in a line, a backslash that would be
    taken for another's is doubled, so that no two such lines look alike. A line that can be printed is left as it is,
    be it source code or a `repr` full of escapes.
    """
    if line.isprintable():
        return line
    line = re.sub(r"\\+", _doubled, line)
    return "".join(c if c.isprintable() else _escape(c) for c in line)


def _doubled(found: re.Match[str]) -> str:
    following = found.string[found.end() : found.end() + 9]
    ambiguous = re.match(_REST_OF_ESCAPE, following) or not following[:1].isprintable()
    return found[0] * 2 if ambiguous else found[0]


def _escape(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_printable(text: str, *, ascii_only: bool) -> str:
    """Return the JSON text that means the same and that a terminal does nothing with but show it.

    Characters that are not printable are escaped (RFC 8259, section 7), with `ascii_only` all that are not ASCII. Bytes
    of a file name that are no text in the locale's encoding are read as UTF-8, since parsers refuse halves of surrogate
    pairs; what is none becomes a backslash, `x` and two digits.
    """

    def escaped(found: re.Match[str]) -> str:
        character = found[0]
        if character.isprintable() and not ascii_only:
            return character
        units = character.encode("utf-16-be")
        return "".join(f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2))

    whole = re.sub("[\ud800-\udfff]+", _whole, text)
    return re.sub(r"[^\n -~]", escaped, whole)


def _whole(halves: re.Match[str]) -> str:
    try:
        raw = halves[0].encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # not made of bytes
        raw = halves[0].encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "backslashreplace").replace("\\", "\\\\")


def shell_quoted(word: str) -> str:
    """Return a word in quotes as a shell takes it.

    What is not printable is written in the manner of `$'\\033'`, which bash, zsh and ksh know; it is UTF-8 then.
    """
    if word.isprintable():
        return "'" + word.replace("'", "'\"'\"'") + "'"
    return "$'" + "".join(map(_in_dollar_quotes, word)) + "'"


def _in_dollar_quotes(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    handler = "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", handler))


def shell_line(words: Iterable[str]) -> str:
    """Return a command line as a shell takes it, with quotes where they are needed."""
    return " ".join(
        word if re.fullmatch(_NEEDS_NO_QUOTES, word) else shell_quoted(word) for word in words
    )


def toml_string(text: str) -> str:
    """Return a basic string of TOML; what is not printable is escaped."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = (c if c.isprintable() else _escape(c).replace("\\x", "\\u00") for c in quoted)
    return f'"{"".join(escaped)}"'


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: `1 conflict`, `2 conflicts`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size_text(size: int) -> str:
    """Return a size in bytes as people read it."""
    if size < 1000:
        return f"{size} B"
    value = size / 1000
    for unit in ("kB", "MB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
