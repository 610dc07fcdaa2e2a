"""Signed bundles: what the signature of their code seals besides that code.

A framework or app holds `_CodeSignature/CodeResources`. The signature of its code, which lies in each slice, seals
that file, `Info.plist`, and through it all resources (Apple's TN2206). A fused wheel has one such file for both
slices. dyld and the kernel don't look at these seals when they load a library; `codesign --verify` does.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from fatwheel.arch import Arch
from fatwheel.fusion.actions import Conflict, Drop, Fuse, Keep, Planned
from fatwheel.wheels.pair import MemberPair

__all__ = ["bundle_of", "find_bundles", "seal_notes"]

_SEAL = "/_CodeSignature/CodeResources"


def find_bundles(names: Iterable[str]) -> frozenset[str]:
    """Return the folders of signed bundles: `QtCore.framework/Versions/5`, `X.app/Contents`."""
    return frozenset(name.removesuffix(_SEAL) for name in names if name.endswith(_SEAL))


def bundle_of(name: str, bundles: frozenset[str]) -> str | None:
    """Return the innermost of `bundles` that `name` lies in, or None."""
    folder = posixpath.dirname(name) if bundles else ""
    while folder:
        if folder in bundles:
            return folder
        folder = posixpath.dirname(folder)
    return None


def seal_notes(
    planned: Iterable[Planned], pairs: Iterable[MemberPair], bundles: frozenset[str]
) -> Iterator[str]:
    """Yield a note for each architecture whose slices seal files that the fused wheel has not as they were.

    `Versions/Current` is a copy of the version beside it, which counts.
    """
    pair_of = {pair.name: pair for pair in pairs}
    originals = frozenset(name for name in bundles if not name.endswith("/Versions/Current"))
    within = [(found, one) for one in planned if (found := bundle_of(one.name, originals))]
    fused = {found for found, one in within if isinstance(one, Fuse)}
    for arch in Arch:
        broken = sorted(
            {
                found
                for found, one in within
                if found in fused and not _is_as_before(one, pair_of[one.name], arch)
            }
        )
        if broken:
            count = "a signed bundle" if len(broken) == 1 else f"{len(broken)} signed bundles"
            yield (
                f"the {arch.value} code of {count} ({broken[0]}{' for one' if len(broken) > 1 else ''}) is sealed "
                "together with files that are not kept as they were; macOS loads it all the same, and "
                "codesign --verify refuses it, so sign anew what has to pass that"
            )


def _is_as_before(planned: Planned, pair: MemberPair, arch: Arch) -> bool:
    """Return whether `arch` finds under this name what its own wheel has; fused code is not asked for."""
    before = pair.member(arch)
    if isinstance(planned, Drop):
        return before is None
    if isinstance(planned, Keep):
        return before is not None and planned.member.sha256 == before.sha256
    return isinstance(planned, Fuse | Conflict)
