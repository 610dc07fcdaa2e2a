"""What was found in a wheel, a file, a folder or an app: all facts together, and the sums over them."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Literal, TypeVar

from fatwheel.arch import Arch
from fatwheel.check.onesided import named_after
from fatwheel.inspection.facts import CodeFile, SliceFacts
from fatwheel.values import valueclass
from fatwheel.wheels.tags import Floor

__all__ = [
    "Decided",
    "Extension",
    "Inspection",
    "Kind",
    "MadeOf",
    "OtherFile",
    "Project",
    "Promise",
    "WheelFacts",
    "lacking",
    "needed",
    "totals",
]

T = TypeVar("T")
Kind = Literal["wheel", "file", "folder", "app"]


@valueclass
class Promise:
    """What one platform tag promises: the oldest macOS (major, minor) of each architecture that it speaks of."""

    tag: str
    floors: Mapping[Arch, Floor]


@valueclass
class Decided:
    """What a rule or an option decided on one file when a wheel was fused, who did, and why."""

    member: str
    action: str
    by: str
    reason: str


@valueclass
class MadeOf:
    """What `fatwheel.json` says of a wheel's making: who wrote it, of which file for each architecture, decisions."""

    generator: str
    inputs: Mapping[str, str]
    decisions: tuple[Decided, ...]


@valueclass
class WheelFacts:
    """What is true of wheels alone. `allows` of an architecture is in `Inspection`, as for all other inputs."""

    project: str
    version: str
    build: str
    tags: tuple[str, ...]
    promises: tuple[Promise, ...]
    made_of: MadeOf | None

    @property
    def floors(self) -> Mapping[Arch, Floor]:
        """The oldest macOS that any tag promises, by architecture."""
        found: dict[Arch, Floor] = {}
        for promise in self.promises:
            for arch, floor in promise.floors.items():
                found[arch] = min(floor, found.get(arch, floor))
        return {arch: found[arch] for arch in Arch if arch in found}


@valueclass
class Extension:
    """The files with one extension (`.so`; "" for none): how many, and their bytes, unpacked and in the archive."""

    extension: str
    files: int
    size: int
    packed: int | None


@valueclass
class Project:
    """A dependency in a folder or app: its name, its version and platform tags where its dist-info is there.

    `members` are the paths of its files, `files` of those that hold code, `size` the bytes of all.
    """

    name: str
    version: str | None
    platforms: tuple[str, ...]
    members: tuple[str, ...]
    files: tuple[str, ...]
    size: int

    @property
    def title(self) -> str:
        """Its name, and its version where that is known."""
        return self.name if self.version is None else f"{self.name} {self.version}"


@valueclass
class Inspection:
    """All that was found at one path, sorted by path.

    `size` is that of the file (of a folder: of all files in it), `installed` what it takes when it is unpacked, both in
    bytes; `count` counts the files. `thinned` are the bytes that would be left of `installed`, and about those of
    `size`, for one architecture alone. `problems` are sentences about what could not be read, `links` counts symbolic
    links that were not followed, `wheels` the wheels in a folder. `sizes` has the bytes of each file,
    `digests` the SHA-256 of each file of a wheel.
    """

    path: str
    kind: Kind
    size: int
    installed: int
    count: int
    wheel: WheelFacts | None = None
    files: tuple[CodeFile, ...] = ()
    extensions: tuple[Extension, ...] = ()
    projects: tuple[Project, ...] = ()
    thinned: Mapping[Arch, tuple[int, int]]
    problems: tuple[str, ...] = ()
    links: int = 0
    wheels: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def held(self) -> tuple[Arch, ...]:
        """The architectures for which any file holds macOS code."""
        found = {arch for file in self.files for arch in file.arches}
        return tuple(arch for arch in Arch if arch in found)

    @property
    def expected(self) -> tuple[Arch, ...]:
        """The architectures that the tags promise; where there are none, those for which there is code."""
        promised = self.wheel.floors if self.wheel is not None else ()
        return tuple(arch for arch in Arch if arch in promised) or self.held

    @property
    def arches(self) -> tuple[Arch, ...]:
        """The architectures that are promised or held."""
        return tuple(arch for arch in Arch if arch in {*self.expected, *self.held})

    def code(self, arch: Arch) -> tuple[SliceFacts, ...]:
        """Return all code for `arch`."""
        return tuple(one for file in self.files for one in file.slices if one.mac is arch)

    def allows(self, arch: Arch) -> Floor | None:
        """Return the oldest macOS on which all code for `arch` loads; None where no code says so."""
        return max((one.minos for one in self.code(arch) if one.minos is not None), default=None)

    def counts(self, arch: Arch, fact: Callable[[SliceFacts], T | None]) -> list[tuple[T, int]]:
        """Return the values that a fact has in the code for `arch` and how often, the most frequent first."""
        found = Counter(v for one in self.code(arch) if (v := fact(one)) is not None)
        return sorted(found.items(), key=lambda item: (-item[1], str(item[0])))


@valueclass
class OtherFile:
    """A file without code, while sums are taken."""

    path: str
    size: int
    packed: int | None


def totals(
    code: Sequence[CodeFile], others: Iterable[OtherFile]
) -> tuple[tuple[Extension, ...], Mapping[Arch, tuple[int, int]], int, int]:
    """Return the sums by extension, what is left of all when it is thinned, all bytes, and the number of files."""
    sizes: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    packed_known = True
    everything: list[CodeFile | OtherFile] = [*code, *others]
    for file in everything:
        entry = sizes[_extension(file.path)]
        packed_known = packed_known and file.packed is not None
        entry[0] += 1
        entry[1] += file.size
        entry[2] += file.packed or 0
    extensions = tuple(
        Extension(extension=name, files=n, size=size, packed=packed if packed_known else None)
        for name, (n, size, packed) in sorted(sizes.items(), key=lambda i: (-i[1][1], i[0]))
    )
    held = [arch for arch in Arch if any(arch in file.arches for file in code)]
    thinned = {arch: _thinned(everything, arch) for arch in held}
    return extensions, thinned, sum(file.size for file in everything), len(everything)


def _extension(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _thinned(files: Iterable[CodeFile | OtherFile], arch: Arch) -> tuple[int, int]:
    """Return the bytes of all files when each keeps its code for `arch` alone: unpacked, and about those packed.

    Of a file's packed bytes its slice has its share. Dynamic libraries of the other architecture alone, which nothing
    of this one loads, are left out.
    """
    size = packed = 0
    for file in files:
        kept = file.size
        if isinstance(file, CodeFile) and file.arches:
            if arch in file.arches:
                kept = file.size_of(arch) if len(file.slices) > 1 else file.size
            elif file.kind == "dylib" and all(by.arch is not arch for by in file.loaded_by):
                continue
        size += kept
        share = kept / file.size if file.size else 1
        packed += round((file.packed or 0) * share)
    return size, packed


def lacking(
    inspection: Inspection, required: Iterable[Arch]
) -> tuple[tuple[CodeFile, tuple[Arch, ...]], ...]:
    """Return the files with code for a Mac that lack any of the `required` architectures, and which they lack.

    A dynamic library that is named after its architecture is for it on purpose (debuggers have one for each).
    """
    wanted = tuple(required)
    found = []
    for file in inspection.files:
        missing = tuple(arch for arch in wanted if arch not in file.arches)
        if file.arches and missing and needed(file, missing):
            found.append((file, missing))
    return tuple(found)


def needed(file: CodeFile, missing: Iterable[Arch]) -> bool:
    """Return whether a file should hold code for the `missing` architectures, as far as its name says."""
    meant = file.kind == "dylib" and len(file.arches) == 1
    return not (meant and all(named_after(file.path, arch.other) for arch in missing))
