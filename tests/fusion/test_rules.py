"""Rules: what a glob matches, which rule wins, and the rules that fatwheel ships."""

from __future__ import annotations

import re

import pytest

from fatwheel.action import Action
from fatwheel.errors import UsageError
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import Rule, RuleSet, make_rule, parse_rule


def test_a_set_that_runs_backwards_is_refused() -> None:
    with pytest.raises(UsageError, match=r"rule '\[z-a\]' is not a usable pattern .*bad character"):
        parse_rule("[z-a]=drop")


@pytest.mark.parametrize("action", Action, ids=lambda action: action.value)
def test_a_rule_of_the_command_line(action: Action) -> None:
    assert parse_rule(f"pkg/a=b.py={action.value}") == Rule(
        glob="pkg/a=b.py", action=action, reason="asked for by --rule", origin="--rule"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pkg/a.py", "--rule 'pkg/a.py' is not GLOB=ACTION; for example"),
        ("=drop", "--rule '=drop' is not GLOB=ACTION"),
        ("a.py=", "--rule 'a.py': '' is not an action; use one of keep-x86_64, keep-arm64, guard"),
        ("a.py=Drop", "--rule 'a.py': 'Drop' is not an action"),
    ],
    ids=["no action", "no glob", "empty action", "upper case"],
)
def test_what_is_no_rule(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        parse_rule(text)


def test_a_bad_rule_of_pyproject_says_so() -> None:
    with pytest.raises(UsageError, match=r"pyproject\.toml 'a': 'x' is not an action"):
        make_rule("a", "x", origin="pyproject.toml")


def test_the_last_rule_that_matches_wins() -> None:
    first, second, third = (
        parse_rule(text) for text in ("**=drop", "a/*.py=keep-arm64", "a/b.py=allow")
    )
    rules = RuleSet(rules=(first, second, third))
    assert [rules.find(name, "p") for name in ("a/b.py", "a/c.py", "d")] == [third, second, first]
    assert RuleSet(rules=(third, second, first)).find("a/b.py", "p") == first
    assert RuleSet(rules=(second,)).find("d", "p") is None


def test_a_rule_of_one_project_says_nothing_about_others() -> None:
    rule = Rule(glob="**", action=Action.DROP, reason="", origin="rule book", project="numpy")
    assert rule.matches("a", "numpy")
    assert not rule.matches("a", "scipy")


def test_the_rule_book_names_a_project_and_a_reason_for_each_rule() -> None:
    book = rule_book()
    assert book
    assert {rule.origin for rule in book} == {"rule book"}
    assert [r.glob for r in book if not r.project or len(r.reason) < 20] == []
    assert [r.glob for r in book if r.glob.startswith("*")] == []  # no rule for whatever comes


@pytest.mark.parametrize(
    ("project", "member", "action"),
    [
        ("numpy", "numpy/__config__.py", Action.KEEP_ARM64),
        ("scipy", "scipy/__config__.py", Action.KEEP_ARM64),
        ("rapidfuzz", "rapidfuzz/_feature_detector_cpp.cpython-312-darwin.so", Action.ALLOW),
        ("polars", "polars/_cpu_check.py''", Action.KEEP_ARM64),
        ("polars", "polars/_cpu_check.py", None),
        (
            "proxsuite",
            "cmeel.prefix/lib/cmake/proxsuite/proxsuiteTargets.cmake",
            Action.KEEP_X86_64,
        ),
        ("proxsuite", "cmeel.prefix/lib/cmake/proxsuite/proxsuiteConfig.cmake", None),
        ("scipy", "scipy/version.py", Action.KEEP_ARM64),
        ("pyogrio", "pyogrio/proj_data/vcpkg_abi_info.txt", Action.KEEP_ARM64),
        ("pyogrio", "pyogrio/gdal_data/GDALConfig.cmake", Action.KEEP_ARM64),
        ("pyogrio", "pyogrio/gdal_data/GDAL-targets.cmake", None),
        ("numpy", "scipy/__config__.py", None),
        ("pkg", "numpy/__config__.py", None),
    ],
)
def test_what_the_rule_book_settles(project: str, member: str, action: Action | None) -> None:
    rule = RuleSet(rules=rule_book()).find(member, project)
    assert (rule and rule.action) == action
