"""Which names a wheel's members may have: those that mean one file below the folder everywhere."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from fatwheel.archive.format import Flag
from fatwheel.errors import WheelError
from fatwheel.printable import counted

__all__ = ["Collision", "check_collisions", "decode_names", "find_collisions"]

MAX_NAME = 1024
"""The longest path of macOS in bytes (PATH_MAX)."""
MAX_PART = 255
"""The longest file name in bytes (NAME_MAX)."""

_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_REASONS = (
    (_CONTROL, "its name holds a control character"),
    (r"\\", "its name holds a backslash, which separates folders on Windows"),
    (r"^/", "its name is absolute"),
    (r"(?:^|/)[A-Za-z]:", "its name holds a drive letter"),
    (r"//", "its name has an empty part"),
    (r"(?:^|/)\.\.(?:/|$)", "its name climbs out of the wheel with `..`"),
    (r"(?:^|/)\.(?:/|$)", "its name has a part `.`"),
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
"""Without one of these and without what cannot be printed, no short name of a list in lines can be refused."""


def decode_names(found: Sequence[tuple[bytes, int]], source: str) -> list[str]:
    """Return the member names, given as bytes and general purpose flags, as text; a folder's ends with a slash.

    A name is ASCII, or UTF-8 where general purpose bit 11 says so (APPNOTE 4.4.4 and appendix D). Any other
    is read as code page 437 by some (`zipfile`, pip), as its bytes by others (unzip, bsdtar, 7-Zip), and not
    at all by uv. Raises `WheelError` for such a name, and for one that is not valid UTF-8, is empty, longer
    than a path of macOS, has a part longer than a file name may be, is absolute, has an empty, `.` or `..`
    part, a backslash, a drive letter or a control character.
    """
    # A pure ASCII name needs no look at its flags, and is decoded much faster.
    names = [
        raw.decode() if raw.isascii() and raw else _decode(raw, flags, source)
        for raw, flags in found
    ]
    together = "\n".join(["", *names, ""])
    if (
        not "".join(names).isprintable()
        or any(text in together for text in _SUSPECTS)
        or max((len(raw) for raw, _ in found), default=0) > MAX_PART
    ):
        for (raw, _), name in zip(found, names, strict=True):
            _refuse_name(raw, name, source)
    return names


def _decode(raw: bytes, flags: int, source: str) -> str:
    if not raw:
        raise WheelError(source, None, "has a member without a name")
    shown = raw.decode("ascii", "backslashreplace")
    if not flags & Flag.UTF8:
        problem = "its name is not ASCII and not marked as UTF-8, so readers disagree what it is; zip it anew"
        raise WheelError(source, shown, problem)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WheelError(
            source, shown, f"its name is not valid UTF-8 (byte {error.start})"
        ) from None


def _refuse_name(raw: bytes, name: str, source: str) -> None:
    longest = max(map(len, raw.split(b"/"))) if len(raw) > MAX_PART else 0
    if len(raw) > MAX_NAME:
        problem = (
            f"has a name of {counted(len(raw), 'byte')}; a path of macOS has at most {MAX_NAME}"
        )
    elif longest > MAX_PART:
        problem = (
            f"a part of its name has {counted(longest, 'byte')}; a file name has at most {MAX_PART}"
        )
    else:
        for pattern, reason in _REASONS:
            if re.search(pattern, name):
                raise WheelError(source, name, f"{reason}; that is not safe to install")
        return
    raise WheelError(source, f"{name[:64]}…", problem)


class Collision(NamedTuple):
    """Two members that cannot lie side by side on macOS, and why.

    They have the same path, or paths that are one file there; or `member` is a file where `other` needs a folder.
    """

    member: str
    other: str
    kind: Literal["same path", "same file", "file and folder"]


def check_collisions(names: Sequence[str], source: str) -> None:
    """Check that the members of these names can be unpacked side by side; raises `WheelError` for two that can't."""
    for member, other, kind in find_collisions(names, names):
        problem = {
            "same path": "occurs twice; installers disagree which of them counts",
            "same file": f"is the same file as {other} on macOS",
            "file and folder": f"is a file and also the folder of {other}",
        }[kind]
        raise WheelError(source, member, problem)


def find_collisions(paths: Sequence[str], members: Sequence[str]) -> Iterator[Collision]:
    """Yield which members cannot lie side by side at these paths on macOS; a folder's path ends with a slash.

    APFS tells neither upper from lower case nor composed from decomposed characters. Each member but the first
    of several at one path is named, and each file that stands where folders are needed, with one of those in
    them. Folders that are spelled in two ways become one and lose nothing.
    """
    keys = _keys(paths)
    # Sorted like this, what lies below a path follows at once.
    order = sorted(range(len(keys)), key=keys.__getitem__)
    first = order[0] if order else 0
    for i, j in pairwise(order):
        key, after = keys[i], keys[j]
        if not after.startswith(key):
            first = j
        elif after != key:
            if after[len(key)] == _SEPARATOR:
                yield Collision(members[first], members[j], "file and folder")
            first = j
        elif paths[first] == paths[j]:
            yield Collision(members[j], members[first], "same path")
        elif not paths[j].endswith("/"):
            yield Collision(members[j], members[first], "same file")


_SEPARATOR = "\0"
"""Stands for the slash in keys, and sorts before all that names may hold."""


def _keys(paths: Sequence[str]) -> list[str]:
    """Return for each path a key that is the same for all spellings of one file: canonical caseless form.

    That is definition D145 of the Unicode Standard, which APFS compares by (`utf8_normalizeOptCaseFoldAndHash`
    in XNU's bsd/sys/unicode.h).
    """
    together = "\n".join(paths).replace("/", _SEPARATOR)
    if together.isascii():
        return together.lower().split("\n") if paths else []
    return [key.lower() if key.isascii() else _caseless(key) for key in together.split("\n")]


def _caseless(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
