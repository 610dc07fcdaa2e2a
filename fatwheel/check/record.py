"""Findings about RECORD (FW1xx): what it lists, against what the wheel holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fatwheel.check.finding import Finding, Severity
from fatwheel.wheels.wheel import Wheel

__all__ = ["check_record"]

_CODES: Mapping[str, str] = {
    "differs": "FW101",
    "unlisted": "FW102",
    "absent": "FW103",
    "unhashed": "FW104",
    "malformed": "FW105",
}


def check_record(wheel: Wheel) -> Iterator[Finding]:
    """Yield what reading the wheel found wrong with its RECORD."""
    for problem in wheel.record_problems:
        code = _CODES[problem.kind]
        yield Finding(
            code=code, severity=Severity.ERROR, member=problem.member, message=problem.detail
        )
