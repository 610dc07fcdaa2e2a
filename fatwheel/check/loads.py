"""Findings about what code loads (FW4xx)."""

from __future__ import annotations

from collections.abc import Iterator

from fatwheel.check.finding import Finding, Severity
from fatwheel.wheels.loads import missing_loads
from fatwheel.wheels.wheel import Wheel, slices

__all__ = ["check_loads"]


def check_loads(wheel: Wheel) -> Iterator[Finding]:
    """Yield the load commands that lead into the wheel, and to nothing there."""
    for name, arch, load in missing_loads(slices(wheel), wheel.members):
        yield Finding(
            code="FW401",
            severity=Severity.WARNING,
            member=name,
            message=f"its {arch.value} code loads {load}, which is not in the wheel",
        )
