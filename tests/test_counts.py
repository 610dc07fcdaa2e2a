"""One is told as one: `1 byte`, never `1 bytes`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.corpus import ROOT

PLURALS = re.compile(
    r" (?:more |other )?(bytes|characters|conflicts|errors|files|findings|folders|headers|lines|members|pages|"
    r"pairs|rows|rules|slices|wheels)\b"
)
SAFE = re.compile(r"[A-Z_]+[A-Z_\d]*$")  # constants, of which none is 1
# Counts that are never 1 where they are told.
NEVER_ONE = {
    ("archive/directory.py", "many"),  # words
    ("cli/outcomes.py", "len(left)"),
    ("deflate/splice.py", "_MAX_STORED"),
    ("index/page.py", "_MOST_FILES"),
    ("index/upstream.py", "file.size or LARGEST_FILE"),
    ("macho/codesign.py", "bits"),
}

SOURCES = sorted((ROOT / "fatwheel").rglob("*.py"))


def told(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, value and noun of each count that an f-string tells without `counted`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant):
                continue
            noun = PLURALS.match(str(text.value))
            shown = ast.unparse(value.value)
            if noun and not SAFE.match(shown) and value.format_spec is None:
                yield node.lineno, shown, noun[1]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_counts_are_told_by_counted(path: Path) -> None:
    name = path.relative_to(ROOT / "fatwheel").as_posix()
    found = [
        f"{path}:{line}: {{{value}}} {noun}"
        for line, value, noun in told(path)
        if (name, value) not in NEVER_ONE
    ]
    assert found == [], "use printable.counted, or say in NEVER_ONE why it is never one"
