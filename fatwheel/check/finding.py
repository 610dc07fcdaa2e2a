"""What a check answers with: findings, each with a stable code and a severity."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from fatwheel.errors import WheelError
from fatwheel.values import valueclass

__all__ = ["Finding", "Severity", "disagreement", "unreadable", "worse_than"]


class Severity(Enum):
    """How bad a finding is: errors make `fatwheel check` fail, notes only explain."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@valueclass
class Finding:
    """One fact about a wheel. `code` is stable; `member` is None where the whole wheel is meant.

    `others` are further members of which the very same is true.
    """

    code: str
    severity: Severity
    member: str | None
    message: str
    others: tuple[str, ...] = ()

    @property
    def members(self) -> tuple[str | None, ...]:
        """All members that it is about."""
        return (self.member, *self.others)


def unreadable(error: WheelError) -> Finding:
    """Return the finding for a wheel that could not be read at all."""
    return Finding(
        code="FW001", severity=Severity.ERROR, member=error.member, message=error.problem
    )


def disagreement(problem: str) -> Finding:
    """Return the finding for a wheel that the `wheel` package's reader refuses."""
    return Finding(
        code="FW002",
        severity=Severity.WARNING,
        member=None,
        message=f"the wheel package's own reader refuses it: {problem}",
    )


def worse_than(findings: Iterable[Finding], inherited: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the errors among `findings` that are not among the `inherited` ones (by code and member)."""
    known = {(finding.code, member) for finding in inherited for member in finding.members}
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.ERROR
        and any((finding.code, member) not in known for member in finding.members)
    )
