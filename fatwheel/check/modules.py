"""Findings about extension modules (FW315, FW316): whether Python could import them on each architecture.

What modules of the stable ABI may call is `abi3audit`'s subject, not this one's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.onesided import named_like_a_module
from fatwheel.macho.image import FileType, Image
from fatwheel.printable import counted
from fatwheel.wheels.wheel import Wheel, images

__all__ = ["check_modules"]

_TAGGED = r"\.(cpython-\d+t?-darwin|abi3t?|pypy\w*-\w+-darwin)\.so"
_MODULES = (FileType.BUNDLE, FileType.DYLIB)
_NAMES = {
    FileType.BUNDLE: "a bundle",
    FileType.DYLIB: "a dynamic library",
    FileType.EXECUTE: "a program",
}


def check_modules(wheel: Wheel) -> Iterator[Finding]:
    """Check each file with code for what Python and the other architecture's code expect of it."""
    libraries: list[str] = []
    for name, member in wheel.members.items():
        if member.content is None:
            continue
        found = {
            arch: image
            for image in images(member.content)
            if isinstance(image, Image) and (arch := image.mac_arch) is not None
        }
        if len({image.filetype for image in found.values()}) > 1:
            yield _of_two_kinds(name, found)
        if name.endswith(".so") and named_like_a_module(name):
            yield from _check_module(name, found, libraries)
    if libraries:
        yield _libraries(libraries)


def _of_two_kinds(name: str, found: Mapping[Arch, Image]) -> Finding:
    kinds = " and ".join(
        f"{_NAMES.get(image.filetype, image.filetype.name)} for {arch.value}"
        for arch, image in found.items()
    )
    return Finding(
        code="FW316",
        severity=Severity.WARNING,
        member=name,
        message=f"is {kinds}: built in two ways, and what links with one does not link with the other",
    )


def _check_module(
    name: str, found: Mapping[Arch, Image], libraries: list[str]
) -> Iterator[Finding]:
    """Check that a module exports what Python calls, as far as its exports are known.

    One that is for Python by its name alone, and exports nothing for it, is added to `libraries`.
    """
    module = posixpath.basename(name).partition(".")[0]
    exported = {
        arch: image.init_functions
        for arch, image in found.items()
        if image.filetype in _MODULES and image.init_functions is not None
    }
    wanted = _hooks(module)
    lacking = {arch: names for arch, names in exported.items() if not wanted & {*names}}
    if not lacking:
        return
    arches = " and ".join(arch.value for arch in lacking)
    others = sorted({one for names in lacking.values() for one in names})
    if len(lacking) < len(exported):
        severity, more = (
            Severity.ERROR,
            "as its code for the other architecture does: importing it fails there",
        )
    elif others:
        severity, more = (
            Severity.WARNING,
            f"but {', '.join(others[:3])}: importing it by its own name fails",
        )
    else:
        if re.search(_TAGGED, name):
            libraries.append(name)
        return
    yield Finding(
        code="FW315",
        severity=severity,
        member=name,
        message=f"its {arches} code does not export PyInit_{module}, {more}",
    )


def _libraries(names: list[str]) -> Finding:
    first, *others = sorted(names)
    module = posixpath.basename(first).partition(".")[0]
    does = (
        f"do {counted(len(others), 'more file')} theirs"
        if others[1:]
        else "does 1 more file its own"
    )
    more = f", nor {does}" if others else ""
    return Finding(
        code="FW315",
        severity=Severity.NOTE,
        member=first,
        message=(
            f"does not export PyInit_{module}{more}, so Python cannot import it; a library that is opened by its path, "
            "with ctypes or cffi, needs none"
        ),
        others=tuple(others),
    )


def _hooks(module: str) -> frozenset[str]:
    """Return what the module of this name may export for Python (PEP 489, "Export Hook Name"; PEP 793)."""
    if module.isascii():
        return frozenset({f"PyInit_{module}", f"PyModExport_{module}"})
    encoded = module.encode("punycode").decode("ascii").replace("-", "_")
    return frozenset({f"PyInitU_{encoded}", f"PyModExportU_{encoded}"})
