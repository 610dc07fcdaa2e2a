"""Globs over member names, matched in one pass over the name.

`*` and `?` stop at `/`, `**` does not, `**/` may stand for nothing, `[…]` and `[!…]` are sets. A member's name is
a stranger's, and may have a thousand characters that nearly match. A regular expression would go back over them
once more for every star, so all ways to match are followed at once instead: one bit of a number for each.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

__all__ = ["Glob", "compile_glob"]

_PIECE = r"(?s)(?:\*\*/)+|\*\*|\*|\?|\[(!?)(\]?[^\]]*)\]|."


class Glob:
    """A pattern over whole names; `text` is what was written."""

    def __init__(self, text: str) -> None:
        """Compile `text`; raises `re.error` for a set that is none."""
        self.text = text
        tokens = list(re.finditer(_PIECE, text))
        wild = [i for i, token in enumerate(tokens) if _is_wild(token)]
        first, last = (wild[0], wild[-1]) if wild else (len(tokens), len(tokens) - 1)
        self._before = text[: tokens[first].start()] if wild else text
        self._behind = text[tokens[last].end() :] if wild else ""
        self._literal = not wild
        # A bit is a place in the pattern; a name's character moves it on, keeps it there, or drops it.
        self._readers: list[Callable[[str], object]] = []
        self._stays = self._stays_at_slash = self._skips = 0
        for token in tokens[first : last + 1]:
            self._add(token)
        self._moves: dict[str, int] = {}  # by character: the places that it moves on

    def _add(self, token: re.Match[str]) -> None:
        """Add the places of one token of the pattern."""
        word, place = token[0], 1 << len(self._readers)
        if word == "*":
            self._stays |= place
        elif word == "**":
            self._stays |= place
            self._stays_at_slash |= place
        elif word.endswith("**/"):
            self._skips |= place  # to the place behind, and to the one after that
            self._stays |= place << 1
            self._stays_at_slash |= place << 1
            self._readers += [_nothing, "/".__eq__]
        elif word == "?":
            self._readers.append("/".__ne__)
        elif _is_wild(token):
            members = re.sub(r"([\\\[^&~|])", r"\\\1", token[2])
            self._readers.append(re.compile(f"[{'^' if token[1] else ''}{members}]").match)
        else:
            self._readers.append(word.__eq__)

    def matches(self, name: str) -> bool:
        """Return whether the pattern stands for all of `name`, in time that grows with the name's length only."""
        if self._literal:
            return name == self.text
        end = len(name) - len(self._behind)
        if not (
            name.startswith(self._before)
            and name.endswith(self._behind)
            and end >= len(self._before)
        ):
            return False
        places = self._with_skips(1)
        for character in name[len(self._before) : end]:
            stays = self._stays_at_slash if character == "/" else self._stays
            places = (places & self._moved_by(character)) << 1 | (places & stays)
            if places & self._skips:
                places = self._with_skips(places)
            if not places:
                return False
        return bool(places >> len(self._readers) & 1)

    def _with_skips(self, places: int) -> int:
        skipping = places & self._skips
        return places | skipping << 1 | skipping << 2

    def _moved_by(self, character: str) -> int:
        moved = self._moves.get(character)
        if moved is None:
            moved = sum(1 << i for i, reads in enumerate(self._readers) if reads(character))
            self._moves[character] = moved
        return moved


def _is_wild(token: re.Match[str]) -> bool:
    return token[0][0] in "*?" or token[2] is not None  # a set


def _nothing(_: str) -> bool:
    return False


@functools.lru_cache(maxsize=1024)
def compile_glob(text: str) -> Glob:
    """Return the compiled pattern; raises `re.error` for a set that is none (`[z-a]`)."""
    return Glob(text)
