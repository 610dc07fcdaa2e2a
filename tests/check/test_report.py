"""Findings as text for people and as JSON for scripts."""

from __future__ import annotations

from fatwheel.check.finding import Finding, Severity
from fatwheel.check.report import finding_json, finding_line, finding_lines, findings_by_folder


def finding(code_: str, severity: Severity, member: str | None = None) -> Finding:
    return Finding(code=code_, severity=severity, member=member, message="is odd")


def test_lines_of_findings() -> None:
    warnings = [finding("FW203", Severity.WARNING, f"m{n}") for n in range(5)]
    notes = [finding("FW302", Severity.NOTE, "n")]
    error = finding("FW304", Severity.ERROR)
    assert finding_line(error) == "error FW304: is odd"
    assert list(finding_lines([error, *warnings, *notes], every=False)) == [
        "error FW304: is odd",
        "warning FW203: m0: is odd",
        "warning FW203: m1: is odd",
        "warning FW203: m2: is odd",
        "... and 2 more FW203 (-v lists them)",
    ]
    assert len(list(finding_lines([error, *warnings, *notes], every=True))) == 7
    assert len(list(finding_lines(warnings[:3], every=False))) == 3


def test_findings_of_one_code_in_one_folder_are_cut_short() -> None:
    several = [finding("FW203", Severity.WARNING, f"a/m{n}") for n in range(9)]
    other = [finding("FW203", Severity.WARNING, f"b/m{n}") for n in range(4)]
    notes = [finding("FW302", Severity.NOTE, f"n{n}") for n in range(5)]
    assert list(findings_by_folder([*several[:6], *other, *several[6:], *notes])) == [
        *(f"warning FW203: a/m{n}: is odd" for n in range(3)),
        *(f"warning FW203: b/m{n}: is odd" for n in range(4)),  # one line for one more is none less
        "warning FW203: ... and 6 more in a/ (-v lists them)",
        *(f"note FW302: n{n}: is odd" for n in range(3)),
        "note FW302: ... and 2 more in ./ (-v lists them)",
    ]


def test_json() -> None:
    assert finding_json(finding("FW203", Severity.WARNING, "m")) == {
        "code": "FW203",
        "severity": "warning",
        "member": "m",
        "message": "is odd",
    }
