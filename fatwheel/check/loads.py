"""Findings about what code loads (FW4xx): whether dyld finds it where the wheel is installed.

Each load command is resolved as dyld does it (`fatwheel.wheels.dyld`). What is in no wheel may be there on a user's
machine all the same, so what is said of it is a note or a warning. What is true of many files is one finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.onesided import importable
from fatwheel.check.providers import Providers
from fatwheel.check.together import told_together
from fatwheel.macho.image import FileType, Image, LoadKind
from fatwheel.printable import counted
from fatwheel.wheels.dyld import Load, Loads, Where, is_system
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_loads"]

_FRAMEWORK_CODE = r"(?P<framework>(?:.*/)?(?P<name>[^/]+)\.framework)/(?:Versions/[^/]+/)?(?P=name)"
_PLUGINS = r"(?i)(^|/)plug-?ins?/"


def check_loads(wheel: Wheel, loads: Loads) -> Iterator[Finding]:
    """Yield what dyld would not find, or only on some machines; `loads` are the wheel's load commands, resolved."""
    code = list(slices(wheel))
    if not code:
        return
    view = _View(
        images={(name, arch): image for name, arch, image in code},
        reached=_reached(wheel, loads),
        providers=Providers.of(wheel),
    )
    poor = [load for load in loads.loads if _is_poor(load, view)]
    originals = _originals(wheel) if poor else {}
    lost = {(load.member, load.arch, load.name) for load in poor}
    copies: list[Load] = []
    own: list[Load] = []
    for load in poor:
        original = originals.get(load.member)
        if original is None:
            own.append(load)
        elif (original, load.arch, load.name) not in lost:
            copies.append(load)
    yield from _missing(own, view)
    for family in (_beside, _absolute, _by_rpath_alone, _named_otherwise, _unfound, _bundles):
        yield from family(own, view)
    if copies:
        yield _lost_by_copies(copies, originals)
    yield from _stray_rpaths(code)


class _View(NamedTuple):
    """What is known besides: the images, which of them extension modules reach, and what else is installed."""

    images: Mapping[tuple[str, Arch], Image]
    reached: Mapping[Arch, frozenset[str]]
    providers: Providers

    def is_reached(self, load: Load) -> bool:
        """Return whether importing an extension module loads the image that has this load."""
        return load.member in self.reached[load.arch]

    def is_optional(self, load: Load) -> bool:
        """Return whether the library may be missing on purpose: weak loads, and those of plug-ins."""
        if load.kind is LoadKind.WEAK:
            return True
        if self.is_reached(load):
            return False
        image = self.images[load.member, load.arch]
        return image.filetype is FileType.BUNDLE or bool(re.search(_PLUGINS, load.member))

    def is_fatal(self, load: Load) -> bool:
        """Return whether importing an extension module fails where this load does."""
        return self.is_reached(load) and load.kind is LoadKind.PLAIN

    def severity(self, load: Load) -> Severity:
        """Return how bad it is that a library may not be there."""
        return Severity.NOTE if self.is_optional(load) else Severity.WARNING


def _reached(wheel: Wheel, loads: Loads) -> Mapping[Arch, frozenset[str]]:
    """Return what importing the wheel's extension modules loads, for each architecture."""
    modules = {
        name
        for name, _, image in slices(wheel)
        if image.filetype in (FileType.BUNDLE, FileType.DYLIB)
        and importable(name, wheel.members[name].content)
    }
    return {arch: loads.reached_from(modules, arch) for arch in Arch}


def _is_poor(load: Load, view: _View) -> bool:
    """Return whether there is something to say about a load."""
    if load.where is Where.INSIDE:
        target = view.images.get((load.target or "", load.arch))
        return target is not None and target.filetype in (FileType.BUNDLE, FileType.EXECUTE)
    if load.where is Where.OUTSIDE and load.rpath is None:
        return True
    return load.where is not Where.SYSTEM and not view.providers.provide(load)


def _missing(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    """Yield what is not in the wheel where it must be: an error where an extension module needs it."""

    def tell(names: str, arches: str) -> str:
        return f"its {arches} code loads {names}, which is not in the wheel"

    def tell_fatal(names: str, arches: str) -> str:
        return f"{tell(names, arches)}, so that importing an extension module fails"

    found = [load for load in loads if load.where is Where.GONE]
    yield from _by_fate("FW401", found, view, tell, tell_fatal)


def _beside(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    def tell(names: str, arches: str) -> str:
        return f"its {arches} code loads {names}: out of the wheel, and no requirement is named like what is there"

    yield from _grouped("FW403", (load for load in loads if load.where is Where.BESIDE), view, tell)


def _absolute(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    def tell(names: str, arches: str) -> str:
        return f"its {arches} code loads {names}: no part of macOS or of the wheel, so other machines may lack it"

    found = (load for load in loads if load.where is Where.OUTSIDE and load.rpath is None)
    yield from _grouped("FW404", found, view, tell)


def _by_rpath_alone(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    found = [load for load in loads if load.where is Where.OUTSIDE and load.rpath is not None]
    folders = sorted({load.rpath or "" for load in found})
    where = (
        folders[0] + (f" and {counted(len(folders) - 1, 'other')}" if folders[1:] else "")
        if folders
        else ""
    )

    def tell(names: str, arches: str) -> str:
        return (
            f"its {arches} code loads {names}, and only the LC_RPATH {where} leads there, out of the wheel: other "
            "machines may lack it"
        )

    yield from _grouped("FW405", found, view, tell)


def _named_otherwise(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    found = [load for load in loads if load.where is Where.ANY and load.alike]
    holder = found[0].alike[0] if found else ""

    def tell(names: str, arches: str) -> str:
        return (
            f"its {arches} code loads {names}, to which nothing leads; it is the install name of {holder}, so dyld "
            "finds it only if that was loaded before"
        )

    yield from _grouped("FW406", found, view, tell)


def _unfound(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    def tell(names: str, arches: str) -> str:
        return f"its {arches} code loads {names}: not in the wheel, and no requirement is named like what has it"

    found = (
        load
        for load in loads
        if load.where is Where.UNFOUND or (load.where is Where.ANY and not load.alike)
    )
    yield from _grouped("FW407", found, view, tell, Severity.NOTE)


def _bundles(loads: Iterable[Load], view: _View) -> Iterator[Finding]:
    def tell(names: str, arches: str) -> str:
        return (
            f"its {arches} code loads {names} as a library, which is a bundle or a program; dyld loads only dynamic "
            "libraries so"
        )

    found = [
        load._replace(name=load.target or load.name) for load in loads if load.where is Where.INSIDE
    ]
    yield from _by_fate("FW409", found, view, tell, tell)


def _by_fate(
    code: str,
    loads: Sequence[Load],
    view: _View,
    tell: Callable[[str, str], str],
    tell_fatal: Callable[[str, str], str],
) -> Iterator[Finding]:
    """Yield the errors of `loads` without which an extension module cannot be imported, then the rest."""
    fatal = [load for load in loads if view.is_fatal(load)]
    rest = [load for load in loads if not view.is_fatal(load)]
    yield from _grouped(code, fatal, view, tell_fatal, Severity.ERROR)
    yield from _grouped(code, rest, view, tell)


def _grouped(
    code: str,
    loads: Iterable[Load],
    view: _View,
    tell: Callable[[str, str], str],
    severity: Severity | None = None,
) -> Iterator[Finding]:
    """Yield one finding for all loads of one severity; `tell` makes the message of libraries and architectures."""
    alike: dict[Severity, list[Load]] = {}
    for load in loads:
        alike.setdefault(severity or view.severity(load), []).append(load)
    for rank, found in alike.items():
        yield told_together(code, rank, found, tell)


def _stray_rpaths(code: Iterable[tuple[str, Arch, Image]]) -> Iterator[Finding]:
    """Yield the note about folders of the machine that built the wheel, which dyld searches on every other."""
    found: dict[str, dict[str, None]] = {}
    for name, _, image in code:
        for rpath in image.rpaths:
            if rpath.startswith("/") and not is_system(rpath):
                found.setdefault(rpath, {})[name] = None
    if found:
        members = sorted({name for names in found.values() for name in names})
        rpaths = list(found)
        more = f" and {counted(len(rpaths) - 1, 'other')}" if rpaths[1:] else ""
        files = f", as {counted(len(members) - 1, 'more file')} of the wheel" if members[1:] else ""
        first = next(rpath for rpath in rpaths if members[0] in found[rpath])
        yield Finding(
            code="FW408",
            severity=Severity.NOTE,
            member=members[0],
            message=(
                f"searches {first}{more} for libraries (LC_RPATH){files}: folders outside the wheel, which other "
                "machines lack or have filled otherwise"
            ),
            others=tuple(members[1:]),
        )


def _lost_by_copies(copies: Iterable[Load], originals: Mapping[str, str]) -> Finding:
    """Return the note about copies of frameworks' libraries.

    A wheel has no symbolic links, so a framework's library `Versions/A/X` is there again as `Versions/Current/X`
    and `X`. What these copies do not find is said once, where the original does and nobody loads the copies.
    """
    copies = list(copies)
    name, load = copies[0].member, copies[0].name
    return Finding(
        code="FW402",
        severity=Severity.NOTE,
        member=None,
        message=(
            f"{len({copy.member for copy in copies})} copies of framework libraries, where frameworks have symbolic "
            f"links, would not find what they load: {name} loads {load}, which is there for "
            f"{originals[name]}; nothing in the wheel loads the copies"
        ),
    )


def _originals(wheel: Wheel) -> Mapping[str, str]:
    """Return, for each copy of a framework's library that nobody loads by its own path, the original."""
    found: dict[tuple[str, bytes], list[str]] = {}
    for name, member in wheel.members.items():
        if ".framework/" in name and (match := re.fullmatch(_FRAMEWORK_CODE, name)):
            found.setdefault((match["framework"], member.sha256), []).append(name)
    loaded = {_in_framework(load) for _, _, image in slices(wheel) for load in image.loads}
    originals: dict[str, str] = {}
    for names in found.values():
        original = max(names, key=lambda name: ("/Versions/" in name, "/Current/" not in name))
        originals |= {
            name: original
            for name in names
            if name != original and _in_framework(name) not in loaded
        }
    return originals


def _in_framework(path: str) -> str:
    """Return a path from its innermost framework on: `X.framework/Versions/A/X`."""
    head, dot, tail = path.rpartition(".framework/")
    return head.rpartition("/")[2] + dot + tail
