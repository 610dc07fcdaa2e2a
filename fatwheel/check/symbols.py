"""Findings about symbols (FW320, FW321): what code takes from other code, and nobody gives.

macOS's own libraries are taken at their word. What Python exports is left out, and so is what may stay undefined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.together import listed
from fatwheel.macho.exports import Lookups
from fatwheel.macho.image import FileType, Image
from fatwheel.macho.undefined import ANYWHERE
from fatwheel.printable import counted
from fatwheel.wheels.dyld import Load, Loads, Where
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_symbols"]


class _Lack(NamedTuple):
    """Symbols that one slice lacks, and where they should be: the library, or None for any."""

    member: str
    arch: Arch
    names: list[str]
    library: str | None


class _Exports:
    """What libraries export, looked up once for each symbol: modules mostly take the same ones."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._known: dict[tuple[str, Arch, bytes], bool | None] = {}

    def has(self, library: str, arch: Arch, trie: bytes, symbol: bytes) -> bool | None:
        """Return whether `library` exports the symbol, by its trie; None where that is not known."""
        key = library, arch, symbol
        if key not in self._known:
            self._known[key] = self._lookups.has(trie, symbol)
        return self._known[key]


def check_symbols(wheel: Wheel, loads: Loads) -> Iterator[Finding]:
    """Check what each image of `wheel` takes from the wheel's other images, and from whatever is loaded.

    `loads` are its load commands, resolved. Nothing is said where symbols were not gathered.
    """
    code = {(name, arch): image for name, arch, image in slices(wheel) if image.symbols is not None}
    targets = {(load.member, load.arch, load.name): load for load in loads.loads}
    exports = _Exports(Lookups())
    lacks = [
        lack
        for (member, arch), image in code.items()
        for lack in (
            *_from_libraries(member, arch, image, targets=targets, code=code, exports=exports),
            *_from_anywhere(member, arch, image, code, exports),
        )
    ]
    for lack in lacks:
        if lack.library is not None:
            yield Finding(
                code="FW321",
                severity=Severity.WARNING,
                member=lack.member,
                message=(
                    f"its {lack.arch.value} code takes {listed(lack.names)} from {lack.library}, which does not "
                    "export that"
                ),
            )
    yield from _nowhere([lack for lack in lacks if lack.library is None])


def _from_libraries(
    member: str,
    arch: Arch,
    image: Image,
    *,
    code: Mapping[tuple[str, Arch], Image],
    targets: Mapping[tuple[str, Arch, str], Load],
    exports: _Exports,
) -> Iterator[_Lack]:
    """Yield what a library of the wheel should export and does not, for each library that `image` loads."""
    tries: dict[int, tuple[str, bytes]] = {}
    for ordinal, name in enumerate(image.loads, start=1):
        load = targets.get((member, arch, name))
        if load is not None and load.where is Where.INSIDE and load.target is not None:
            library = code.get((load.target, arch))
            if library is not None and library.symbols is not None and library.symbols.exported:
                tries[ordinal] = load.target, library.symbols.exported
    lacking: dict[str, list[str]] = {}
    for symbol, ordinal in (image.symbols and image.symbols.undefined) or ():
        if ordinal in tries:
            target, trie = tries[ordinal]
            if exports.has(target, arch, trie, symbol) is False:
                lacking.setdefault(target, []).append(_shown(symbol))
    for target, names in lacking.items():
        yield _Lack(member, arch, names, target)


def _from_anywhere(
    member: str,
    arch: Arch,
    image: Image,
    code: Mapping[tuple[str, Arch], Image],
    exports: _Exports,
) -> Iterator[_Lack]:
    """Yield what `image` takes from any image, and no image of the wheel exports."""
    undefined = (image.symbols and image.symbols.undefined) or ()
    names = dict.fromkeys(name for name, ordinal in undefined if ordinal == ANYWHERE)
    if not names:
        return
    tries = []
    for (library, its), other in code.items():
        if its is arch and other.filetype in (FileType.DYLIB, FileType.BUNDLE):
            if other.symbols is None or other.symbols.exported is None:
                return  # who knows what it exports
            tries.append((library, other.symbols.exported))
    lacking = [
        _shown(symbol)
        for symbol in names
        if all(exports.has(library, arch, trie, symbol) is False for library, trie in tries)
    ]
    if lacking:
        yield _Lack(member, arch, lacking, None)


def _nowhere(lacks: list[_Lack]) -> Iterator[Finding]:
    if lacks:
        members = sorted({lack.member for lack in lacks})
        first = min(lacks, key=lambda lack: (lack.member, lack.arch.value))
        more = len(members) - 1
        does = f"{counted(more, 'more file')} do" if more > 1 else "1 more file does"
        files = f", as {does} of others" if more else ""
        yield Finding(
            code="FW320",
            severity=Severity.NOTE,
            member=first.member,
            message=(
                f"its {first.arch.value} code takes {listed(first.names)} from whatever is loaded, and nothing in the "
                f"wheel exports that{files}"
            ),
            others=tuple(members[1:]),
        )


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
