"""Findings as a GitHub workflow and as code scanning take them, and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fatwheel.check.annotations import github_lines, sarif
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.report import document
from tests.support.corpus import ROOT

FINDINGS = (
    Finding(code="FW301", severity=Severity.ERROR, member="pkg/a.so", message="holds: 100 %, no"),
    Finding(code="FW203", severity=Severity.WARNING, member=None, message="m"),
    Finding(code="FW408", severity=Severity.NOTE, member="a", message="m", others=("b", "ü c")),
)

# What the schema of OASIS asks of the objects that are written here; it allows nothing else in them.
TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
LOCATION = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"uri": {"type": "string", "pattern": "^[!-~]+$"}},
                },
                "region": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        },
        "logicalLocations": {
            "type": "array",
            "uniqueItems": True,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"fullyQualifiedName": {"type": "string"}, "kind": {"const": "resource"}},
            },
        },
    },
}  # fmt: skip
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "semanticVersion": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": TEXT,
                                                "help": TEXT,
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": TEXT,
                                "locations": {"type": "array", "items": LOCATION},
                                "relatedLocations": {"type": "array", "uniqueItems": True, "items": LOCATION},
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip


def test_github_lines() -> None:
    assert list(github_lines(Path("dist/a.whl"), FINDINGS)) == [
        "::error file=dist/a.whl,title=FW301::pkg/a.so: holds: 100 %25, no",
        "::warning file=dist/a.whl,title=FW203::m",
        "::notice file=dist/a.whl,title=FW408::a: m",
    ]


def test_nothing_ends_a_command_or_begins_one() -> None:
    evil = Finding(
        code="FW301",
        severity=Severity.ERROR,
        member="a\n::error::b",
        message="c\r::set-output::%0A",
    )
    (line,) = github_lines(Path("x,title=y::z\n.whl"), [evil])
    assert line == (
        "::error file=x%2Ctitle=y%3A%3Az%0A.whl,title=FW301::a%0A::error::b: c%0D::set-output::%250A"
    )


def test_sarif() -> None:
    log = sarif({Path("dist/a b.whl"): FINDINGS, Path("/dist/c.whl"): FINDINGS[:1]}, "1.2.3")
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["FW203", "FW301", "FW408"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    uris = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
    ]
    assert uris == ["dist/a%20b.whl"] * 3 + ["file:///dist/c.whl"]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note", "error"]
    names = [place["logicalLocations"][0] for place in run["results"][2]["relatedLocations"]]
    assert [name["fullyQualifiedName"] for name in names] == ["b", "ü c"]
    assert "logicalLocations" not in run["results"][1]["locations"][0]


def test_sarif_of_nothing() -> None:
    jsonschema.validate(sarif({}, "1.2.3"), SARIF)


def schema() -> dict[str, Any]:
    text = (ROOT / "docs" / "schemas" / "check-1.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def test_json_follows_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(document({Path("a.whl"): FINDINGS, Path("b.whl"): ()}, "1"), schema())


@pytest.mark.parametrize("name", ["check-errors-json", "check-settings"])
def test_what_the_command_prints_follows_the_schema(name: str) -> None:
    text = (ROOT / "tests" / "cli" / "golden" / f"{name}.txt").read_text("utf-8")
    printed = text.partition("--- stdout\n")[2].partition("\n--- stderr")[0]
    jsonschema.validate(json.loads(printed), schema())


@pytest.mark.parametrize(
    "change",
    [{"severity": "fatal"}, {"code": "301"}, {"member": 1}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_what_is_none(change: dict[str, object]) -> None:
    made = document({Path("a.whl"): FINDINGS}, "1")
    made["wheels"][0]["findings"][0].update(change)
    with pytest.raises(jsonschema.ValidationError, match=str(next(iter(change.values())))):
        jsonschema.validate(made, schema())
