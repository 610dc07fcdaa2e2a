"""Where the libraries are that a wheel's code loads: load commands resolved as dyld does it, for each architecture.

A wheel is spread over the import path when it is installed, so members are compared by where they land (see
`fatwheel.wheels.installed`). `@loader_path` is the folder of the image that has the load command or the rpath, and
`@executable_path` the folder of the program, which is known for a wheel's own programs only. `@rpath` is replaced
by each LC_RPATH of the image, then of the image that loaded it, and so on up to the program; the first file with
code for the architecture counts. Where none is found, dyld takes a library that was loaded before and has that very
install name (dyld, Loader::getLoader and Loader::forEachResolvedAtPathVar).

`fatwheel.wheels.loads` answers a simpler question, on the safe side: which members may be loaded at all.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.macho.image import FileType, Image, LoadKind
from fatwheel.values import valueclass
from fatwheel.wheels.installed import installed_path

__all__ = ["Load", "Loads", "Where", "is_system", "resolve_loads"]

_MOST_STEPS = 150_000
"""Paths that are tried and loaders that are visited, in steps of 64 bytes; real wheels need up to 20,000."""

_MOST_ALIKE = 16  # members of one install name

_SYSTEM = ("/usr/lib/", "/System/")
_FALLBACK = frozenset(
    f"lib{name}.dylib" for name in ("System.B", "c++.1", "c++abi", "iconv.2", "objc.A", "z.1")
)
"""Of the libraries in /usr/lib those that packagers' compilers name by `@rpath`."""
_LAST_WITH_FALLBACK = (12, 999)
"""Code for older systems than macOS 13 has /usr/lib searched when all else failed (dyld, pre2022Binary)."""
_CERTAIN = ("/usr/lib/swift/lib", "/System/")  # what an rpath finds there is what was meant
_LOADER, _EXECUTABLE, _RPATH = "@loader_path", "@executable_path", "@rpath"


class Where(Enum):
    """Where dyld finds what a load command names, in the installed wheel."""

    INSIDE = "inside"  # a member of the wheel
    SYSTEM = "system"  # a library of macOS
    OUTSIDE = "outside"  # an absolute path elsewhere
    BESIDE = "beside"  # a place that other wheels or the Python fill: `@loader_path` leads out of the wheel's folders
    GONE = "gone"  # a place within the wheel's folders, and nothing is there
    UNFOUND = "unfound"  # `@rpath`, and no LC_RPATH that is known leads to a file
    ANY = "any"  # what is running decides: the program's folder, or which libraries are loaded already


class Load(NamedTuple):
    """One load command of the slice for `arch` of `member`, and where it leads.

    `name` is the path as written. `path` is where the library is looked for, absolute or relative to site-packages;
    None where no place is known. `target` is the member that is found. `rpath` is the LC_RPATH that leads there, as
    written, and `rpath_of` the member that has it. `alike` are members that dyld takes if they are loaded already.
    """

    member: str
    arch: Arch
    name: str
    kind: LoadKind
    where: Where
    path: str | None = None
    target: str | None = None
    rpath: str | None = None
    rpath_of: str | None = None
    alike: tuple[str, ...] = ()


@valueclass
class Loads:
    """All load commands of a wheel's code, resolved: in the order of its members, architectures and commands."""

    loads: tuple[Load, ...]

    def reached_from(self, members: Iterable[str], arch: Arch) -> frozenset[str]:
        """Return `members`, and all that their code for `arch` loads, directly or not."""
        targets: dict[str, list[str]] = defaultdict(list)
        for load in self.loads:
            if load.arch is arch:
                targets[load.member] += load.alike if load.target is None else (load.target,)
        reached = set(members)
        waiting = [*reached]
        while waiting:
            new = set(targets[waiting.pop()]) - reached
            reached |= new
            waiting += new
        return frozenset(reached)


def is_system(path: str) -> bool:
    """Return whether an absolute path is that of a library of macOS."""
    return f"{posixpath.normpath(path)}/".startswith(_SYSTEM)


def resolve_loads(slices: Iterable[tuple[str, Arch, Image]], members: Iterable[str]) -> Loads:
    """Resolve the load commands of `slices` (member, architecture, image) among `members`."""
    found = list(slices)
    by_path = {installed_path(member): member for member in members}
    budget = _Budget(_MOST_STEPS)
    resolvers = {arch: _Resolver(arch, found, by_path, budget) for arch in Arch}
    for resolver in resolvers.values():
        resolver.resolve()
    return Loads(
        loads=tuple(load for member, arch, _ in found for load in resolvers[arch].take(member))
    )


class _Budget:
    """What may still be tried, for all architectures together."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def take(self, length: int = 0) -> bool:
        """Count one step, for a text of `length`; return whether there was one left."""
        self._left -= 1 + length // 64
        return self._left >= 0


class _Place(NamedTuple):
    """A path at which a library is looked for, and the LC_RPATH and its owner that lead there."""

    path: str
    rpath: str | None = None
    rpath_of: str | None = None


class _Resolver:
    """Tells where the load commands of one architecture's images lead."""

    def __init__(
        self,
        arch: Arch,
        slices: Iterable[tuple[str, Arch, Image]],
        installed: Mapping[str, str],
        budget: _Budget,
    ) -> None:
        self._arch = arch
        self._images = {member: image for member, its, image in slices if its is arch}
        self._installed = installed
        self._budget = budget
        self._tops = {path.partition("/")[0] for path in installed if "/" in path} - {".."}
        self._folders = {
            member: posixpath.dirname(installed_path(member)) for member in self._images
        }
        self._rpaths = {
            member: tuple(dict.fromkeys(image.rpaths)) for member, image in self._images.items()
        }
        self._all_programs = [member for member in self._images if self._is_program(member)]
        self._loads: dict[str, list[Load]] = {}
        self._loaders: dict[str, dict[str, None]] = defaultdict(dict)
        self._named: dict[str, list[str]] = defaultdict(list)
        for member, image in self._images.items():
            if image.install_name is not None:
                self._named[image.install_name].append(member)

    def resolve(self) -> None:
        """Resolve all: by what each image says itself, then by the images that load it."""
        waiting = []
        for member, image in self._images.items():
            kinds = dict(zip(reversed(image.loads), reversed(image.load_kinds), strict=True))
            own = [member]
            self._loads[member] = [
                self._settle(Load(member, self._arch, name, kinds[name], Where.ANY), own)
                for name in dict.fromkeys(image.loads)
            ]
            waiting += [(member, n) for n, load in enumerate(self._loads[member]) if _open(load)]
        while waiting:  # each new loader may bring rpaths to what was not found
            left = []
            for member, index in waiting:
                if not self._budget.take():
                    return
                load = self._loads[member][index]
                found = self._settle(load, self._chain(member))
                self._loads[member][index] = found
                if _open(found):
                    left.append((member, index))
            if len(left) == len(waiting):
                break
            waiting = left

    def take(self, member: str) -> list[Load]:
        """Return the loads of `member`."""
        return self._loads.get(member, [])

    def _chain(self, member: str) -> Iterator[str]:
        """Yield `member`, and all that load it, the nearest first, until all steps are used up."""
        seen = {member}
        ring = [member]
        while ring:
            yield from ring
            above = []
            for loader in (loader for one in ring for loader in self._loaders[one]):
                if not self._budget.take():
                    return
                if loader not in seen:
                    seen.add(loader)
                    above.append(loader)
            ring = above

    def _settle(self, load: Load, chain: Iterable[str]) -> Load:
        """Return `load` with where it leads, when `chain` are the images whose folders and rpaths count."""
        head, _, rest = load.name.partition("/")
        if load.name.startswith("/"):
            where = Where.SYSTEM if is_system(load.name) else Where.OUTSIDE
            return load._replace(where=where, path=load.name)
        if head == _LOADER:
            place = _Place(_join(self._folders[load.member], rest))
            return self._at(load, place)
        if head == _RPATH:
            return self._on_rpath(load, rest, chain)
        if head == _EXECUTABLE:
            for path in (_join(self._folders[one], rest) for one in self._programs(chain)):
                if path in self._installed or self._is_program(load.member):
                    return self._at(load, _Place(path))
        return load._replace(where=Where.ANY, alike=self._alike(load))

    def _programs(self, chain: Iterable[str]) -> list[str]:
        """Return the programs of the chain, or else all that the wheel has: any of them may open the library."""
        own = [one for one in chain if self._is_program(one)]
        if not own and self._budget.take(64 * len(self._all_programs)):
            return self._all_programs
        return own

    def _is_program(self, member: str) -> bool:
        return self._images[member].filetype is FileType.EXECUTE

    def _at(self, load: Load, place: _Place) -> Load:
        """Return `load` when it leads to that place, which is relative to site-packages."""
        found = load._replace(path=place.path, rpath=place.rpath, rpath_of=place.rpath_of)
        target = self._installed.get(place.path)
        if target is not None:
            if target != load.member:
                self._loaders[target][load.member] = None
            return found._replace(where=Where.INSIDE, target=target)
        within = place.path.partition("/")[0] in self._tops
        return found._replace(where=Where.GONE if within else Where.BESIDE)

    def _on_rpath(self, load: Load, rest: str, chain: Iterable[str]) -> Load:
        """Return `load` when it leads to the best of the places to which the chain's rpaths lead.

        Files of the wheel come first, those with code for the architecture before others. Without one, whatever
        may be there on the machine where it is installed: macOS, other wheels, absolute paths.
        """
        first: dict[Where, _Place] = {}
        for place in self._places(rest, chain):
            where = self._kind(place.path)
            if where is Where.INSIDE and self._installed[place.path] in self._images:
                return self._at(load, place)
            first.setdefault(where, place)
        if Where.INSIDE in first:
            return self._at(load, first[Where.INSIDE])
        if rest in _FALLBACK and (self._images[load.member].minos or (0, 0)) <= _LAST_WITH_FALLBACK:
            return load._replace(where=Where.SYSTEM, path=f"/usr/lib/{rest}")
        if same := self._alike(load):
            return load._replace(where=Where.ANY, alike=same)
        for where in (Where.SYSTEM, Where.BESIDE, Where.OUTSIDE, Where.ANY):
            if where in first:
                path, rpath, owner = first[where]
                known = None if where is Where.ANY else path
                return load._replace(where=where, path=known, rpath=rpath, rpath_of=owner)
        return load._replace(where=Where.UNFOUND)

    def _alike(self, load: Load) -> tuple[str, ...]:
        """Return the first other members that have the loaded name as their install name."""
        return tuple(one for one in self._named[load.name][:_MOST_ALIKE] if one != load.member)

    def _kind(self, path: str) -> Where:
        """Return what is at a path to which an rpath leads."""
        if path.startswith("/"):
            if path.startswith(_CERTAIN):
                return Where.SYSTEM
            return Where.UNFOUND if is_system(path) else Where.OUTSIDE
        if path.startswith("@"):
            return Where.ANY
        if path in self._installed:
            return Where.INSIDE
        return Where.GONE if path.partition("/")[0] in self._tops else Where.BESIDE

    def _places(self, rest: str, chain: Iterable[str]) -> Iterator[_Place]:
        """Yield where the rpaths of the chain's images lead, until all steps are used up."""
        for owner in chain:
            for rpath in self._rpaths[owner]:
                if not self._budget.take(len(rpath) + len(rest)):
                    return
                head, _, tail = rpath.partition("/")
                if head == _LOADER:
                    folder = posixpath.join(self._folders[owner], tail)
                    yield _Place(_join(folder, rest), rpath, owner)
                elif head == _EXECUTABLE:
                    for one in self._programs([owner]):
                        folder = posixpath.join(self._folders[one], tail)
                        yield _Place(_join(folder, rest), rpath, owner)
                    if not self._is_program(owner):
                        yield _Place(f"{rpath}/{rest}", rpath, owner)
                elif rpath.startswith("/"):  # dyld ignores others
                    yield _Place(_join(rpath, rest), rpath, owner)


def _open(load: Load) -> bool:
    """Return whether the images that load this one may still bring the library."""
    return load.name.startswith((_RPATH, _EXECUTABLE)) and load.where not in (
        Where.INSIDE,
        Where.SYSTEM,
    )


def _join(folder: str, rest: str) -> str:
    return posixpath.normpath(posixpath.join(folder, rest.lstrip("/")))
