"""Findings for the places where code is reviewed: annotations of GitHub's workflows, and SARIF.

SARIF is the Static Analysis Results Interchange Format 2.1.0 (OASIS); GitHub's code scanning reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fatwheel.check.codes import CODES
from fatwheel.check.finding import Finding, Severity

__all__ = ["github_lines", "sarif"]

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github_lines(path: Path, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a workflow command for each finding in the wheel at `path`: `::error file=…,title=…::…`.

    Nothing in a name or a message can end a command or begin another one.
    """
    for found in findings:
        place = f"{found.member}: " if found.member is not None else ""
        yield (
            f"::{_COMMANDS[found.severity]} file={_property(str(path))},title={found.code}"
            f"::{_data(place + found.message)}"
        )


def _data(text: str) -> str:
    """Return a text as it stands behind `::` (github.com/actions/toolkit, packages/core, command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(results: Mapping[Path, Sequence[Finding]], version: str) -> dict[str, Any]:
    """Return the findings in all wheels as one run of a SARIF log, by fatwheel's `version`."""
    codes = sorted({found.code for findings in results.values() for found in findings})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": CODES[code]},
            "help": {
                "text": f"docs/checks.md of fatwheel says why {code} matters, and what to do."
            },
        }
        for code in codes
    ]
    driver = {"name": "fatwheel", "semanticVersion": version, "rules": rules}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [
                    _result(path, found, codes.index(found.code))
                    for path, findings in results.items()
                    for found in findings
                ],
            }
        ],
    }


def _result(path: Path, found: Finding, rule: int) -> dict[str, Any]:
    place = f"{found.member}: " if found.member is not None else ""
    result = {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": found.severity.value,
        "message": {"text": place + found.message},
        "locations": [_location(path, found.member)],
    }
    if found.others:
        result["relatedLocations"] = [_location(path, other) for other in found.others]
    return result


def _location(path: Path, member: str | None) -> dict[str, Any]:
    """Return the place of a finding; a wheel has no lines, and its viewers want one."""
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="backslashreplace")
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}
    }
    if member is not None:
        location["logicalLocations"] = [{"fullyQualifiedName": member, "kind": "resource"}]
    return location
