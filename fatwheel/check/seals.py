"""Findings about sealed bundles (FW335, FW336): files of a bundle that its program's signature holds hashes of.

The CodeDirectory of a bundle's main file has the hashes of `Info.plist` and of `_CodeSignature/CodeResources` in
its special slots. Neither the kernel nor dyld looks at them when a library is loaded; `codesign --verify` does,
and whoever ships an app signs it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.macho.codesign import HashType, Slot
from fatwheel.macho.image import Signature
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_seals"]

_SEALED: Mapping[int, tuple[str, ...]] = {
    Slot.INFO_PLIST: ("Info.plist", "Resources/Info.plist"),
    Slot.CODE_RESOURCES: ("_CodeSignature/CodeResources",),
}
_MAIN_FILE = (  # compiled where a wheel has sealed bundles, which few have
    r"(?P<bundle>(?:.*/)?[^/]+/Contents)/MacOS/[^/]+"
    r"|(?P<framework>(?:.*/)?(?P<name>[^/]+)\.framework(?:/Versions/[^/]+)?)/(?P=name)"
)


class _Seal(NamedTuple):
    """One file of a bundle that one slice's signature seals, and whether the seal holds."""

    sealed: str
    arch: Arch
    member: str
    holds: bool


def check_seals(wheel: Wheel) -> Iterator[Finding]:
    """Say which seals do not hold.

    Where another slice's seal of the same file holds, fusing broke this one, as one wheel's file was kept. Where
    none does, it was broken before.
    """
    seals = list(_seals(wheel))
    held = {(seal.sealed, seal.member) for seal in seals if seal.holds}
    broken = [seal for seal in seals if not seal.holds]
    fused = [seal for seal in broken if (seal.sealed, seal.member) in held]
    before = [seal for seal in broken if (seal.sealed, seal.member) not in held]
    if fused:
        yield _finding("FW335", Severity.WARNING, fused, "which is the other architecture's")
    if before:
        yield _finding("FW336", Severity.NOTE, before, "which is not what was signed")


def _finding(code: str, severity: Severity, broken: Sequence[_Seal], why: str) -> Finding:
    first, *others = sorted({seal.member for seal in broken})
    seal = next(seal for seal in broken if seal.member == first)
    more = f", as in {len(others)} more bundle{'s' * (len(others) > 1)}" if others else ""
    return Finding(
        code=code,
        severity=severity,
        member=first,
        message=(
            f"the signature of its {seal.arch.value} code seals {seal.sealed}, {why}{more}; macOS loads the code, "
            "codesign --verify refuses the bundle"
        ),
        others=tuple(others),
    )


def _seals(wheel: Wheel) -> Iterator[_Seal]:
    """Yield the seals whose files are in the wheel; their SHA-256 is known."""
    for name, arch, image in slices(wheel):
        if not isinstance(image.signature, Signature):
            continue
        directory = image.signature.enforced
        if directory.hash_type not in (HashType.SHA256, HashType.SHA256_TRUNCATED):
            continue
        for slot in sorted(_SEALED.keys() & directory.special.keys()):
            if (sealed := _sealed_file(wheel, name, slot)) is not None:
                found = wheel.members[sealed].sha256[: directory.hash_type.size]
                yield _Seal(sealed, arch, name, found == directory.special[slot])


def _sealed_file(wheel: Wheel, member: str, slot: int) -> str | None:
    """Return the file of the bundle whose main file `member` is that a slot seals, where the wheel has it."""
    main = re.fullmatch(_MAIN_FILE, member)
    if main is None:
        return None
    found = (f"{main['bundle'] or main['framework']}/{base}" for base in _SEALED[slot])
    return next((name for name in found if name in wheel.members), None)
