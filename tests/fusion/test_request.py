"""What the user asks for: command line over pyproject.toml over defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fatwheel.action import Action
from fatwheel.config import Config
from fatwheel.errors import UsageError
from fatwheel.fusion.engine import DelocateEngine, NativeEngine
from fatwheel.fusion.request import Request, fuse_options, read_settings, source_date
from fatwheel.fusion.rulebook import rule_book
from fatwheel.wheels.tags import TagStyle


@pytest.fixture(autouse=True)
def _no_source_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def request(**given: Any) -> Request:
    options: dict[str, Any] = {
        "wheels": (),
        "folder": None,
        "dry_run": False,
        "as_json": False,
        "rules": (),
        "on_conflict": None,
        "tags": None,
        "floor": None,
        "engine": "native",
        "build_tag": None,
        "no_verify_record": False,
        "verify_output": False,
        "no_rulebook": False,
        "force": False,
        "quiet": False,
        "verbose": False,
    }
    return Request(**{**options, **given})


def test_defaults() -> None:
    options = fuse_options(request(), Config())
    plan = options.plan
    assert plan.rules.rules == rule_book()
    assert (plan.on_conflict, plan.tag_style, plan.raise_floor, plan.build_tag) == (
        None,
        TagStyle.EXACT,
        False,
        None,
    )
    assert (options.verify_record, options.verify_output, options.replace) == (True, False, False)
    assert options.date_time is None
    assert isinstance(options.engine, NativeEngine)
    assert 1 <= options.threads <= 4


def test_codes_of_findings_that_are_allowed() -> None:
    found = fuse_options(request(allow=("FW331", "FW334")), Config())
    assert found.allow == {"FW331", "FW334"}


@pytest.mark.parametrize("code", ["", "331", "fw331", "FW3311", "FW33x", "FW\u0663\u0663\u0661"])
def test_what_is_no_code_of_a_finding(code: str) -> None:
    with pytest.raises(UsageError, match="it takes the code of a finding, such as FW331"):
        fuse_options(request(allow=(code,)), Config())


def test_rules_in_rising_order() -> None:
    config = Config(rules=(("a", "drop"), ("b", "allow")))
    found = fuse_options(request(rules=("c=guard", "d=dispatch")), config).plan.rules.rules
    book = len(rule_book())
    assert [(r.glob, r.action, r.origin) for r in found[book:]] == [
        ("a", Action.DROP, "pyproject.toml"),
        ("b", Action.ALLOW, "pyproject.toml"),
        ("c", Action.GUARD, "--rule"),
        ("d", Action.DISPATCH, "--rule"),
    ]
    without = fuse_options(request(no_rulebook=True), config).plan.rules.rules
    assert [rule.glob for rule in without] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "config", "on_conflict", "style", "raise_floor"),
    [
        ({}, {}, None, TagStyle.EXACT, False),
        (
            {},
            {"on_conflict": "keep-arm64", "tags": "compressed", "floor": "binaries"},
            Action.KEEP_ARM64,
            TagStyle.COMPRESSED,
            True,
        ),
        (
            {"on_conflict": "error", "tags": "exact", "floor": "tags"},
            {"on_conflict": "keep-arm64", "tags": "compressed", "floor": "binaries"},
            None,
            TagStyle.EXACT,
            False,
        ),
        (
            {"on_conflict": "keep-x86_64", "tags": "compressed", "floor": "binaries"},
            {},
            Action.KEEP_X86_64,
            TagStyle.COMPRESSED,
            True,
        ),
    ],
    ids=["neither", "pyproject.toml", "the command line wins", "command line"],
)
def test_where_options_come_from(
    *,
    given: dict[str, Any],
    config: dict[str, Any],
    on_conflict: Action | None,
    style: TagStyle,
    raise_floor: bool,
) -> None:
    plan = fuse_options(request(**given), Config(**config)).plan
    assert (plan.on_conflict, plan.tag_style, plan.raise_floor) == (on_conflict, style, raise_floor)


def test_switches() -> None:
    options = fuse_options(
        request(
            no_verify_record=True, verify_output=True, force=True, engine="delocate", build_tag=""
        ),
        Config(),
    )
    assert (options.verify_record, options.verify_output, options.replace) == (False, True, True)
    assert isinstance(options.engine, DelocateEngine)
    assert options.plan.build_tag == ""


@pytest.mark.parametrize(
    ("given", "config", "problem"),
    [
        (
            {"folder": Path("out/a.whl")},
            {},
            r"-o .*a\.whl: -o takes a folder; the wheel's own name",
        ),
        ({"rules": ("a",)}, {}, "--rule 'a' is not GLOB=ACTION"),
        ({}, {"rules": (("[z-a]", "drop"),)}, r"rule '\[z-a\]' is not a usable pattern"),
        ({"build_tag": "x"}, {}, "--build-tag 'x': a build tag starts with a digit"),
        ({"build_tag": "1-2"}, {}, "--build-tag '1-2': a build tag starts with a digit"),
        ({"build_tag": "1/../2"}, {}, "--build-tag '1/../2': a build tag"),
    ],
)
def test_what_cannot_be_asked_for(
    given: dict[str, Any], config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        fuse_options(request(**given), Config(**config))


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (None, None),
        ("", None),
        ("1700000001", (2023, 11, 14, 22, 13, 20)),
        ("0", (1980, 1, 1, 0, 0, 0)),
        ("-1", (1980, 1, 1, 0, 0, 0)),
        ("315532800", (1980, 1, 1, 0, 0, 0)),
        ("315532803", (1980, 1, 1, 0, 0, 2)),
        ("4354819199", (2107, 12, 31, 23, 59, 58)),
        ("9" * 30, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_source_date_epoch(text: str | None, date: tuple[int, ...] | None) -> None:
    assert source_date(text) == date


@pytest.mark.parametrize(
    "text",
    ["now", "1.5", "0x10", "1_000", " 1", "1 ", "\N{ARABIC-INDIC DIGIT ONE}", "+1", "9" * 5000],
)
def test_what_is_no_number_of_seconds(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"SOURCE_DATE_EPOCH is .* which is no number of seconds since 1970"
    ):
        source_date(text)


def test_source_date_epoch_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert fuse_options(request(), Config()).date_time == (2023, 11, 14, 22, 13, 20)


def test_settings_are_read_from_a_file_that_need_not_be_there(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    assert read_settings(path) == Config()
    path.write_text('[tool.fatwheel]\ntags = "compressed"\n[tool.fatwheel.rules]\n"a" = "drop"\n')
    assert read_settings(path) == Config(tags="compressed", rules=(("a", "drop"),))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff", r"pyproject\.toml is not UTF-8 at byte 0"),
        (b"[tool.fatwheel]\ntag = 1\n", r"pyproject\.toml"),
        (b"[", r"pyproject\.toml"),
    ],
    ids=["no UTF-8", "unknown key", "no TOML"],
)
def test_settings_that_cannot_be_read(data: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=problem):
        read_settings(path)
