"""The rules that are printed for many conflicts settle them, and change nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.action import Action
from fatwheel.fusion.actions import Conflict, Drop, Planned
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.fuse import FuseOptions, plan_fuse
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.report import plan_json
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.fusion.settle import Group, group_conflicts
from fatwheel.wheels.loads import LoadGraph
from tests.support.wheels import DIST_INFO, A, Sides, X, code, make_pair, universal

KINDS = {
    "equal": Sides(x86_64=b"1", arm64=b"1"),
    "differs": Sides(x86_64=b"\x80", arm64=b"\x81"),
    "source": Sides(x86_64=b"x = 1\n", arm64=b"x = 2\n"),
    "comment": Sides(x86_64=b"x = 1 # 1\n", arm64=b"x = 1 # 2\n"),
    "header": Sides(x86_64=b"int x;\n", arm64=b"long x;\n"),
    "one-sided": Sides(arm64=b"x = 1\n"),
    "program of one": Sides(x86_64=code(X, exports=["_PyInit_a"])),
    "code": Sides(x86_64=code(X), arm64=code(A)),
    "left out": Sides(x86_64=code(X), arm64=universal(code(X, b"1"), code(A))),
    "one architecture": Sides(x86_64=code(X), arm64=code(X)),
}


def planned(sides: Mapping[str, Sides], *rules: str) -> list[Planned]:
    """What becomes of the members under these rules."""
    decider = Decider(
        project="pkg",
        dist_info=DIST_INFO,
        rules=RuleSet(rules=tuple(map(parse_rule, rules))),
        graph=LoadGraph({}),
    )
    return [decider.decide(side.pair(name))[0] for name, side in sides.items()]


def rules_of(groups: Sequence[Group], action: int = 0) -> list[str]:
    return [f"{glob}={group.actions[action].value}" for group in groups for glob in group.globs]


def named(kinds: Mapping[str, str]) -> dict[str, Sides]:
    return {name: KINDS[kind] for name, kind in kinds.items()}


def globs(kinds: Mapping[str, str]) -> list[list[str]]:
    return [list(group.globs) for group in group_conflicts(planned(named(kinds)))]


def many(pattern: str, kind: str, count: int = 4) -> dict[str, str]:
    return {pattern.format(n): kind for n in range(count)}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (many("pkg/m{}.py", "source", 3), [["pkg/m0.py"], ["pkg/m1.py"], ["pkg/m2.py"]]),
        (many("pkg/m{}.py", "source"), [["pkg/*.py"]]),
        (many("pkg/{}/m.py", "source"), [["pkg/**/m.py"]]),
        (many("pkg/{0}/m{0}.py", "source"), [["pkg/**/*.py"]]),
        (many("pkg/{0}/m{0}.py", "source") | {"pkg/e.py": "equal"}, [["pkg/**/*.py"]]),
        (many("pkg/m{}.py", "source") | {"pkg/other.py": "comment"}, [["pkg/m*.py"]]),
        (many("pkg/{}_m.py", "source") | {"pkg/other.py": "comment"}, [["pkg/*_m.py"]]),
        (
            many("pkg/m{}.py", "source") | many("pkg/o{}.py", "one-sided"),
            [["pkg/m*.py"], ["pkg/o*.py"]],
        ),
        (
            many("pkg/a/{}.py", "source")
            | many("pkg/b/{}.py", "source")
            | {"pkg/c/1.py": "comment"},
            [["pkg/a/*.py", "pkg/b/*.py"]],
        ),
        (
            many("pkg/{}.py", "source") | {"pkg/9.py": "comment", "pkg/a/1.py": "source"},
            [["pkg/0.py", "pkg/1.py", "pkg/2.py", "pkg/3.py", "pkg/a/1.py"]],
        ),
        (many("pkg/d{}", "differs"), [["pkg/*"]]),
        (many("pkg/d{}", "differs") | {"pkg/e": "one-sided"}, [["pkg/d*"]]),
        (many("{}.dat", "differs"), [[f"{n}.dat"] for n in range(4)]),
        (many("a{}/m.py", "source"), [[f"a{n}/m.py"] for n in range(4)]),
        (many("p[k]g/*{}.py", "source") | {"p[k]g/x.py": "comment"}, [["p[[]k]g/[*]*.py"]]),
        (many("pkg/m{}.so", "program of one") | {"pkg/x.so": "left out"}, [["pkg/*.so"]]),
        (many("pkg/m{}.so", "one architecture") | {"pkg/x.so": "code"}, [["pkg/*.so"]]),
    ],
    ids=[
        "few",
        "a folder",
        "one name in many folders",
        "many names in many folders",
        "equal files are left alone anyway",
        "what begins alike",
        "what ends alike",
        "two kinds",
        "a pattern for each folder",
        "names one by one",
        "without a suffix",
        "without a suffix, and not all",
        "at the top",
        "packages side by side",
        "names full of stars",
        "allow speaks of conflicts only",
        "code that is fused is left alone",
    ],
)
def test_patterns(kinds: dict[str, str], expected: list[list[str]]) -> None:
    assert globs(kinds) == expected
    sides = named(kinds)
    assert not any(
        isinstance(p, Conflict) for p in planned(sides, *rules_of(group_conflicts(planned(sides))))
    )


def test_what_a_pattern_would_take_along_is_no_choice() -> None:
    """`drop` takes away what is equal in both wheels, too, and every other action leaves it alone."""
    sides = named(many("pkg/m{}.py", "source"))
    (alone,) = group_conflicts(planned(sides))
    assert alone.actions == (Action.DISPATCH, Action.KEEP_ARM64, Action.KEEP_X86_64, Action.DROP)
    assert alone.others == 0
    (group,) = group_conflicts(planned({**sides, "pkg/e.py": KINDS["equal"]}))
    assert group.actions == (Action.DISPATCH, Action.KEEP_ARM64, Action.KEEP_X86_64)
    assert group.others == 1


letters = st.text("ab*[]?!\x1b", min_size=1, max_size=2)
names = st.builds(
    lambda folders, base, suffix: "/".join([*folders, base + suffix]),
    st.lists(letters, max_size=3),
    letters,
    st.sampled_from(["", ".py", ".h", ".txt", ".so"]),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(names, st.sampled_from(sorted(KINDS)), min_size=5, max_size=40))
def test_law_the_rules_settle_their_conflicts_and_nothing_else(kinds: dict[str, str]) -> None:
    sides = named(kinds)
    before = planned(sides)
    groups = group_conflicts(before)
    conflicts = [one for one in before if isinstance(one, Conflict)]
    assert [c for group in groups for c in group.conflicts] != [] or not conflicts
    assert sorted(c.name for group in groups for c in group.conflicts) == sorted(
        c.name for c in conflicts
    )
    after = planned(sides, *rules_of(groups))
    for old, new in zip(before, after, strict=True):
        assert isinstance(old, Conflict) or new == old
        assert not isinstance(new, Conflict)
    for group in groups:
        own = {conflict.name for conflict in group.conflicts}
        for action in range(len(group.actions)):
            for old, new in zip(before, planned(sides, *rules_of([group], action)), strict=True):
                assert (old.name in own) != (new == old)
                if group.actions[action] is Action.DROP:
                    assert isinstance(new, Drop) == (old.name in own)


def test_two_hundred_conflicts_of_real_wheels(tmp_path: Path) -> None:
    x86_64 = {f"itk/m{n}.py": b"f(1)\n" for n in range(200)}
    x86_64 |= {f"itk/Configuration/c{n}.py": b"f(1)\n" for n in range(42)}
    arm64 = dict.fromkeys(x86_64, b"f(2)\n")
    both = {f"itk/support/s{n}.py": b"" for n in range(50)}
    pair = make_pair(tmp_path, both, x86_64, arm64)
    plan = plan_fuse(*pair, FuseOptions())
    document = plan_json(plan)
    assert len(document["conflicts"]) == 242  # scripts see each
    (settled,) = document["settle"]
    assert settled["rules"] == ["itk/**/*.py=dispatch"]
    assert len(settled["members"]) == 242
    json.dumps(document)
    rules = RuleSet(rules=tuple(map(parse_rule, settled["rules"])))
    again = plan_fuse(*pair, FuseOptions(plan=PlanOptions(rules=rules)))
    assert again.conflicts == ()
    assert len(again.decisions) == 242
