"""The facts of one file of code, in the words that wheels, files, folders and apps are told with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.errors import FormatError
from fatwheel.macho.codesign import MalformedSignature
from fatwheel.macho.cpu import arch_name
from fatwheel.macho.image import FileType, Image
from fatwheel.macho.platforms import platform_name
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.textstub import TextStub
from fatwheel.values import valueclass
from fatwheel.wheels.dyld import Load, Loads, Where, resolve_loads
from fatwheel.wheels.tags import Floor
from fatwheel.wheels.wheel import Content, images

__all__ = ["CodeFile", "Group", "LoadFacts", "Loader", "SliceFacts", "code_files"]

_KINDS = {
    FileType.OBJECT: "object",
    FileType.EXECUTE: "program",
    FileType.DYLIB: "dylib",
    FileType.BUNDLE: "bundle",
    FileType.DYLIB_STUB: "dylib stub",
    FileType.DSYM: "debug symbols",
}
_MOST_ALIKE = 8  # files of one install name that are told for one load
_SIGNED = (FileType.EXECUTE, FileType.DYLIB, FileType.BUNDLE)


class Group(Enum):
    """Where what is loaded comes from."""

    INSIDE = "inside"
    """A file of what was inspected."""
    SYSTEM = "system"
    """A library of macOS."""
    OUTSIDE = "outside"
    """A place elsewhere: an absolute path, another wheel's folder, or one that the running program decides."""
    NOWHERE = "nowhere"
    """A place within what was inspected that holds no such file, or `@rpath` without a folder that has it."""


_GROUPS = {
    Where.INSIDE: Group.INSIDE,
    Where.SYSTEM: Group.SYSTEM,
    Where.GONE: Group.NOWHERE,
    Where.UNFOUND: Group.NOWHERE,
}


@valueclass
class LoadFacts:
    """One load command of `member`: the path as written, how it is loaded (`plain`, `weak`, …), where it leads.

    `targets` are the files that it means, which are several where what is loaded already decides. `rpath` is the
    LC_RPATH that leads there, as written, and `rpath_of` the file that has it. `group` is None for architectures whose
    loads are not followed: all but x86_64 and arm64.
    """

    member: str
    name: str
    kind: str
    group: Group | None
    targets: tuple[str, ...] = ()
    path: str | None = None
    rpath: str | None = None
    rpath_of: str | None = None


@valueclass
class SliceFacts:
    """The code for one architecture in a file.

    `architecture` is lipo's name of it, `mac` the architecture of a Mac that runs, loads or links the code. `kind` is
    a word (`bundle`, `dylib`, `program`, `static library`, …), `size` in bytes. `platform` is None for macOS and where
    the code names none, `minos` and `sdk` are (major, minor). `linker` is what names itself in LC_BUILD_VERSION, among
    the `tools` there. `signature` is who signed (`ad hoc`, `linker-signed`, `Developer ID`, …), `none`, `malformed`, or
    None for what macOS never asks for one: objects, static libraries, debug symbols.
    """

    architecture: str
    mac: Arch | None
    kind: str
    size: int
    platform: str | None = None
    minos: Floor | None = None
    sdk: Floor | None = None
    linker: str | None = None
    tools: tuple[str, ...] = ()
    signature: str | None = None
    identifier: str | None = None
    team: str | None = None
    install_name: str | None = None
    rpaths: tuple[str, ...] = ()
    loads: tuple[LoadFacts, ...] = ()

    @property
    def target(self) -> str:
        """Its architecture, and its platform where that is not macOS: `arm64 on iOS`."""
        return f"{self.architecture} on {self.platform}" if self.platform else self.architecture


class Loader(NamedTuple):
    """A file that loads another one with its code for `arch`, by the path `name`."""

    path: str
    arch: Arch
    name: str


@valueclass
class CodeFile:
    """A file that holds code, a text stub, or what begins like one of them and is none (`problem`).

    `size` is in bytes, `packed` what it takes in the archive (None outside of one). `stub` are the targets of a text
    stub, as it writes them.
    """

    path: str
    size: int
    packed: int | None = None
    slices: tuple[SliceFacts, ...] = ()
    stub: tuple[str, ...] = ()
    problem: str | None = None
    loaded_by: tuple[Loader, ...] = ()

    @property
    def arches(self) -> frozenset[Arch]:
        """The architectures for which it holds macOS code."""
        return frozenset(one.mac for one in self.slices if one.mac is not None)

    @property
    def kind(self) -> str:
        """What it is, in a word: that of its slices, which nearly always agree."""
        kinds = dict.fromkeys(one.kind for one in self.slices)
        return " and ".join(kinds) or ("text stub" if self.stub else "")

    def size_of(self, arch: Arch) -> int:
        """The bytes of its code for `arch`."""
        return sum(one.size for one in self.slices if one.mac is arch)


class Found(NamedTuple):
    """A file that was read: its size in bytes, its size in the archive, and what it holds."""

    size: int
    packed: int | None
    content: Content


def code_files(found: Mapping[str, Found], members: Iterable[str]) -> tuple[CodeFile, ...]:
    """Return the files that hold something to tell, sorted; `members` are the paths of all files there."""
    resolved = resolve_loads(_mac_slices(found), members)
    loads = _by_slice(resolved)
    loaders = _loaders(resolved)
    return tuple(
        _code_file(path, one, loads, loaders.get(path, ()))
        for path, one in sorted(found.items())
        if one.content is not None
    )


def _mac_slices(found: Mapping[str, Found]) -> Iterator[tuple[str, Arch, Image]]:
    for path, one in found.items():
        for image in images(one.content):
            if isinstance(image, Image) and (arch := image.mac_arch) is not None:
                yield path, arch, image


def _by_slice(resolved: Loads) -> Mapping[tuple[str, Arch], list[Load]]:
    found: dict[tuple[str, Arch], list[Load]] = defaultdict(list)
    for load in resolved.loads:
        found[load.member, load.arch].append(load)
    return found


def _loaders(resolved: Loads) -> Mapping[str, tuple[Loader, ...]]:
    found: dict[str, dict[Loader, None]] = defaultdict(dict)
    for load in resolved.loads:
        for target in _targets(load):
            if target != load.member:
                found[target][Loader(load.member, load.arch, load.name)] = None
    return {path: tuple(sorted(these, key=_order)) for path, these in found.items()}


def _order(loader: Loader) -> tuple[str, int, str]:
    return loader.path, [*Arch].index(loader.arch), loader.name


def _targets(load: Load) -> tuple[str, ...]:
    return load.alike[:_MOST_ALIKE] if load.target is None else (load.target,)


def _code_file(
    path: str,
    found: Found,
    loads: Mapping[tuple[str, Arch], list[Load]],
    loaded_by: tuple[Loader, ...],
) -> CodeFile:
    content = found.content
    return CodeFile(
        path=path,
        size=found.size,
        packed=found.packed,
        slices=tuple(_slice(path, image, loads) for image in images(content)),
        stub=tuple(t.name for t in content.targets) if isinstance(content, TextStub) else (),
        problem=content.problem if isinstance(content, FormatError) else None,
        loaded_by=loaded_by,
    )


def _slice(
    path: str, image: Image | StaticLibrary, loads: Mapping[tuple[str, Arch], list[Load]]
) -> SliceFacts:
    foreign = image.platform not in (None, 0, 1)
    platform = platform_name(image.platform) if foreign and image.platform is not None else None
    name = arch_name(image.cputype, image.cpusubtype)
    if isinstance(image, StaticLibrary):
        return SliceFacts(
            architecture=name,
            mac=image.mac_arch,
            kind="static library",
            size=image.size,
            platform=platform,
        )
    linkers = [str(tool) for tool in image.tools if tool.is_linker]
    arch = image.mac_arch
    return SliceFacts(
        architecture=name,
        mac=arch,
        kind=_KINDS.get(image.filetype, image.filetype.name.lower().replace("_", " ")),
        size=image.size,
        platform=platform,
        minos=image.minos,
        sdk=image.sdk,
        linker=linkers[-1] if linkers else None,
        tools=tuple(map(str, image.tools)),
        install_name=image.install_name,
        rpaths=image.rpaths,
        loads=tuple(map(_load, loads.get((path, arch), ()))) if arch else _unfollowed(path, image),
        **_signature(image),
    )


def _signature(image: Image) -> dict[str, str | None]:
    """Return the fields that tell of the signature."""
    if image.filetype not in _SIGNED:
        return {}
    found = image.signature
    if not image.signed or found is None:
        return {"signature": "unread" if image.signed else "none"}
    if isinstance(found, MalformedSignature):
        return {"signature": "malformed"}
    enforced = found.enforced
    return {
        "signature": found.signer.value,
        "identifier": enforced.identifier,
        "team": enforced.team,
    }


def _load(load: Load) -> LoadFacts:
    targets = _targets(load)
    group = Group.INSIDE if targets else _GROUPS.get(load.where, Group.OUTSIDE)
    return LoadFacts(
        member=load.member,
        name=load.name,
        kind=load.kind.value,
        group=group,
        targets=targets,
        path=load.path,
        rpath=load.rpath,
        rpath_of=load.rpath_of,
    )


def _unfollowed(path: str, image: Image) -> tuple[LoadFacts, ...]:
    kinds = zip(image.loads, image.load_kinds, strict=True)
    return tuple(
        LoadFacts(member=path, name=name, kind=kind.value, group=None) for name, kind in kinds
    )
