"""docs/coverage.md and its sums on the first page: written of the list that there is, and of no other."""

from __future__ import annotations

import re
import sys
from collections import Counter

from tests.support.corpus import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = (ROOT / "docs" / "coverage.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
ROWS = [
    line.strip("| ").split(" | ") for line in PAGE.splitlines() if re.match(r"\| \S+ \| \d", line)
]


def test_the_page_has_the_list_s_projects() -> None:
    """If it fails, run `scripts/coverage.py --write`."""
    listed = tomllib.loads((ROOT / "scripts" / "coverage.toml").read_text("utf-8"))["projects"]
    assert [(row[0], row[1]) for row in ROWS] == sorted(
        (name, version) for name, versions in listed.items() for version in versions
    )


def test_the_sums_are_the_table_s() -> None:
    counts = Counter(row[2].rstrip(" |") for row in ROWS)
    sums = re.search(r"of (\d+) releases: ([^.]+)\. ", " ".join(PAGE.split()))
    assert sums is not None
    assert int(sums[1]) == len(ROWS)
    said = {kind: int(count) for kind, count in (p.rsplit(" ", 1) for p in sums[2].split(", "))}
    assert said == counts
    assert f"of {sums[1]} releases: {sums[2]} (" in " ".join(README.split())
