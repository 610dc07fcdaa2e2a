"""Findings about what macOS does not have yet (FW322, FW410): on the oldest on which a wheel is installed.

What code needs a newer macOS altogether is told by FW203; here each image is held to the newer of what its tags
promise and what it says itself. What is weakly loaded or taken may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.together import told_together
from fatwheel.macho.exports import Lookups
from fatwheel.macho.image import Image, LoadKind
from fatwheel.wheels.tags import Floor, claims, format_floor
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_newcomers"]


class _Need(NamedTuple):
    """What one slice takes from macOS, by which path, and the oldest macOS on which it may have to start."""

    member: str
    arch: Arch
    floor: Floor
    library: str
    present: str
    name: str


def check_newcomers(wheel: Wheel) -> Iterator[Finding]:
    """Check what each image of `wheel` takes from macOS. Symbols are looked at where they were gathered."""
    promised = claims(wheel.name)
    code = [(name, arch, image) for name, arch, image in slices(wheel) if arch in promised]
    symbols: list[_Need] = []
    libraries: list[_Need] = []
    for member, arch, image in code:
        floor = max(promised[arch], image.minos or promised[arch])
        libraries += _new_libraries(member, arch, image, floor)
        symbols += _new_symbols(member, arch, image, floor)
    yield from _told("FW322", _not_exported(symbols, code))
    yield from _told("FW410", libraries)


def _new_libraries(member: str, arch: Arch, image: Image, floor: Floor) -> Iterator[_Need]:
    if not any(load.startswith("/System/Library/Frameworks/") for load in image.loads):
        return  # what follows is imported where it is needed, since every fusion comes here
    from fatwheel.macho.newcomers import framework_since

    for path, kind in dict(zip(image.loads, image.load_kinds, strict=True)).items():
        since = framework_since(path)
        if since is not None and floor < since and kind not in (LoadKind.WEAK, LoadKind.LAZY):
            yield _Need(member, arch, floor, path, format_floor(since), path)


def _new_symbols(member: str, arch: Arch, image: Image, floor: Floor) -> Iterator[_Need]:
    if image.symbols is None or not image.symbols.undefined:
        return
    from fatwheel.macho.newcomers import DATED, symbol_since

    for symbol, ordinal in image.symbols.undefined:
        if ordinal <= len(image.loads) and (library := image.loads[ordinal - 1]) in DATED:
            since = symbol_since(library, symbol)
            if since is not None and floor <= since.absent:
                name = symbol.decode("utf-8", "backslashreplace")
                yield _Need(member, arch, floor, library, since.present, name)


def _not_exported(
    needs: Iterable[_Need], code: Iterable[tuple[str, Arch, Image]]
) -> Iterator[_Need]:
    """Yield the needs that no image of the wheel serves: dyld takes a weak definition from wherever it finds one."""
    tries = [
        (arch, image.symbols.exported)
        for _, arch, image in code
        if image.symbols is not None and image.symbols.exported
    ]
    lookups = Lookups()
    known: dict[tuple[str, Arch], bool] = {}
    for need in needs:
        key = need.name, need.arch
        if key not in known:
            own = (trie for arch, trie in tries if arch is need.arch)
            known[key] = any(lookups.has(trie, need.name.encode()) is not False for trie in own)
        if not known[key]:
            yield need


def _told(code: str, needs: Iterable[_Need]) -> Iterator[Finding]:
    """Yield one finding for all that came with one release, and lacks on one."""
    alike: dict[tuple[str, Floor, str], list[_Need]] = {}
    for need in needs:
        library = need.library if code == "FW322" else ""
        alike.setdefault((library, need.floor, need.present), []).append(need)
    for (library, floor, present), found in alike.items():
        yield told_together(
            code, Severity.WARNING, found, partial(_sentence, library, floor, present)
        )


def _sentence(library: str, floor: Floor, present: str, names: str, arches: str) -> str:
    does = f"takes {names} from {library}" if library else f"loads {names}"
    return (
        f"its {arches} code {does}: macOS {present} has that, and {format_floor(floor)}, where it may have to "
        f"run, does not"
    )
