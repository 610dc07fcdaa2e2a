"""The machines that a wheel's tags promise it to: on which pip must get it, and on which it must not."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

__all__ = ["Wanted", "oldest_python", "platforms_to_try"]

_MACOS = re.compile(r"macosx_(\d+)_(\d+)_(x86_64|arm64|universal2|intel)")
_FIRST = {"x86_64": (10, 4), "arm64": (11, 0)}  # the first macOS that pip knows for each
_NEWEST = 40  # minor and patch versions of Python to look through
# What installs a wheel for any platform: one of each system.
_ANYWHERE = ("macosx_11_0_arm64", "macosx_10_13_x86_64", "manylinux_2_17_x86_64", "win_amd64")


class Wanted(NamedTuple):
    """One machine that looks for a release: whether the wheel is for it, by the wheel's own tags."""

    wheel: str
    platform: str
    python: str
    abi: str
    picked: bool

    def document(self) -> dict[str, object]:
        """Return it for the manifest."""
        return {
            "wheel": self.wheel,
            "platform": self.platform,
            "python": f"{self.python}-{self.abi}",
            "picked": self.picked,
        }


def platforms_to_try(wheel: str) -> Iterator[Wanted]:
    """Yield the machines to look at a wheel from: for each architecture its oldest macOS, and the one before.

    `wheel` is a file name. A wheel of another system is tried on each platform that its tags name.
    """
    pythons, abis, platforms = (
        part.split(".") for part in wheel.removesuffix(".whl").split("-")[-3:]
    )
    for python in pythons:
        for abi in abis:
            for platform, picked in _machines(platforms):
                yield Wanted(wheel, platform, python, abi, picked)


def _machines(platforms: Sequence[str]) -> Iterator[tuple[str, bool]]:
    floors: dict[str, tuple[int, int]] = {}
    for platform in platforms:
        match = _MACOS.fullmatch(platform)
        if match is None:
            yield from ((name, True) for name in ([platform] if platform != "any" else _ANYWHERE))
            continue
        floor, kind = (int(match[1]), int(match[2])), match[3]
        for arch in {"universal2": ("x86_64", "arm64"), "intel": ("x86_64",)}.get(kind, (kind,)):
            promised = max(floor, _FIRST[arch])
            floors[arch] = min(promised, floors.get(arch, promised))
    for arch, floor in floors.items():
        yield f"macosx_{floor[0]}_{floor[1]}_{arch}", True
        if floor > _FIRST[arch]:
            major, minor = _before(floor)
            yield f"macosx_{major}_{minor}_{arch}", False


def oldest_python(major: str, minor: str, abi: str, requires: str) -> str:
    """Return the oldest Python of a wheel's tags that its Requires-Python allows, or just the oldest where none is."""
    first = int(minor or 0)
    # `py3` is every Python 3, and `cp39-abi3` every one from 3.9 on.
    last = _NEWEST if abi == "abi3" or not minor else first
    with contextlib.suppress(InvalidSpecifier):
        allowed = SpecifierSet(requires)
        # With the tags py2.py3, the metadata may have left Python 2 behind.
        for line in [major] if minor else [major, "3"]:
            for number in range(first, last + 1):
                for patch in range(_NEWEST):
                    if allowed.contains(f"{line}.{number}.{patch}"):
                        return f"{line}.{number}.{patch}"
    return f"{major}.{first}"


def _before(floor: tuple[int, int]) -> tuple[int, int]:
    """Return the macOS before `floor`, as platform tags count them."""
    major, minor = floor
    if major == 10:
        return 10, minor - 1
    return (major - 1, 0) if major > 11 else (10, 15)
