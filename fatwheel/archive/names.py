"""Which names a wheel's members may have: those that mean one file below the folder everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from fatwheel.archive.format import Flag
from fatwheel.errors import WheelError

__all__ = ["check_collisions", "decode_names"]

MAX_NAME = 1024
"""The longest path of macOS in bytes (PATH_MAX)."""

_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_REASONS = (
    (re.compile(_CONTROL), "its name holds a control character"),
    (re.compile(r"\\"), "its name holds a backslash, which separates folders on Windows"),
    (re.compile(r"^/"), "its name is absolute"),
    (re.compile(r"(?:^|/)[A-Za-z]:"), "its name holds a drive letter"),
    (re.compile(r"//"), "its name has an empty part"),
    (re.compile(r"(?:^|/)\.\.(?:/|$)"), "its name climbs out of the wheel with `..`"),
    (re.compile(r"(?:^|/)\.(?:/|$)"), "its name has a part `.`"),
)
_SUSPECTS = (
    "\\",
    ":",
    "//",
    "\n/",
    "/./",
    "/../",
    "\n./",
    "\n../",
    "/.\n",
    "/..\n",
    "\n.\n",
    "\n..\n",
)
"""Without one of these and without what cannot be printed, no name of a list in lines can be refused."""


def decode_names(found: Sequence[tuple[bytes, int]], source: str) -> list[str]:
    """Return the member names, given as bytes and general purpose flags, as text; a folder's ends with a slash.

    A name is UTF-8 where general purpose bit 11 says so and code page 437 elsewhere (APPNOTE 4.4.4 and
    appendix D), which is how Python's `zipfile`, and so pip, reads it. Raises `WheelError` for a
    name that is not valid in its encoding, is empty, longer than a path of macOS, absolute, has
    an empty, `.` or `..` part, a backslash, a drive letter or a control character.
    """
    # A pure ASCII name is the same in both, and decoded much faster.
    names = [
        raw.decode() if raw.isascii() and raw else _decode(raw, flags, source)
        for raw, flags in found
    ]
    together = "\n".join(["", *names, ""])
    if (
        not "".join(names).isprintable()
        or any(text in together for text in _SUSPECTS)
        or max((len(raw) for raw, _ in found), default=0) > MAX_NAME
    ):
        for (raw, _), name in zip(found, names, strict=True):
            _refuse_name(raw, name, source)
    return names


def _decode(raw: bytes, flags: int, source: str) -> str:
    if not raw:
        raise WheelError(source, None, "has a member without a name")
    try:
        return raw.decode("utf-8" if flags & Flag.UTF8 else "cp437")
    except UnicodeDecodeError as error:
        shown = raw.decode("ascii", "backslashreplace")
        raise WheelError(
            source, shown, f"its name is not valid UTF-8 (byte {error.start})"
        ) from None


def _refuse_name(raw: bytes, name: str, source: str) -> None:
    if len(raw) > MAX_NAME:
        problem = f"has a name of {len(raw)} bytes; a path of macOS has at most {MAX_NAME}"
        raise WheelError(source, f"{_visible(name[:64])}…", problem)
    for pattern, reason in _REASONS:
        if pattern.search(name):
            raise WheelError(source, _visible(name), f"{reason}; that is not safe to install")


def check_collisions(names: Sequence[str], source: str) -> None:
    """Check that the names can all be installed side by side on macOS.

    Its file systems tell neither upper from lower case nor composed from decomposed characters.
    Raises `WheelError` for a name that occurs twice, for two files whose names are one there, and
    for a file that is also a folder. Folders that are spelled in two ways become one and lose
    nothing.
    """
    seen = dict(zip(map(_folded, names), names, strict=True))
    if len(seen) != len(names):
        _refuse_twice(names, source)
    folders = {key.rpartition("/")[0] for key in seen}
    for folder in list(folders):
        while folder and (folder := folder.rpartition("/")[0]) not in folders:
            folders.add(folder)
    for key in sorted(folders & seen.keys()):
        inner = min(other for other in seen if other.startswith(key + "/"))
        raise WheelError(source, seen[key], f"is a file and also the folder of {seen[inner]}")


def _refuse_twice(names: Iterable[str], source: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_folded(name), name)
        if other is name:
            continue
        if other == name:
            raise WheelError(source, name, "occurs twice; installers disagree which of them counts")
        if not name.endswith("/"):
            raise WheelError(source, name, f"is the same file as {other} on macOS")


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name).casefold()  # Unicode 3.13, D145
    return unicodedata.normalize("NFD", decomposed)


def _visible(name: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
