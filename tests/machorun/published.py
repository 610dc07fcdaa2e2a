"""Upstream's wheels for macOS, made on Macs, and those for Linux of the same version: wheels.toml."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.corpus import Published

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Needed(NamedTuple):
    """A pure wheel that a project's module imports."""

    name: str
    version: str
    any: Published


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project's wheels for CPython 3.11. Where `arm64` is None, the one for x86_64 is universal2."""

    name: str
    version: str
    x86_64: Published
    arm64: Published | None
    linux: Published
    needs: str | None = None

    @property
    def wheels(self) -> tuple[Published, ...]:
        """All of its wheels."""
        return tuple(w for w in (self.x86_64, self.arm64, self.linux) if w is not None)

    def mac(self, arch: str) -> Published:
        """The wheel that has the slice for `arch`."""
        return self.arm64 if arch == "arm64" and self.arm64 else self.x86_64


_TABLE = tomllib.loads(Path(__file__).with_name("wheels.toml").read_text("utf-8"))


def projects() -> dict[str, Project]:
    """Return the projects by name."""
    return {
        table["name"]: Project(
            name=table["name"],
            version=table["version"],
            x86_64=Published(**table["x86_64"]),
            arm64=Published(**table["arm64"]) if "arm64" in table else None,
            linux=Published(**table["linux"]),
            needs=table.get("needs"),
        )
        for table in _TABLE["project"]
    }


def needed() -> dict[str, Needed]:
    """Return the pure wheels by name."""
    return {
        table["name"]: Needed(table["name"], table["version"], Published(**table["any"]))
        for table in _TABLE["needed"]
    }


def require_project(name: str) -> Project:
    """Return the project, whose wheels lie in the cache; otherwise the test is skipped."""
    from tests.support.required import unavailable  # scripts/fetch_wheels.py does without pytest

    project = projects()[name]
    wheels = [*project.wheels, *([needed()[project.needs].any] if project.needs else [])]
    if not all(wheel.is_cached() for wheel in wheels):
        unavailable(f"the wheels of {name} {project.version}", "scripts/fetch_wheels.py gets them")
    return project


def unpacked(wheel: Path, folder: Path) -> Path:
    """Unpack the wheel into a folder of its own below `folder`, and return that."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / wheel.stem)
    return folder / wheel.stem


def module_in(folder: Path) -> Path:
    """Return the one library or extension module in the folder of an unpacked wheel."""
    (found,) = (path for path in folder.rglob("*") if path.suffix in {".so", ".dylib"})
    return found
