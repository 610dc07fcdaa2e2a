"""The pairs that are measured: those of pairs.toml, or two wheels of the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.fetch_wheels import fetch
from tests.support.corpus import Pair, Published, Run, acceptance_pairs, tomllib

__all__ = ["Subject", "download", "of_wheels", "read_pairs"]

DATA = Path(__file__).with_name("pairs.toml")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A pair to be measured; `options` are fatwheel's, `uses` what it is measured for."""

    name: str
    version: str
    wheels: tuple[Path, Path]
    options: tuple[str, ...] = ()
    uses: tuple[str, ...] = ("size",)

    @property
    def size(self) -> int:
        """Bytes of both wheels."""
        return sum(path.stat().st_size for path in self.wheels)


def of_wheels(wheels: Sequence[Path]) -> Subject:
    """Return two wheels as a pair."""
    a, b = sorted(path.resolve() for path in wheels)
    name, version = a.name.split("-")[:2]
    return Subject(name=name, version=version, wheels=(b, a))


def download(chosen: str | None) -> list[Subject]:
    """Return the pairs with the names in `chosen` (separated by commas; None for all), downloaded, by size."""
    data = read_pairs()
    if chosen:
        names = chosen.split(",")
        if unknown := sorted(set(names) - data.keys()):
            raise SystemExit(f"bench: no such pairs: {', '.join(unknown)}")
        data = {name: data[name] for name in names}
    if not fetch([pair for pair, _ in data.values()], "3.12"):
        raise SystemExit(1)
    subjects = [subject(pair, uses) for pair, uses in data.values()]
    return sorted(subjects, key=lambda one: one.size)


def read_pairs() -> dict[str, tuple[Pair, tuple[str, ...]]]:
    """Return the pairs of pairs.toml by name, each with what it is for."""
    document = tomllib.loads(DATA.read_text("utf-8"))
    known = acceptance_pairs()
    found = {name: (known[name], ("size",)) for name in document["acceptance"]}
    return found | {table["name"]: _pair(table) for table in document["pair"]}


def _pair(table: Mapping[str, Any]) -> tuple[Pair, tuple[str, ...]]:
    pair = Pair(
        name=table["name"],
        version=table["version"],
        x86_64=Published(**table["x86_64"]),
        arm64=Published(**table["arm64"]),
        universal2=None,
        runs=(Run(options=tuple(table.get("options", ())), exit=0, output="", says=()),),
    )
    return pair, tuple(table["uses"])


def subject(pair: Pair, uses: tuple[str, ...]) -> Subject:
    """Return a pair as it is measured: with the options of its first run that makes a wheel."""
    options = next((run.options for run in pair.runs if run.output is not None), ())
    return Subject(
        name=pair.name,
        version=pair.version,
        wheels=(pair.x86_64.path, pair.arm64.path),
        options=options,
        uses=uses,
    )
