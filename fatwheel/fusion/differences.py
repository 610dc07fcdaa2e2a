"""How two texts differ, short enough for a report."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from fatwheel.printable import counted

__all__ = ["TEXT_BUDGET", "describe_difference", "largest_text", "short_diff", "text_work"]

TEXT_BUDGET = 48 << 20
"""Bytes of all texts together that are compared or merged, however large the wheels are."""

_MIB = 1 << 20
_LINES = 4
_LINES_IN_ALL = 12
_ALIGNED, _FEWER_ALIGNED, _MOST_PAIRS = 100, 40, 400  # lines, lines, pairs of equal lines
_WIDTH = 120  # characters of a line
_BEFORE = 40  # of these, those before the first difference
_TAB = 4


def largest_text(name: str) -> int:
    """Return how many bytes a member of this name may have for its text to be compared or merged."""
    return (16 if ".dist-info/sboms/" in name else 1) * _MIB


def text_work(name: str, size: int) -> int:
    """Return about how many bytes of plain text take as long to compare and merge as `size` bytes of this member."""
    if name.endswith((".py", ".pyi")):
        return size * 8
    return size // 4 if ".dist-info/sboms/" in name else size


def describe_difference(
    name: str, x86_64: int, arm64: int, *, malformed: Sequence[str] = (), compared: bool = True
) -> str:
    """Return the clause for two contents of these sizes (bytes).

    `malformed` are problems that a reader met, `compared` says whether the contents were at hand.
    """
    sizes = f"differs: {counted(x86_64, 'byte')} in the x86_64 wheel, {counted(arm64, 'byte')} in the arm64 wheel"
    if malformed:
        return f"{sizes}; it begins like a Mach-O file, but {malformed[0]}"
    if compared:
        return sizes
    if max(x86_64, arm64) > largest_text(name):
        reason = f"it is above {largest_text(name) // _MIB} MiB"
    else:
        reason = "the files that differ hold more text together than wheels of this size have"
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
        blank = len(before) == len(after) and all(
            one.split() == other.split() for one, other in zip(before, after, strict=True)
        )
        lines.append(f"@@ line {start + 1} @@" + " (only white space differs)" * blank)
        for sign, changed, others in (("-", before, after), ("+", after, before)):
            for number, line in enumerate(changed[:_LINES]):
                other = others[number] if number < len(others) else ""
                lines.append(sign + _excerpt(line, other, tabs=blank))
            if len(changed) > _LINES:
                lines.append(f"{sign}... and {counted(len(changed) - _LINES, 'more line')}")
    return tuple(lines)


def _split(text: str) -> list[str]:
    """Return the lines of a text; `str.splitlines` would find more ends of lines than compilers do."""
    lines = re.split(r"\r\n?|\n", text)
    return lines if lines[-1] else lines[:-1]


def _changes(
    left: Sequence[str], right: Sequence[str]
) -> Iterator[tuple[int, Sequence[str], Sequence[str]]]:
    """Yield what differs: index of the first line, lines before, lines after.

    Lines are aligned a hundred at a time, from one difference on: who reads the first ones pays for those only.
    Where none of a hundred are equal, all that follows is one change.
    """
    import difflib

    start = _equal(left, right)
    shorter = min(len(left), len(right)) - start
    tail = min(_equal(reversed(left), reversed(right)), shorter)
    left, right = left[start : len(left) - tail], right[start : len(right) - tail]
    while left or right:
        before, after = _window(left, right)
        whole = len(before) == len(left) and len(after) == len(right)
        done = 0, 0
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes():
            if not whole and (i2 == len(before) or j2 == len(after)):
                break  # what is cut off here may go on
            if tag != "equal":
                yield start + i1, before[i1:i2], after[j1:j2]
            done = i2, j2
        if whole:
            return
        if done == (0, 0):
            yield start, left, right
            return
        same = _equal(left[done[0] :], right[done[1] :])
        start += done[0] + same
        left, right = left[done[0] + same :], right[done[1] + same :]


def _window(left: Sequence[str], right: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the lines to align: fewer where they repeat, as each pair of equal ones is looked at many times."""
    before, after = left[:_ALIGNED], right[:_ALIGNED]
    counts = Counter(before)
    if sum(counts[line] for line in after) > _MOST_PAIRS:
        return left[:_FEWER_ALIGNED], right[:_FEWER_ALIGNED]
    return before, after


def _equal(left: Iterable[str], right: Iterable[str]) -> int:
    """Return how many lines at the start of both are equal."""
    pairs = zip(left, right, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


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
