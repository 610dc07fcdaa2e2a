"""Which members load which: load commands resolved inside one wheel.

A wheel is spread over the import path when it is installed, so members are compared by where they land
(`NAME.data/platlib/…` lands beside `pkg/…`), and `@loader_path` and `@rpath` are resolved from there, as dyld does.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.macho.image import Image

__all__ = ["LoadGraph", "installed_path", "missing_loads"]

_SCHEMES = {
    "purelib": "",
    "platlib": "",
    "scripts": "bin/",
    "data": "prefix/",
    "headers": "include/",
}


def installed_path(member: str) -> str:
    """Return where `member` lands, relative to site-packages (PEP 427, "Installing a wheel")."""
    if ".data/" not in member:  # nearly every member there is
        return member
    first, slash, rest = member.partition("/")
    if slash and first.endswith(".data"):
        scheme, _, path = rest.partition("/")
        if scheme in _SCHEMES:
            return _SCHEMES[scheme] + path
    return member


class LoadGraph(NamedTuple):
    """The members that each architecture's code loads, by member name."""

    loaded_by: Mapping[str, frozenset[Arch]]

    @classmethod
    def of(cls, images: Iterable[tuple[str, Arch, Image]], members: Iterable[str]) -> LoadGraph:
        """Resolve the load commands of `images` (member, architecture of the slice, slice) among `members`."""
        by_path = {installed_path(member): member for member in members}
        by_basename: dict[str, list[str]] = defaultdict(list)
        for member in by_path.values():
            by_basename[member.rpartition("/")[2]].append(member)
        loaded: dict[str, set[Arch]] = defaultdict(set)
        for member, arch, image in images:
            for load in image.loads:
                for target in _targets(installed_path(member), image, load, by_path, by_basename):
                    loaded[target].add(arch)
        return cls({member: frozenset(archs) for member, archs in loaded.items()})


def _targets(
    path: str,
    image: Image,
    load: str,
    by_path: Mapping[str, str],
    by_basename: Mapping[str, list[str]],
) -> list[str]:
    """Return the members that `load` in the image at `path` can mean; several where dyld's own state decides."""
    folder = posixpath.dirname(path)
    head, _, rest = load.partition("/")
    if head == "@loader_path":
        candidates = [posixpath.join(folder, rest)]
    elif head == "@rpath":
        candidates = [
            posixpath.join(folder, rpath.removeprefix("@loader_path").lstrip("/"), rest)
            for rpath in image.rpaths
            if rpath.startswith("@loader_path")
        ]
    elif load.startswith("/"):
        return []
    else:
        candidates = []
    hits = [by_path[p] for c in candidates if (p := posixpath.normpath(c)) in by_path]
    if hits or head == "@loader_path":
        return hits[:1]
    return by_basename.get(posixpath.basename(load), [])


def missing_loads(
    slices: Iterable[tuple[str, Arch, Image]], members: Iterable[str]
) -> Iterator[tuple[str, Arch, str]]:
    """Yield the load commands (member, architecture, path) that lead into the wheel, and to nothing there."""
    paths: Container[str] = {installed_path(member) for member in members}
    for member, arch, image in slices:
        folder = posixpath.dirname(installed_path(member))
        for load in image.loads:
            head, _, rest = load.partition("/")
            target = posixpath.normpath(posixpath.join(folder, rest))
            if head == "@loader_path" and not target.startswith("..") and target not in paths:
                yield member, arch, load
