"""Findings as lines of text for people, and as JSON for scripts."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fatwheel.check.finding import Finding, Severity

__all__ = [
    "SCHEMA",
    "VERSION",
    "document",
    "finding_json",
    "finding_line",
    "finding_lines",
    "findings_by_folder",
]

SCHEMA, VERSION = "fatwheel-check", 1
"""What the JSON of `fatwheel check` follows: docs/schemas/check-1.json. Names and meanings of a version stay."""

_SHOWN = 3  # findings of one code


def finding_line(finding: Finding) -> str:
    """Return one finding as a line."""
    place = f"{finding.member}: " if finding.member is not None else ""
    return f"{finding.severity.value} {finding.code}: {place}{finding.message}"


def finding_lines(findings: Sequence[Finding], *, every: bool) -> Iterator[str]:
    """Yield findings as lines; without `every` no notes, and of each code the first three and a count."""
    shown: Counter[str] = Counter()
    for finding in findings:
        if every:
            yield finding_line(finding)
        elif finding.severity is not Severity.NOTE:
            shown[finding.code] += 1
            if shown[finding.code] <= _SHOWN:
                yield finding_line(finding)
    for code, count in shown.items():
        if count > _SHOWN:
            yield f"... and {count - _SHOWN} more {code} (-v lists them)"


def findings_by_folder(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield findings as lines; of those of one code in one folder the first three and, behind the last, a count."""
    left = Counter(map(_place, findings))
    shown: Counter[tuple[str, str, str]] = Counter()
    for finding in findings:
        place = _place(finding)
        shown[place] += 1
        if shown[place] <= _SHOWN or left[place] == _SHOWN + 1:
            yield finding_line(finding)
        elif shown[place] == left[place]:
            severity, code, folder = place
            yield f"{severity} {code}: ... and {left[place] - _SHOWN} more in {folder or '.'}/ (-v lists them)"


def _place(finding: Finding) -> tuple[str, str, str]:
    return finding.severity.value, finding.code, posixpath.dirname(finding.member or "")


def document(results: Mapping[Path, Sequence[Finding]], version: str) -> dict[str, Any]:
    """Return the findings in wheels as JSON, by fatwheel's `version`."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "fatwheel": version,
        "wheels": [
            {"wheel": str(path), "findings": [finding_json(found) for found in findings]}
            for path, findings in results.items()
        ],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding for `--json`."""
    found = {
        "code": finding.code,
        "severity": finding.severity.value,
        "member": finding.member,
        "message": finding.message,
    }
    return {**found, "others": list(finding.others)} if finding.others else found
