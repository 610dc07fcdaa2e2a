#!/usr/bin/env python3
"""Fuse the projects of scripts/coverage.toml and write docs/coverage.md: which work, and what the others need.

    python scripts/coverage.py                     print the table
    python scripts/coverage.py --only numpy,pillow
    python scripts/coverage.py --write             docs/coverage.md, and its sums in README.md

pip downloads each project's wheels, universal2 first, and keeps them in its own cache; nothing else is asked for. A
wheel above the limit of coverage.toml is not fetched. Run it with the Python of .venv (scripts/setup makes it).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from fatwheel.arch import Arch
from fatwheel.errors import FatwheelError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.fusion.kinds import all_kinds
from fatwheel.fusion.many import Outcome, fuse_many
from fatwheel.fusion.pairing import held_architectures
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import RuleSet
from fatwheel.index.listing import Entry, Listing, ListingOptions, make_listing
from fatwheel.index.serve import PYPI
from fatwheel.index.upstream import HttpUpstream, client_session
from fatwheel.version import __version__
from fatwheel.wheelhouse.choose import choose_entry, supported_tags
from fatwheel.wheels.tags import Family, family, parse_wheel_name
from fatwheel.wheels.wheel import open_wheel
from scripts.download import TooLargeError, download
from tests.support.corpus import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA = ROOT / "scripts" / "coverage.toml"
PAGE, README = ROOT / "docs" / "coverage.md", ROOT / "README.md"
BEGIN, END = "<!-- written by scripts/coverage.py -->", "<!-- end -->"
_FILE = re.compile(r"\S+_(x86_64|arm64)\.whl")


class Kind(Enum):
    """What a user of the project meets, in the order of the page."""

    UNIVERSAL = "universal2 upstream"
    FUSED = "fused without a decision"
    BOOK = "fused by the rule book"
    PURE = "pure wheel for both"
    DECISION = "needs a decision"
    CANNOT = "cannot"
    LARGE = "not tried"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A project in a version: what became of it, and why."""

    name: str
    version: str
    kind: Kind
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """For which Python and macOS wheels are taken, and up to which size (MB)."""

    python: str
    macos: str
    largest: float


def main() -> int:
    """Fuse, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", help="names of projects, with commas")
    parser.add_argument("--write", action="store_true", help="write the page and README's sums")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="projects at the same time")
    given = parser.parse_args()
    data: dict[str, Any] = tomllib.loads(DATA.read_text("utf-8"))
    projects = {
        (name, version)
        for name, versions in data["projects"].items()
        for version in versions
        if not given.only or name in given.only.split(",")
    }
    settings = Settings(python=data["python"], macos=data["macos"], largest=data["largest"])
    with ThreadPoolExecutor(given.jobs) as executor:
        rows = list(executor.map(lambda one: tried(one[0], one[1], settings), sorted(projects)))
    print(table(rows))
    if given.write:
        PAGE.write_text(page(rows, settings), "utf-8")
        README.write_text(with_sums(README.read_text("utf-8"), rows), "utf-8")
    return 0


def tried(name: str, version: str, settings: Settings) -> Row:
    """Return what becomes of a project's wheels."""
    with tempfile.TemporaryDirectory(prefix="fatwheel-coverage-") as folder:
        try:
            kind, why = outcome(f"{name}=={version}", Path(folder), settings)
        except TooLargeError as error:
            kind, why = Kind.LARGE, str(error)
    print(f"{name} {version}: {kind.value}{why and ': '}{why}", file=sys.stderr, flush=True)
    return Row(name=name, version=version, kind=kind, why=why)


def outcome(requirement: str, folder: Path, settings: Settings) -> tuple[Kind, str]:
    """Download what there is of one release and fuse it; return what became of it, and why."""
    whole = wheel(requirement, "universal2", folder, settings)
    held = held_in(whole) if whole is not None and is_for_macs(whole) else []
    if len(held) == 2:
        return Kind.UNIVERSAL, ""
    found = {arch.value: wheel(requirement, arch.value, folder, settings) for arch in Arch}
    thin = {arch: path for arch, path in found.items() if path is not None and is_for_macs(path)}
    if whole is not None and len(held) == 1:  # it lies, and counts as the half that it is
        thin.setdefault(held[0], whole)
    if missing := [arch for arch in found if arch not in thin]:
        what = (
            f"no {missing[0]} wheel"
            if len(missing) == 1
            else f"no wheel for macOS {settings.macos}"
        )
        return (Kind.PURE if whole is not None and not held else Kind.CANNOT), what
    found_out = fused(thin["x86_64"], thin["arm64"], folder)
    if found_out[0] is Kind.CANNOT and (entry := offered(requirement, settings)) is not None:
        return as_offered(entry, folder, settings) or found_out
    return found_out


def offered(requirement: str, settings: Settings) -> Entry | None:
    """Return the file that `fatwheel index` offers: the best wheels of the two architectures may be no pair, and others
    are one.
    """
    name, _, version = requirement.partition("==")
    macos = (int(settings.macos.partition(".")[0]), int(settings.macos.partition(".")[2]))
    python = (3, int(settings.python.partition(".")[2]))

    async def ask() -> Listing:
        async with client_session() as session:
            upstream = HttpUpstream(PYPI, session)
            page = await upstream.page(name, None)
            assert page is not None
            return make_listing(upstream.files(page, name), ListingOptions(macos=macos), {})

    tags = {arch: supported_tags(python, macos, arch) for arch in Arch}
    return choose_entry(asyncio.run(ask()).entries, version, tags)


def as_offered(entry: Entry, folder: Path, settings: Settings) -> tuple[Kind, str] | None:
    """Return what becomes of a file that the index offers; None for a kind that was tried already."""
    if entry.filename.endswith("-any.whl"):
        return Kind.PURE, "the thin wheels are no pair"
    if entry.halves is None:
        return None
    x86_64, arm64 = (
        wheel(half.url, arch.value, folder / "offered", settings)
        for half, arch in zip(entry.halves, Arch, strict=True)
    )
    assert x86_64 is not None
    assert arm64 is not None
    return fused(x86_64, arm64, folder / "again")


def is_for_macs(path: Path) -> bool:
    """Return whether a wheel is not for any machine."""
    return family(parse_wheel_name(path.name)) is not Family.ANY


def fused(x86_64: Path, arm64: Path, folder: Path) -> tuple[Kind, str]:
    """Fuse without the rule book, then with it."""
    plain = fuse(x86_64, arm64, folder / "plain", RuleSet(rules=()))
    if plain.succeeded:
        return Kind.FUSED, ""
    by_book = fuse(x86_64, arm64, folder / "book", RuleSet(rules=rule_book(), kinds=all_kinds()))
    settled = len(plain.plan.conflicts) if plain.plan else 0
    if by_book.succeeded:
        return Kind.BOOK, f"{settled} {'file' if settled == 1 else 'files'}"
    if by_book.plan is None or not by_book.plan.conflicts:
        return Kind.CANNOT, _FILE.sub(r"the \1 wheel", str(by_book.error).partition("; ")[0])
    names = [f"`{conflict.name}`" for conflict in by_book.plan.conflicts]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return Kind.DECISION, ", ".join(names[:2]) + more


def fuse(x86_64: Path, arm64: Path, folder: Path, rules: RuleSet) -> Outcome:
    """Fuse two wheels under these rules."""
    (done,) = fuse_many([(x86_64, arm64)], folder, FuseOptions(plan=PlanOptions(rules=rules)))
    return done


def held_in(path: Path) -> list[str]:
    """Return the architectures of the code in a wheel; both where it has none or cannot be read."""
    try:
        wheel = open_wheel(path)
    except FatwheelError:
        return [arch.value for arch in Arch]
    try:
        return sorted(arch.value for arch in held_architectures(wheel))
    finally:
        wheel.close()


def wheel(requirement: str, kind: str, folder: Path, settings: Settings) -> Path | None:
    """Return the wheel of one platform, downloaded; None where there is none. Raises `TooLargeError`."""
    platform = f"macosx_{settings.macos.replace('.', '_')}_{kind}"
    place = folder / kind
    return download(
        requirement, [platform], place, python=settings.python, largest=settings.largest
    )


def table(rows: Sequence[Row]) -> str:
    """Return all projects, by name."""
    lines = ["| project | version | result | details |", "|---|---|---|---|"]
    lines += [f"| {row.name} | {row.version} | {row.kind.value} | {row.why} |" for row in rows]
    return "\n".join(lines)


def sums(rows: Sequence[Row]) -> str:
    """Return the number of releases of each kind, in words."""
    counts = Counter(row.kind for row in rows)
    parts = [f"{kind.value} {counts[kind]}" for kind in Kind if counts[kind]]
    return f"of {len(rows)} releases: " + ", ".join(parts)


def page(rows: Sequence[Row], settings: Settings) -> str:
    """Return docs/coverage.md."""
    head = f"""# Which projects work

Each release below was downloaded from PyPI and fused, for CPython {settings.python} on macOS {settings.macos}.
The list is of projects that fatwheel's tests, benchmarks and rule book know; it is no survey. Yours is not in it?
`fatwheel wheelhouse NAME --dry-run` tells in seconds whether both architectures have wheels, and without
`--dry-run` whether they fuse.

{wrapped(f"With fatwheel {__version__} on {time.strftime('%Y-%m-%d')}, {sums(rows)}.")}

- **universal2 upstream**: the project's own wheel is for both. It is taken as it is.
- **fused without a decision**: the two thin wheels become one.
- **fused by the rule book**: files differ, and a rule that fatwheel ships says what is right (`fatwheel rules`).
- **pure wheel for both**: there is no pair of wheels, but one without compiled code, and it serves both.
- **needs a decision**: the named files differ, and you say which one to keep. The report prints the rule
  ([fusing.md](fusing.md)).
- **cannot**: one architecture has no wheel, or the two are not halves of one.
"""
    if any(row.kind is Kind.LARGE for row in rows):
        head += f"- **not tried**: a wheel is above {settings.largest:g} MB.\n"
    return f"{head}\n{table(rows)}\n\n`scripts/coverage.py --write` writes this page.\n"


def with_sums(text: str, rows: Sequence[Row]) -> str:
    """Return README with the sums of this run."""
    before, found, rest = text.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found or not found_end:
        raise SystemExit(f"coverage: README.md has no {BEGIN} … {END}")
    said = wrapped(f"Tried {sums(rows)} ([docs/coverage.md](docs/coverage.md)).")
    return f"{before}{BEGIN}\n\n{said}\n\n{END}{after}"


def wrapped(text: str) -> str:
    """Return a paragraph in lines."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
