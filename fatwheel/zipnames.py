"""Which names a wheel's members may have: those that mean one file below the folder everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from fatwheel.errors import WheelError
from fatwheel.zipformat import Flag

__all__ = ["check_collisions", "decode_name"]

MAX_NAME = 1024
"""The longest path of macOS in bytes (PATH_MAX)."""

_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_SUSPECTS = ("/.", "//", "\\", ":")
_REASONS = (
    (re.compile(_CONTROL), "its name holds a control character"),
    (re.compile(r"\\"), "its name holds a backslash, which separates folders on Windows"),
    (re.compile(r"^/"), "its name is absolute"),
    (re.compile(r"(?:^|/)[A-Za-z]:"), "its name holds a drive letter"),
    (re.compile(r"//"), "its name has an empty part"),
    (re.compile(r"(?:^|/)\.\.(?:/|$)"), "its name climbs out of the wheel with `..`"),
    (re.compile(r"(?:^|/)\.(?:/|$)"), "its name has a part `.`"),
)


def decode_name(raw: bytes, flags: int, source: str) -> str:
    """Return the member name `raw` as text; a folder's ends with a slash.

    It is UTF-8 where general purpose bit 11 says so and code page 437 elsewhere (APPNOTE 4.4.4 and
    appendix D), which is how Python's `zipfile`, and so pip, reads it. Raises `WheelError` for a
    name that is not valid in its encoding, is empty, longer than a path of macOS, absolute, has
    an empty, `.` or `..` part, a backslash, a drive letter or a control character.
    """
    try:
        name = raw.decode("utf-8" if flags & Flag.UTF8 else "cp437")
    except UnicodeDecodeError as error:
        shown = raw.decode("ascii", "backslashreplace")
        raise WheelError(
            source, shown, f"its name is not valid UTF-8 (byte {error.start})"
        ) from None
    if not raw:
        raise WheelError(source, None, "has a member without a name")
    if len(raw) > MAX_NAME:
        problem = f"has a name of {len(raw)} bytes; a path of macOS has at most {MAX_NAME}"
        raise WheelError(source, f"{name[:64]}…", problem)
    if not name.isprintable() or name[0] in "/." or any(text in name for text in _SUSPECTS):
        for pattern, reason in _REASONS:
            if pattern.search(name):
                raise WheelError(source, _visible(name), f"{reason}; that is not safe to install")
    return name


def check_collisions(names: Iterable[str], source: str) -> None:
    """Check that the names can all be installed side by side on macOS.

    Its file systems tell neither upper from lower case nor composed from decomposed characters.
    Raises `WheelError` for a name that occurs twice, for two files whose names are one there, and
    for a file that is also a folder. Folders that are spelled in two ways become one and lose
    nothing.
    """
    seen: dict[str, str] = {}
    for name in names:
        key = _folded(name)
        other = seen.setdefault(key, name)
        if other is name:
            continue
        if other == name:
            raise WheelError(source, name, "occurs twice; installers disagree which of them counts")
        if not name.endswith("/"):
            raise WheelError(source, name, f"is the same file as {other} on macOS")
    # With NUL for the slash, what lies in a folder directly follows a file of the folder's name.
    before = "/"  # in no key
    for key in sorted(seen):
        if key.startswith(before + "\0"):
            raise WheelError(source, seen[before], f"is a file and also the folder of {seen[key]}")
        before = key


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower().replace("/", "\0")
    decomposed = unicodedata.normalize("NFD", name).casefold()  # Unicode 3.13, D145
    return unicodedata.normalize("NFD", decomposed).replace("/", "\0")


def _visible(name: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
