"""Kinds of files: who decides before them, how they are switched off, and what is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.errors import UsageError
from fatwheel.fusion.actions import Conflict, Decision, Keep, Merge, Planned
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.explain import explain_json, explain_lines, explain_member
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels, read_and_plan
from fatwheel.fusion.kinds import KINDS, all_kinds, kinds_of, kinds_without
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import Rule, RuleSet, parse_rule
from fatwheel.wheels.loads import LoadGraph
from tests.support.oracles import members
from tests.support.wheels import DIST_INFO, Sides, make_pair

CONSTANT = Sides(x86_64=b"A = 'sse'\n", arm64=b"A = 'neon'\n")
CHOICE = b"A = ('sse' if __import__(\"os\").uname().machine == \"x86_64\" else 'neon')\n"
MAC = b"/var/folders/x7/_nsk_h4s1kng41z5pgfbx7sh0000gn/T/tmpyyi1v0y%c/lib"
FOLDER = Sides(x86_64=b"-L" + MAC % b"a", arm64=b"-L" + MAC % b"b")
LICENCE = b"License\n"


def decide(
    name: str, sides: Sides, *rules: str | Rule, kinds: tuple[str, ...] = all_kinds()
) -> tuple[Planned, Decision | None]:
    made = tuple(parse_rule(rule) if isinstance(rule, str) else rule for rule in rules)
    decider = Decider(
        project="pkg",
        dist_info=DIST_INFO,
        rules=RuleSet(rules=made, kinds=kinds),
        graph=LoadGraph({}),
    )
    return decider.decide(sides.pair(name))


def test_a_kind_makes_one_text_of_both() -> None:
    planned, decision = decide("pkg/a.py", CONSTANT)
    assert isinstance(planned, Merge)
    assert planned.content == CHOICE
    assert planned.how.startswith("kind literals: arm64's text, in which os.uname().machine")
    assert decision is not None
    assert (decision.action, decision.word, decision.by) == (None, "merge", "kind literals")
    assert decision.reason == next(kind.why for kind in KINDS if kind.name == "literals")


def test_a_kind_keeps_one_wheels_file() -> None:
    planned, decision = decide("pkg/a.pc", FOLDER)
    assert isinstance(planned, Keep)
    assert planned.source is Arch.ARM64
    assert decision is not None
    assert decision.action is Action.KEEP_ARM64
    longer = Sides(x86_64=LICENCE + b"and more\n", arm64=LICENCE)
    planned, decision = decide("pkg/LICENSE", longer)
    assert isinstance(planned, Keep)
    assert planned.source is Arch.X86_64
    assert decision is not None
    assert decision.action is Action.KEEP_X86_64


@pytest.mark.parametrize("action", ["keep-x86_64", "dispatch", "drop"])
def test_a_rule_decides_before_a_kind(action: str) -> None:
    _, decision = decide("pkg/a.py", CONSTANT, f"pkg/*.py={action}")
    assert decision is not None
    assert (decision.action, decision.by) == (Action(action), "--rule")


def test_an_entry_of_the_book_decides_before_a_kind() -> None:
    entry = Rule(glob="**", action=Action.KEEP_X86_64, reason="", origin="rule book", project="pkg")
    planned, decision = decide("pkg/a.py", CONSTANT, entry)
    assert isinstance(planned, Keep)
    assert decision is not None
    assert decision.by == "rule book"


def test_a_rule_that_does_not_fit_is_not_replaced_by_a_kind() -> None:
    planned, decision = decide("pkg/a.py", CONSTANT, "pkg/a.py=guard")
    assert isinstance(planned, Conflict)
    assert planned.kind == "rule"
    assert decision is None


@pytest.mark.parametrize(
    "kinds", [(), kinds_without(("literals",))], ids=["all off", "this one off"]
)
def test_a_kind_that_is_switched_off(kinds: tuple[str, ...]) -> None:
    planned, decision = decide("pkg/a.py", CONSTANT, kinds=kinds)
    assert isinstance(planned, Conflict)
    assert decision is None


def test_a_kind_that_is_none() -> None:
    with pytest.raises(
        UsageError, match="--no-kind licence: there is no such kind; they are build-"
    ):
        kinds_without(("licence",))


def test_what_only_one_wheel_has_belongs_to_no_kind() -> None:
    planned, _ = decide("pkg/a.py", Sides(x86_64=b"A = 1\n"))
    assert isinstance(planned, Conflict)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("pkg/a.cmake", ["build-folders", "cmake-policy"]),
        ("pkg/a.pc", ["build-folders"]),
        ("pkg/a.cpp", ["cython-source"]),
        ("pkg/include/a.cpp", []),
        ("pkg-1.0.data/headers/a.c", []),
        ("pkg/a.h", []),
        ("pkg/a.py", ["literals", "import-order"]),
        ("pkg/_version.py", ["import-order"]),
        ("pkg/a.pyi", ["import-order"]),
        ("pkg/a.tbd", ["text-stub"]),
        ("pkg/LICENSE.txt", ["notices"]),
        (f"{DIST_INFO}/METADATA", ["metadata-spelling", "metadata-license"]),
        ("pkg/METADATA", []),
        (f"{DIST_INFO}/sboms/a.json", ["sbom-scope"]),
        ("pkg/a.json", []),
    ],
)
def test_which_kinds_a_name_may_belong_to(name: str, kinds: list[str]) -> None:
    assert [kind.name for kind in kinds_of(name, DIST_INFO, all_kinds())] == kinds


def test_the_decision_is_written_into_the_wheel(tmp_path: Path) -> None:
    pair = make_pair(tmp_path, {}, {"pkg/a.py": b"A = 'sse'\n"}, {"pkg/a.py": b"A = 'neon'\n"})
    fused = fuse_wheels(*pair, tmp_path / "out", FuseOptions())
    content = members(fused.path)
    assert content["pkg/a.py"] == CHOICE
    name = next(name for name in content if name.endswith("fatwheel.json"))
    (decision,) = json.loads(content[name])["decisions"]
    assert (decision["member"], decision["action"], decision["by"]) == (
        "pkg/a.py",
        "merge",
        "kind literals",
    )


def test_a_member_is_explained(tmp_path: Path) -> None:
    pair = make_pair(
        tmp_path,
        {"pkg/same.py": b""},
        {"pkg/a.py": b"A = 'sse'\n", "pkg/b.py": b"f(1)\n"},
        {"pkg/a.py": b"A = 'neon'\n", "pkg/b.py": b"f(2)\n"},
    )
    rules = RuleSet(rules=rule_book(), kinds=all_kinds())
    read, plan = read_and_plan(*pair, FuseOptions(plan=PlanOptions(rules=rules)))
    settled = explain_member("pkg/a.py", read, plan, rules)
    assert explain_lines(settled)[2].startswith("    decided by kind literals (merge): each arch")
    assert explain_json(settled)["decision"]["by"] == "kind literals"
    left = explain_member("pkg/b.py", read, plan, rules)
    assert explain_lines(left)[0] == "pkg/b.py: conflict"
    assert [kind for kind, _ in left.refused] == ["literals", "import-order"]
    assert "line 1 differs in more than the value of a constant" in explain_lines(left)[2]
    same = explain_lines(explain_member("pkg/same.py", read, plan, rules))
    assert same[:2] == ["pkg/same.py: keep", "    the same in both wheels"]
    with pytest.raises(UsageError, match=r"--explain 'pkg/none\.py': neither pkg-1\.0"):
        explain_member("pkg/none.py", read, plan, rules)
