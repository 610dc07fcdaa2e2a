#!/usr/bin/env python3
"""Plan the fusion of exact pairs of real wheels, and tell what becomes of each.

    python scripts/pairs.py                          print the table and its sums
    python scripts/pairs.py --only numpy,spacy -v    and each conflict
    python scripts/pairs.py --large                  those above 60 MB, too
    python scripts/pairs.py --add spacy==3.8.7       download a pair and write it into pairs.toml

The pairs are those of pairs.toml, of benchmark/pairs.toml and of tests/acceptance.toml, by digest. pip downloads what
the wheel cache lacks (~/.cache/fatwheel/wheels, FATWHEEL_WHEELS). Run it with the Python of .venv (scripts/setup).
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fatwheel.errors import FatwheelError
from fatwheel.fusion.actions import Conflict, Decision
from fatwheel.fusion.fuse import FuseOptions, plan_fuse
from fatwheel.fusion.plan import PlanOptions
from scripts.benchmark.pairs import read_pairs as benchmark_pairs
from scripts.download import TooLargeError, download
from scripts.fetch_wheels import PLATFORMS, fetch
from tests.support.corpus import Pair, Published, acceptance_pairs, wheel_cache

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA = Path(__file__).with_suffix(".toml")
PYTHONS = ("3.12", "3.11", "3.10", "3.9")
LARGE = 60.0  # MB of one wheel
_NOT_HALVES = ("one-architecture", "platform", "swapped", "unlike")  # an architecture lacks code


class Fate(Enum):
    """Who settles what differs in a pair, in the order of the table."""

    ITSELF = "by itself"
    KIND = "by the book's kinds"
    ENTRY = "by the book's entries"
    PERSON = "by a person"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A pair and what became of it; `why` names conflicts, kinds and entries."""

    pair: Pair
    fate: Fate
    why: str = ""
    conflicts: tuple[Conflict, ...] = ()


def main() -> int:
    """Add, or plan and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", help="names of projects, with commas")
    parser.add_argument("--large", action="store_true", help="wheels above 60 MB, too")
    parser.add_argument("--cached", action="store_true", help="only what the cache holds")
    parser.add_argument("--add", nargs="+", metavar="NAME==VERSION", help="download and note pairs")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each conflict")
    given = parser.parse_args()
    if given.add:
        return add(given.add, large=given.large)
    chosen = [
        pair
        for pair, python, large in read_pairs()
        if (not given.only or pair.name in given.only.split(","))
        and (given.large or not large or cached(pair))
        and (cached(pair) if given.cached else fetch([pair], python))
    ]
    rows = [row(pair) for pair in chosen]
    print(table(rows, verbose=given.verbose))
    return 0


def read_pairs() -> list[tuple[Pair, str, bool]]:
    """Return all pairs by name, each with the Python that it is for, and whether it is large."""
    document = tomllib.loads(DATA.read_text("utf-8"))
    known = {pair.name: (pair, "3.12", False) for pair, _ in benchmark_pairs().values()}
    known |= {name: (known[name][0], "3.12", True) for name in document["large"]}
    known |= {pair.name: (pair, "3.12", False) for pair in acceptance_pairs().values()}
    noted = [
        (_pair(table), table.get("python", "3.12"), table.get("large", False))
        for table in document.get("pair", ())
    ]
    return sorted([*known.values(), *noted], key=lambda one: (one[0].name, one[0].version))


def _pair(table: dict[str, object]) -> Pair:
    x86_64, arm64 = table["x86_64"], table["arm64"]
    assert isinstance(x86_64, dict)
    assert isinstance(arm64, dict)
    return Pair(
        name=str(table["name"]),
        version=str(table["version"]),
        x86_64=Published(**x86_64),
        arm64=Published(**arm64),
        universal2=None,
        runs=(),
    )


def cached(pair: Pair) -> bool:
    """Return whether the cache has both wheels, by name."""
    return pair.x86_64.path.is_file() and pair.arm64.path.is_file()


# ---- what becomes of a pair ----


def row(pair: Pair) -> Row:
    """Plan the fusion with the shipped rules, and tell who settled what."""
    try:
        plan = plan_fuse(
            pair.x86_64.path,
            pair.arm64.path,
            FuseOptions(plan=PlanOptions()),
        )
    except FatwheelError as error:
        return Row(pair=pair, fate=Fate.REFUSED, why=str(error))
    if halved := [one for one in plan.conflicts if one.kind in _NOT_HALVES]:
        return Row(pair=pair, fate=Fate.REFUSED, why=f"{halved[0].name} {halved[0].problem}")
    if plan.conflicts:
        names = [conflict.name for conflict in plan.conflicts]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return Row(
            pair=pair,
            fate=Fate.PERSON,
            why=", ".join(names[:2]) + more,
            conflicts=plan.conflicts,
        )
    return Row(pair=pair, fate=_fate(plan.decisions), why=_kinds(plan.decisions))


def _fate(decisions: Sequence[Decision]) -> Fate:
    if any(decision.by == "rule book" for decision in decisions):
        return Fate.ENTRY
    return Fate.KIND if decisions else Fate.ITSELF


def _kinds(decisions: Sequence[Decision]) -> str:
    counts = Counter(decision.by for decision in decisions)
    return ", ".join(f"{by} ({count})" for by, count in sorted(counts.items()))


def table(rows: Sequence[Row], *, verbose: bool) -> str:
    """Return a line for each pair, and the sums."""
    lines = []
    for one in rows:
        lines.append(
            f"{one.pair.name} {one.pair.version}: {one.fate.value}{one.why and '; '}{one.why}"
        )
        if verbose:
            lines += [f"    {conflict.name}: {conflict.problem}" for conflict in one.conflicts]
    counts = Counter(one.fate for one in rows)
    lines += ["", *(f"{fate.value:<24}{counts[fate]:>4}" for fate in Fate)]
    tried = len(rows) - counts[Fate.REFUSED]
    alone = tried - counts[Fate.PERSON]
    if tried:
        lines.append(
            f"{alone} of {tried} that can be fused need nobody's decision: {alone / tried:.1%}"
        )
    return "\n".join(lines)


# ---- new pairs ----


def add(requirements: Sequence[str], *, large: bool) -> int:
    """Download pairs, two at the same time, and write those that came into pairs.toml; return 1 if one did not."""
    known = {(pair.name, pair.version) for pair, _, _ in read_pairs()}
    wanted = [text for text in requirements if tuple(text.split("==")) not in known]
    missing = 0
    with ThreadPoolExecutor(2) as executor:
        for text, entry in zip(
            wanted, executor.map(lambda one: noted(one, large=large), wanted), strict=True
        ):
            if entry is None:
                missing += 1
                continue
            with DATA.open("a", encoding="utf-8") as stream:
                stream.write(entry)
            print(f"pairs: {text} noted", flush=True)
    return 1 if missing else 0


def noted(requirement: str, *, large: bool) -> str | None:
    """Return the entry of a pair that was downloaded into the cache; None where there is none."""
    name, _, version = requirement.partition("==")
    for python in PYTHONS:
        with tempfile.TemporaryDirectory(dir=wheel_cache(), prefix=".pair-") as folder:
            found = {}
            for arch in ("arm64", "x86_64"):
                try:
                    path = download(
                        requirement,
                        PLATFORMS[arch],
                        Path(folder, arch),
                        python=python,
                        largest=None if large else LARGE,
                    )
                except TooLargeError as error:
                    print(f"pairs: {error}; --large takes it", file=sys.stderr, flush=True)
                    return None
                if path is None or not path.name.endswith(f"_{arch}.whl"):
                    break
                found[arch] = path
            if len(found) < 2:
                continue
            lines = [f'\n[[pair]]\nname = "{name}"\nversion = "{version}"\n']
            if python != PYTHONS[0]:
                lines.append(f'python = "{python}"\n')
            if max(path.stat().st_size for path in found.values()) > LARGE * 1e6:
                lines.append("large = true\n")
            for arch in ("x86_64", "arm64"):
                digest = hashlib.sha256(found[arch].read_bytes()).hexdigest()
                lines.append(f'{arch} = {{ file = "{found[arch].name}", sha256 = "{digest}" }}\n')
                found[arch].replace(wheel_cache() / found[arch].name)
            return "".join(lines)
    print(f"pairs: no pair of {requirement}", file=sys.stderr, flush=True)
    return None


if __name__ == "__main__":
    sys.exit(main())
