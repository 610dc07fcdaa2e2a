"""How two texts differ, short enough for a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["describe_difference", "short_diff"]

_LINES = 4
_LINES_IN_ALL = 12
_LARGEST_ALIGNED = 500  # lines
_WIDTH = 120


def describe_difference(x86_64: int, arm64: int, malformed: Sequence[str]) -> str:
    """Return the clause for two contents of these sizes (bytes); `malformed` are problems that a reader met."""
    sizes = f"differs: {x86_64} bytes in the x86_64 wheel, {arm64} bytes in the arm64 wheel"
    if malformed:
        return f"{sizes}; it begins like a Mach-O file, but {malformed[0]}"
    return sizes


def short_diff(x86_64: bytes | None, arm64: bytes | None) -> tuple[str, ...]:
    """Return the first differences of two texts in the manner of `diff -u`, a few lines at most.

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
    lines: list[str] = []
    for start, before, after in _changes(left, right):
        if len(lines) >= _LINES_IN_ALL:
            lines.append("... and more further down")
            break
        lines.append(f"@@ line {start + 1} @@")
        for sign, changed in (("-", before), ("+", after)):
            lines += [f"{sign}{_shorten(line)}" for line in changed[:_LINES]]
            if len(changed) > _LINES:
                lines.append(f"{sign}... and {len(changed) - _LINES} more lines")
    return tuple(lines)


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


def _shorten(line: str) -> str:
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return printable if len(printable) <= _WIDTH else printable[: _WIDTH - 3] + "..."
