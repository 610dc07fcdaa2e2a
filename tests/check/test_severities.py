"""What a project makes of findings: options and settings together."""

from __future__ import annotations

import re

import pytest

from fatwheel.check.codes import CODES
from fatwheel.check.finding import Finding, Severity
from fatwheel.check.severities import Severities, severities
from fatwheel.errors import UsageError
from tests.support.corpus import ROOT


def found(code: str, severity: Severity, member: str = "m") -> Finding:
    return Finding(code=code, severity=severity, member=member, message="x")


def test_codes_are_those_of_the_documentation() -> None:
    text = (ROOT / "docs" / "checks.md").read_text("utf-8")
    rows = re.findall(r"^\| (FW\d{3}) \| \w+ \| (.*?) \|", text, re.MULTILINE)
    assert dict(rows) == CODES
    assert len(rows) == len(CODES), "a code has two rows"


def test_what_is_ignored_and_what_is_an_error() -> None:
    error, warning = found("FW301", Severity.ERROR), found("FW203", Severity.WARNING)
    note, other = found("FW408", Severity.NOTE), found("FW404", Severity.WARNING)
    wanted = Severities(ignore=frozenset({"FW404"}), error=frozenset({"FW408", "FW301"}))
    assert wanted.of([error, warning, note, other]) == (
        error,
        found("FW408", Severity.ERROR),
        warning,
    )


@pytest.mark.parametrize(
    ("options", "settings", "ignore", "error"),
    [
        ((["FW203"], []), ([], ["FW404"]), {"FW203"}, {"FW404"}),
        ((["FW203"], []), ([], ["FW203"]), {"FW203"}, set()),
        (([], ["FW203"]), (["FW203", "FW404"], []), {"FW404"}, {"FW203"}),
        (([], []), ([], []), set(), set()),
    ],
    ids=["both count", "--ignore wins", "--error wins", "nothing"],
)
def test_options_win(
    options: tuple[list[str], list[str]],
    settings: tuple[list[str], list[str]],
    ignore: set[str],
    error: set[str],
) -> None:
    assert severities(*options, settings=settings) == Severities(
        ignore=frozenset(ignore), error=frozenset(error)
    )


@pytest.mark.parametrize(
    ("options", "settings", "message"),
    [
        ((["fw203"], []), ([], []), r"--ignore 'fw203': no finding has this code"),
        (([], ["FW999"]), ([], []), r"--error 'FW999': no finding"),
        (([], []), (["x"], []), r"\[tool\.fatwheel\.check\] ignore 'x': no finding"),
        (([], []), (["FW203"], ["FW203"]), r"ignore and \[.*\] error both have FW203"),
        (([], []), (["FW001"], []), r"ignore FW001: a wheel that cannot be read was not checked"),
    ],
)
def test_mistakes(
    options: tuple[list[str], list[str]], settings: tuple[list[str], list[str]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        severities(*options, settings=settings)
