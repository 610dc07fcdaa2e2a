"""The first difference of two texts, short enough for a report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["describe_difference", "first_difference"]

_LINES = 4
_WIDTH = 120


def describe_difference(x86_64: int, arm64: int, malformed: Sequence[str]) -> str:
    """Return the clause for two contents of these sizes (bytes); `malformed` are problems that a reader met."""
    sizes = f"differs: {x86_64} bytes in the x86_64 wheel, {arm64} bytes in the arm64 wheel"
    if malformed:
        return f"{sizes}; it begins like a Mach-O file, but {malformed[0]}"
    return sizes


def first_difference(x86_64: bytes | None, arm64: bytes | None) -> tuple[str, ...]:
    """Return at most a few lines in the manner of `diff -u`, from the first line that differs.

    Empty where a content is not at hand or is no UTF-8 text.
    """
    if x86_64 is None or arm64 is None:
        return ()
    try:
        left, right = x86_64.decode().splitlines(), arm64.decode().splitlines()
    except UnicodeDecodeError:
        return ()
    if left == right:
        return ("only line ends differ",)
    start = next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
        min(len(left), len(right)),
    )
    tail = 0
    while tail < min(len(left), len(right)) - start and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    before, after = left[start : len(left) - tail], right[start : len(right) - tail]
    lines = [f"@@ line {start + 1} @@"]
    for sign, changed in (("-", before), ("+", after)):
        lines += [f"{sign}{_shorten(line)}" for line in itertools.islice(changed, _LINES)]
        if len(changed) > _LINES:
            lines.append(f"{sign}... and {len(changed) - _LINES} more lines")
    return tuple(lines)


def _shorten(line: str) -> str:
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return printable if len(printable) <= _WIDTH else printable[: _WIDTH - 3] + "..."
