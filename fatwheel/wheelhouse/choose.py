"""Which file of a version an installer takes: by the tags of the wanted Python and macOS, in pip's order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.index.listing import Entry
from fatwheel.wheels.tags import Floor, parse_wheel_name

__all__ = ["choose_entry", "supported_tags"]


def supported_tags(python: tuple[int, int], macos: Floor, arch: Arch) -> dict[Tag, int]:
    """Return the tags that CPython `python` on that macOS takes, each with its rank; 0 is the best."""
    platforms = list(mac_platforms(macos, arch.value))
    interpreter = f"cp{python[0]}{python[1]}"
    tags = [
        *cpython_tags(python, platforms=platforms),
        *compatible_tags(python, interpreter, platforms),
    ]
    ranks: dict[Tag, int] = {}
    for rank, tag in enumerate(tags):
        ranks.setdefault(tag, rank)
    return ranks


def choose_entry(
    entries: Iterable[Entry], version: str, archs: Mapping[Arch, Mapping[Tag, int]]
) -> Entry | None:
    """Return the best file of `version` that every one of `archs` takes; None where there is none."""
    best: tuple[tuple[int, ...], Entry] | None = None
    for entry in entries:
        if entry.version != version or not entry.filename.endswith(".whl"):
            continue
        ranks = _ranks(entry.filename, archs)
        if ranks is not None and (best is None or ranks < best[0]):
            best = ranks, entry
    return None if best is None else best[1]


def _ranks(filename: str, archs: Mapping[Arch, Mapping[Tag, int]]) -> tuple[int, ...] | None:
    try:
        name = parse_wheel_name(filename)
    except WheelError:
        return None
    tags = [Tag(*tag.split("-")) for tag in name.expanded_tags]
    ranks = []
    # arm64's order decides; a higher build tag wins among equals, as for pip.
    for arch in sorted(archs, key=lambda one: one is not Arch.ARM64):
        found = [archs[arch][tag] for tag in tags if tag in archs[arch]]
        if not found:
            return None
        ranks.append(min(found))
    build = int("".join(c for c in name.build if c.isdigit())[:9] or 0)
    return (*ranks, -build)
