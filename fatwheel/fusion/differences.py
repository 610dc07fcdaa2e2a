"""How two texts differ, short enough for a report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["TEXT_BUDGET", "describe_difference", "largest_text", "short_diff"]

TEXT_BUDGET = 48 << 20
"""Bytes of all texts together that are compared or merged."""

_MIB = 1 << 20
_LINES = 4
_LINES_IN_ALL = 12
_LARGEST_ALIGNED = 500  # lines
_WIDTH = 120  # characters of a line
_BEFORE = 40  # of these, those before the first difference
_TAB = 4


def largest_text(name: str) -> int:
    """Return how many bytes a member of this name may have for its text to be compared or merged."""
    return (16 if ".dist-info/sboms/" in name else 1) * _MIB


def describe_difference(
    name: str, x86_64: int, arm64: int, *, malformed: Sequence[str] = (), compared: bool = True
) -> str:
    """Return the clause for two contents of these sizes (bytes).

    `malformed` are problems that a reader met, `compared` says whether the contents were at hand.
    """
    sizes = f"differs: {x86_64} bytes in the x86_64 wheel, {arm64} bytes in the arm64 wheel"
    if malformed:
        return f"{sizes}; it begins like a Mach-O file, but {malformed[0]}"
    if compared:
        return sizes
    if max(x86_64, arm64) > largest_text(name):
        reason = f"it is above {largest_text(name) // _MIB} MiB"
    else:
        reason = f"the files that differ are above {TEXT_BUDGET // _MIB} MiB together"
    return f"{sizes}; {reason}, so its lines are neither compared nor merged"


def short_diff(x86_64: bytes | None, arm64: bytes | None) -> tuple[str, ...]:
    """Return the first differences of two texts in the manner of `diff -u`, a few lines at most.

    Of long lines, what surrounds the first difference is shown. Tabs are blanks, unless only white space differs. What
    else cannot be printed is left as it is. Empty where a content is not at hand or is no UTF-8 text.
    """
    if x86_64 is None or arm64 is None:
        return ()
    try:
        left, right = _split(x86_64.decode()), _split(arm64.decode())
    except UnicodeDecodeError:
        return ()
    if left == right:
        return ("only line ends differ",)
    lines: list[str] = []
    for start, before, after in _changes(left, right):
        if len(lines) >= _LINES_IN_ALL:
            lines.append("... and more further down")
            break
        blank = [line.split() for line in before] == [line.split() for line in after]
        lines.append(f"@@ line {start + 1} @@" + " (only white space differs)" * blank)
        for sign, changed, others in (("-", before, after), ("+", after, before)):
            for number, line in enumerate(changed[:_LINES]):
                other = others[number] if number < len(others) else ""
                lines.append(sign + _excerpt(line, other, tabs=blank))
            if len(changed) > _LINES:
                lines.append(f"{sign}... and {len(changed) - _LINES} more lines")
    return tuple(lines)


def _split(text: str) -> list[str]:
    """Return the lines of a text; `str.splitlines` would find more ends of lines than compilers do."""
    lines = re.split(r"\r\n?|\n", text)
    return lines if lines[-1] else lines[:-1]


def _changes(
    left: Sequence[str], right: Sequence[str]
) -> Iterator[tuple[int, Sequence[str], Sequence[str]]]:
    """Yield what differs: index of the first line, lines before, lines after.

    Long stretches that differ throughout are one change, since aligning them would take time without bound.
    """
    pairs = zip(left, right, strict=False)
    shorter = min(len(left), len(right))
    start = next((i for i, (a, b) in enumerate(pairs) if a != b), shorter)
    tail = 0
    while tail < shorter - start and left[-1 - tail] == right[-1 - tail]:
        tail += 1
    before, after = left[start : len(left) - tail], right[start : len(right) - tail]
    if max(len(before), len(after)) > _LARGEST_ALIGNED:
        yield start, before, after
        return
    import difflib

    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            yield start + i1, before[i1:i2], after[j1:j2]


def _excerpt(line: str, other: str, *, tabs: bool) -> str:
    """Return what fits of a line, from a little before the place where the `other` side's begins to differ."""
    if not tabs:
        line, other = line.expandtabs(_TAB), other.expandtabs(_TAB)
    longer = max(len(line), len(other))
    if longer <= _WIDTH:
        return line
    same = zip(line, other, strict=False)
    differing = next((i for i, (a, b) in enumerate(same) if a != b), min(len(line), len(other)))
    begin = max(min(differing - _BEFORE, longer - _WIDTH), 0)
    shown = line[begin : begin + _WIDTH]
    return "..." * (begin > 0) + shown + "..." * (begin + _WIDTH < len(line))
