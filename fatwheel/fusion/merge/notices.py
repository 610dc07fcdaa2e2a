"""Licences and notices: one file with all that both wheels say.

Where one text has the other in it, line by line and in one piece, it is taken; else both stand in the result under a
heading each. Nothing gets lost, and nobody reads such a file but people.
"""

from __future__ import annotations

import re

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable

__all__ = ["is_notice", "merge_notices"]

_NAME = re.compile(
    r"(?:LICEN[CS]ES?|COPYING|COPYRIGHT|NOTICES?|THIRD[-_]?PARTY[-_]?(?:LICEN[CS]ES?|NOTICES?))"
    r"(?:[-_.][\w.+-]*)?",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"(?i)copyright|licen[cs]e|warrant"
)  # what is a key to a program says none of these
_SUFFIXES = ("txt", "md", "rst")


def is_notice(name: str) -> bool:
    """Tell whether a member's name is a licence's or a notice's; `license.py` and `licenses.json` are none."""
    base = name.rpartition("/")[2]
    _, dot, suffix = base.rpartition(".")
    if not _NAME.fullmatch(base):
        return False
    # LICENSE.txt, COPYING.LIB, LICENSE-MIT; not license.py, license.key.
    return not dot or suffix in _SUFFIXES or suffix.isupper()


def merge_notices(x86_64: bytes, arm64: bytes) -> MergeResult:
    """Return all text of both; `Unmergeable` where one is no UTF-8 text."""
    try:
        x_text, a_text = x86_64.decode(), arm64.decode()
    except UnicodeDecodeError:
        return Unmergeable(why="one of the two is not UTF-8")
    if "\0" in x_text or "\0" in a_text:
        return Unmergeable(why="one of the two has NUL bytes")
    if not (_PROSE.search(x_text) and _PROSE.search(a_text)):
        return Unmergeable(why="one of the two does not read like a licence")
    if _holds(a_text, x_text):
        return Merged(content=arm64, how="arm64's has all of x86_64's")
    if _holds(x_text, a_text):
        return Merged(content=x86_64, how="x86_64's has all of arm64's")
    parts = [
        f"==== for {arch.value} ====\n\n{text}" + ("" if text.endswith("\n") else "\n")
        for arch, text in ((Arch.X86_64, x_text), (Arch.ARM64, a_text))
    ]
    return Merged(content="\n".join(parts).encode(), how="both texts, each under a heading")


def _holds(text: str, other: str) -> bool:
    """Tell whether all lines of `other` stand in `text`, in one piece; white space at their ends does not count."""
    lines, wanted = ([line.rstrip() for line in one.strip().splitlines()] for one in (text, other))
    return "\n" + "\n".join(wanted) + "\n" in "\n" + "\n".join(lines) + "\n"
