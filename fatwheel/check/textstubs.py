"""Findings about text stubs (FW312): a linker takes one for the library itself."""

from __future__ import annotations

from collections.abc import Iterator

from fatwheel.check.decisions import decisions
from fatwheel.check.finding import Finding, Severity
from fatwheel.macho.textstub import TextStub
from fatwheel.wheels.tags import claims
from fatwheel.wheels.wheel import Wheel

__all__ = ["check_text_stubs"]


def check_text_stubs(wheel: Wheel) -> Iterator[Finding]:
    """Yield the stubs for macOS that lack an architecture which the file name promises."""
    promised = claims(wheel.name)
    for name, member in wheel.members.items():
        stub = member.content
        if not isinstance(stub, TextStub) or not stub.mac_arches:
            continue
        missing = [arch.value for arch in promised if arch not in stub.mac_arches]
        if missing:
            named = ", ".join(target.name for target in stub.targets)
            decided = decisions(wheel).get(name)
            why = "" if decided is None else f", as {decided.by} decided"
            yield Finding(
                code="FW312",
                severity=Severity.WARNING,
                member=name,
                message=f"is a text stub for {named}, so nothing links with it for {missing[0]}{why}",
            )
