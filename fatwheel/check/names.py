"""Findings about where members land when the wheel is installed, and with which permissions (FW106 to FW109)."""

from __future__ import annotations

from collections.abc import Iterator

from fatwheel.check.finding import Finding, Severity
from fatwheel.errors import WheelError
from fatwheel.wheels.distinfo import find_data
from fatwheel.wheels.installed import SCHEMES, collisions, describe, scheme_of
from fatwheel.wheels.wheel import Wheel

__all__ = ["check_names"]

_SPECIAL = {0o4000: "set-uid", 0o2000: "set-gid", 0o1000: "sticky"}
_ALL_SPECIAL = sum(_SPECIAL)


def check_names(wheel: Wheel) -> Iterator[Finding]:
    """Check that every member can be installed, and none is lost."""
    if any(scheme_of(name) is not None for name in wheel.members):  # else none can be new
        for collision in collisions(wheel.members):
            yield Finding(
                code="FW106",
                severity=Severity.ERROR,
                member=collision.member,
                message=describe(collision),
            )
        yield from _check_schemes(wheel)
    for name, member in wheel.members.items():
        if bits := member.entry.mode & _ALL_SPECIAL:
            words = " and ".join(word for bit, word in _SPECIAL.items() if bits & bit)
            yield Finding(
                code="FW109",
                severity=Severity.WARNING,
                member=name,
                message=f"has the {words} bit set (mode {member.entry.mode:#o}), which no installer hands on",
            )


def _check_schemes(wheel: Wheel) -> Iterator[Finding]:
    """Check the folders of `.data` (PEP 427, "The .data directory")."""
    try:
        find_data(wheel.members, wheel.name)
    except WheelError as error:
        yield Finding(
            code="FW107", severity=Severity.ERROR, member=error.member, message=error.problem
        )
        return
    for name in wheel.members:
        scheme = scheme_of(name)
        if scheme is not None and scheme not in SCHEMES:
            yield Finding(
                code="FW107",
                severity=Severity.ERROR,
                member=name,
                message=f"lies in none of .data's folders {', '.join(SCHEMES)}, so installers refuse the wheel",
            )
        elif scheme == "scripts" and name.count("/") > 2:
            yield Finding(
                code="FW108",
                severity=Severity.WARNING,
                member=name,
                message="is a script in a folder of its own; uv refuses such a wheel",
            )
