"""What a project makes of findings: codes that it does not want to see, and codes that are errors to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fatwheel.check.codes import refuse_unknown
from fatwheel.check.finding import Finding, Severity
from fatwheel.errors import UsageError
from fatwheel.values import valueclass

__all__ = ["Severities", "severities"]

_UNREADABLE = "FW001"


@valueclass
class Severities:
    """The codes that are left out (`ignore`), and those that are errors whatever they are otherwise (`error`)."""

    ignore: frozenset[str] = frozenset()
    error: frozenset[str] = frozenset()

    def of(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return the findings as the project wants them, errors first, and otherwise in their order."""
        kept = [
            replace(found, severity=Severity.ERROR) if found.code in self.error else found
            for found in findings
            if found.code not in self.ignore
        ]
        return tuple(sorted(kept, key=lambda found: found.severity is not Severity.ERROR))


def severities(
    ignore: Iterable[str], error: Iterable[str], *, settings: tuple[Iterable[str], Iterable[str]]
) -> Severities:
    """Return what the options `--ignore` and `--error` and the `settings` of the same names ask for together.

    The options win. Raises `UsageError` for a code that no finding has, that is asked for both ways in one place, or
    that cannot be ignored, since a wheel that cannot be read was not checked.
    """
    ignored, errors = frozenset(ignore), frozenset(error)
    others = frozenset(settings[0]), frozenset(settings[1])
    _refuse(ignored, errors, "--ignore", "--error")
    _refuse(*others, "[tool.fatwheel.check] ignore", "[tool.fatwheel.check] error")
    return Severities(ignore=ignored | others[0] - errors, error=errors | others[1] - ignored)


def _refuse(ignore: frozenset[str], error: frozenset[str], ignoring: str, raising: str) -> None:
    refuse_unknown(sorted(ignore), ignoring)
    refuse_unknown(sorted(error), raising)
    if both := sorted(ignore & error):
        raise UsageError(f"{ignoring} and {raising} both have {both[0]}; leave one out")
    if _UNREADABLE in ignore:
        raise UsageError(f"{ignoring} {_UNREADABLE}: a wheel that cannot be read was not checked")
