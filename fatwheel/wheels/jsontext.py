"""JSON from strangers, read at a cost that its size bounds: `fatwheel.json` and bills of materials."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

__all__ = ["MOST_VALUES", "load_json"]

MOST_VALUES = 500_000
"""Twenty times as many values as the largest SBOM of 177 wheels has; each takes up to 200 bytes of memory."""


def load_json(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises `ValueError` for what is none (RFC 8259), and for what Python cannot hold or compare as it stands there: a
    key that stands twice in one object, NaN and infinities, numbers of more than 4,300 digits, values that are nested
    too deeply, and more values than any wheel needs.
    """
    values = sum(map(content.count, (b",", b"{", b"[")))  # and some more, in strings
    if values > MOST_VALUES:
        raise ValueError(f"it has some {values} values, and at most {MOST_VALUES} are read")
    try:
        text = content.decode("utf-8")
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
