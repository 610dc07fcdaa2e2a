"""JSON from strangers, read at a cost that its size bounds: `fatwheel.json` and bills of materials."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

__all__ = ["MOST_VALUES", "AlikeReader", "load_json"]

MOST_VALUES = 500_000
"""Twenty times as many values as the largest SBOM of 177 wheels has; each takes up to 200 bytes of memory."""


def load_json(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises `ValueError` for what is none (RFC 8259), and for what Python cannot hold or compare as it stands there: a
    key that stands twice in one object, NaN and infinities, numbers of more than 4,300 digits, values that are nested
    too deeply, and more values than any wheel needs.
    """
    return _parse(_text(content))


class AlikeReader:
    """Reads texts that have much in common, as the bills of materials of two wheels have.

    Objects that are written alike become one value, which takes a tenth of the time for all texts but the first, and
    makes comparing them cheap: what is read must not be changed. They are looked for in lists of the outermost
    object.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}  # each object by how it is written
        self._behind: dict[str, str] = {}  # what is written behind it
        decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
        self._scan = decoder.raw_decode
        self._mark = re.compile(r"[ \t\n\r]*([]{}:,]?)[ \t\n\r]*").match
        self._objects = re.compile(r"\[[ \t\n\r]*(?={)").match

    def load(self, content: bytes) -> Any:
        """Return what `load_json` returns of one more text, and raise what it raises."""
        text = _text(content)
        try:
            return self._outermost(text)
        except (ValueError, RecursionError):
            return _parse(text)  # no object, or it says what is wrong

    def _outermost(self, text: str) -> dict[str, Any]:
        pairs = []
        at = self._expect("{", text, 0)
        mark = ","
        while mark == ",":
            key, at = self._scan(text, at)
            at = self._expect(":", text, at)
            if not isinstance(key, str):
                raise ValueError("no JSON")
            objects = self._objects(text, at)
            value, at = self._list(key, text, objects.end()) if objects else self._scan(text, at)
            pairs.append((key, value))
            mark, at = self._next(text, at)
        if mark != "}" or at < len(text):
            raise ValueError("no JSON")
        return _unique(pairs)

    def _list(self, key: str, text: str, at: int) -> tuple[list[Any], int]:
        """Read the list of `key` from its first value on; return it and where it ends."""
        values = []
        before, mark = key, ","
        while mark == ",":
            guess = self._behind.get(before)
            if guess is not None and text.startswith(guess, at):  # so it is the whole object
                value = self._values[guess]
                before, at = guess, at + len(guess)
            else:
                start = at
                value, at = self._scan(text, start)
                if isinstance(value, dict):
                    written = text[start:at]
                    value = self._values.setdefault(written, value)
                    self._behind.setdefault(before, written)
                    before = written
            values.append(value)
            mark, at = self._next(text, at)
        if mark != "]":
            raise ValueError("no JSON")
        return values, at

    def _next(self, text: str, at: int) -> tuple[str, int]:
        found = self._mark(text, at)
        assert found is not None, "it matches nothing, too"
        return found[1], found.end()

    def _expect(self, mark: str, text: str, at: int) -> int:
        found, end = self._next(text, at)
        if found != mark:
            raise ValueError("no JSON")
        return end


def _text(content: bytes) -> str:
    values = sum(map(content.count, (b",", b"{", b"[")))  # and some more, in strings
    if values > MOST_VALUES:
        raise ValueError(f"it has some {values} values, and at most {MOST_VALUES} are read")
    return content.decode("utf-8")


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")
