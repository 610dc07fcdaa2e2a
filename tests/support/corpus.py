"""The real wheels that tests run on: those of acceptance.toml, and a small pair in fixtures/."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SMALL_PAIR = tuple(sorted((ROOT / "fixtures" / "wheels").glob("*.whl")))


@dataclass(frozen=True, kw_only=True)
class Published:
    """One wheel as published: its file name and SHA-256 digest (hexadecimal)."""

    file: str
    sha256: str

    @property
    def path(self) -> Path:
        """Where its download lies, or would lie."""
        return wheel_cache() / self.file

    def is_cached(self) -> bool:
        """Return whether the cache holds it, with the right digest."""
        if not self.path.is_file():
            return False
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest() == self.sha256


@dataclass(frozen=True, kw_only=True)
class Single:
    """A published universal2 wheel that serves as it is."""

    name: str
    version: str
    universal2: Published


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of `fatwheel fuse` on a pair, and what must come of it.

    `output` is the name of the fused wheel, None where nothing may be written; `says` are texts
    that the report must hold.
    """

    options: tuple[str, ...]
    exit: int
    output: str | None
    says: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two thin wheels of one project, and its own universal2 wheel where it publishes one."""

    name: str
    version: str
    x86_64: Published
    arm64: Published
    universal2: Published | None
    runs: tuple[Run, ...]

    @property
    def wheels(self) -> tuple[Published, ...]:
        """All of its wheels."""
        return tuple(w for w in (self.x86_64, self.arm64, self.universal2) if w is not None)


def wheel_cache() -> Path:
    """Return the folder of downloaded wheels: `FATWHEEL_WHEELS`, else below the user's cache."""
    if folder := os.environ.get("FATWHEEL_WHEELS"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fatwheel" / "wheels"


def acceptance_pairs() -> dict[str, Pair]:
    """Return the pairs of acceptance.toml by project name."""
    return {table["name"]: _pair(table) for table in _acceptance()["pair"]}


def single_wheels() -> dict[str, Single]:
    """Return the single wheels of acceptance.toml by project name."""
    return {
        table["name"]: Single(
            name=table["name"],
            version=table["version"],
            universal2=Published(**table["universal2"]),
        )
        for table in _acceptance()["single"]
    }


def _acceptance() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).parents[1].joinpath("acceptance.toml").read_text("utf-8"))


def _pair(table: dict[str, Any]) -> Pair:
    return Pair(
        name=table["name"],
        version=table["version"],
        x86_64=Published(**table["x86_64"]),
        arm64=Published(**table["arm64"]),
        universal2=Published(**table["universal2"]) if "universal2" in table else None,
        runs=tuple(
            Run(
                options=tuple(run.get("options", ())),
                exit=run["exit"],
                output=run.get("output"),
                says=tuple(run.get("says", ())),
            )
            for run in table["run"]
        ),
    )
