"""Findings about what code loads (FW4xx)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.wheels.loads import missing_loads
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_loads"]

_FRAMEWORK_CODE = re.compile(
    r"(?P<framework>(?:.*/)?(?P<name>[^/]+)\.framework)/(?:Versions/[^/]+/)?(?P=name)"
)


def check_loads(wheel: Wheel) -> Iterator[Finding]:
    """Yield the load commands that lead into the wheel, and to nothing there.

    A wheel has no symbolic links, so a framework's library `Versions/A/X` is there again as `Versions/Current/X`
    and `X`. What these copies do not find is said once, where the original does and nobody loads the copies.
    """
    missing = list(missing_loads(slices(wheel), wheel.members))
    originals = _originals(wheel) if missing else {}
    lost = {(name, arch, load) for name, arch, load in missing}
    copies: list[tuple[str, str]] = []
    for name, arch, load in missing:
        original = originals.get(name)
        if original is None:
            yield _missing(name, arch, load)
        elif (original, arch, load) not in lost:
            copies.append((name, load))
    if copies:
        name, load = copies[0]
        yield Finding(
            code="FW402",
            severity=Severity.NOTE,
            member=None,
            message=(
                f"{len({name for name, _ in copies})} copies of framework libraries, where frameworks have symbolic "
                f"links, would not find what they load: {name} loads {load}, which is there for "
                f"{originals[name]}; nothing in the wheel loads the copies"
            ),
        )


def _missing(name: str, arch: Arch, load: str) -> Finding:
    return Finding(
        code="FW401",
        severity=Severity.WARNING,
        member=name,
        message=f"its {arch.value} code loads {load}, which is not in the wheel",
    )


def _originals(wheel: Wheel) -> Mapping[str, str]:
    """Return, for each copy of a framework's library that nobody loads by its own path, the original."""
    found: dict[tuple[str, bytes], list[str]] = {}
    for name, member in wheel.members.items():
        if ".framework/" in name and (match := _FRAMEWORK_CODE.fullmatch(name)):
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
