"""One finding for what many files of a wheel have alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fatwheel.arch import Arch
from fatwheel.check.finding import Finding, Severity
from fatwheel.printable import counted

__all__ = ["listed", "told_together"]

_SHOWN = 3  # names in one message


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if names[_SHOWN:] else ""
    return ", ".join(names[:_SHOWN]) + more


class _Found(Protocol):
    """What was found: in which member, in its code for which architecture, and the name of what it is about."""

    @property
    def member(self) -> str: ...
    @property
    def arch(self) -> Arch: ...
    @property
    def name(self) -> str: ...


def told_together(
    code: str, severity: Severity, found: Sequence[_Found], tell: Callable[[str, str], str]
) -> Finding:
    """Return the finding for all that was `found`; `tell` makes the message of names and architectures."""
    members = sorted({one.member for one in found})
    names = list(dict.fromkeys(one.name for one in found))
    arches = " and ".join(arch.value for arch in Arch if any(one.arch is arch for one in found))
    files = f", as in {counted(len(members) - 1, 'more file')}" if members[1:] else ""
    return Finding(
        code=code,
        severity=severity,
        member=members[0],
        message=f"{tell(listed(names), arches)}{files}",
        others=tuple(members[1:]),
    )
