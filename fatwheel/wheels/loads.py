"""Which members load which: load commands resolved inside one wheel.

A wheel is spread over the import path when it is installed, so members are compared by where they land
(`NAME.data/platlib/…` lands beside `pkg/…`), and `@loader_path` and `@rpath` are resolved from there, as dyld does.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.macho.image import Image
from fatwheel.wheels.installed import installed_path

__all__ = ["LoadGraph", "missing_loads"]

_MOST_STEPS = 500_000
"""Paths that are tried for `@rpath`, in steps of 64 bytes: far more than real wheels need, and a second's work."""


class LoadGraph(NamedTuple):
    """The members that each architecture's code loads, by member name."""

    loaded_by: Mapping[str, frozenset[Arch]]

    @classmethod
    def of(cls, images: Iterable[tuple[str, Arch, Image]], members: Iterable[str]) -> LoadGraph:
        """Resolve the load commands of `images` (member, architecture of the slice, slice) among `members`."""
        by_path = {installed_path(member): member for member in members}
        resolver = _Resolver(by_path)
        loaded: dict[str, set[Arch]] = defaultdict(set)
        anywhere: dict[str, set[Arch]] = defaultdict(set)  # names of files
        for member, arch, image in images:
            for path, basename in resolver.targets(member, image):
                if path is not None:
                    loaded[by_path[path]].add(arch)
                else:
                    anywhere[basename].add(arch)
        for member in by_path.values() if anywhere else ():
            if archs := anywhere.get(posixpath.basename(member)):
                loaded[member] |= archs
        return cls({member: frozenset(archs) for member, archs in loaded.items()})


class _Resolver:
    """Tells where the load commands of one wheel's images lead."""

    def __init__(self, installed: Mapping[str, str]) -> None:
        self._installed = installed
        self._steps_left = _MOST_STEPS

    def targets(self, member: str, image: Image) -> Iterator[tuple[str | None, str]]:
        """Yield path and name of the wheel's files that `image`, which is in `member`, loads.

        The path is None where dyld's own state decides: every file of that name can be meant.
        """
        folder = posixpath.dirname(installed_path(member))
        rpaths = [
            posixpath.normpath(posixpath.join(folder, rpath[len("@loader_path") :].lstrip("/")))
            for rpath in dict.fromkeys(image.rpaths)
            if rpath.startswith("@loader_path")
        ]
        for load in dict.fromkeys(image.loads):
            head, _, rest = load.partition("/")
            basename = posixpath.basename(load)
            if head == "@loader_path":
                path = posixpath.normpath(posixpath.join(folder, rest))
                if path in self._installed:
                    yield path, basename
            elif head == "@rpath":
                yield self._on_rpath(rpaths, rest), basename
            elif not load.startswith("/"):
                yield None, basename

    def _on_rpath(self, rpaths: Iterable[str], rest: str) -> str | None:
        """Return the first of the paths that are in the wheel; none is looked for when all steps are used up."""
        for rpath in rpaths:
            self._steps_left -= 1 + (len(rpath) + len(rest)) // 64
            if self._steps_left < 0:
                return None
            path = posixpath.normpath(posixpath.join(rpath, rest))
            if path in self._installed:
                return path
        return None


def missing_loads(
    slices: Iterable[tuple[str, Arch, Image]], members: Iterable[str]
) -> Iterator[tuple[str, Arch, str]]:
    """Yield the load commands (member, architecture, path) that lead into the wheel, and to nothing there."""
    paths = {installed_path(member) for member in members}
    for member, arch, image in slices:
        folder = posixpath.dirname(installed_path(member))
        for load in dict.fromkeys(image.loads):
            head, _, rest = load.partition("/")
            target = posixpath.normpath(posixpath.join(folder, rest))
            if head == "@loader_path" and not target.startswith("..") and target not in paths:
                yield member, arch, load
