"""Plans, conflicts and findings as text for people and as JSON for scripts."""

from __future__ import annotations

import pytest

from fatwheel.action import Action
from fatwheel.fusion.actions import Decision, Drop, Keep, Merge, WriteAnew, WriteRecord
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.plan import FusePlan, Inputs
from fatwheel.fusion.report import member_line, plan_json, plan_lines, summary
from fatwheel.fusion.rules import RuleSet
from fatwheel.printable import size_text
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.tags import parse_wheel_name
from tests.support.wheels import (
    DIST_INFO,
    FUSED_NAME,
    A,
    Sides,
    X,
    code,
    conflict,
    member_value,
    universal,
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1234, "1.23 kB"),
        (56_789, "56.8 kB"),
        (999_499, "999 kB"),
        (1_000_000, "1 MB"),
        (123_456_789, "123 MB"),
        (1_500_000_000, "1.5 GB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize("size", [999_500, 999_999, 999_999_999])
def test_sizes_just_below_the_next_unit_have_no_exponent(size: int) -> None:
    assert "e" not in size_text(size)


def fuse_of(x86_64: bytes, arm64: bytes) -> object:
    decider = Decider(project="pkg", dist_info=DIST_INFO, rules=RuleSet(), graph=LoadGraph({}))
    return decider.decide(Sides(x86_64=x86_64, arm64=arm64).pair("pkg/a.so"))[0]


MEMBER = member_value("pkg/a.txt", b"1")
KEEP = Keep(name="pkg/a.txt", mode=0o644, source=A, member=MEMBER)
NOTED = Keep(name="pkg/b.txt", mode=0o644, source=X, member=MEMBER, note="only x86_64 has it")
MERGE = Merge(name="pkg/c.h", mode=0o644, content=b"", how="guarded")
DROP = Drop(name="pkg/d.pyc", why="written anew by Python")
ANEW = WriteAnew(name=f"{DIST_INFO}/WHEEL", mode=0o644, content=b"")
RECORD = WriteRecord(name=f"{DIST_INFO}/RECORD", mode=0o644)


def plan(*members: object) -> FusePlan:
    return FusePlan(
        inputs=Inputs(x86_64="x.whl", x86_64_sha256="1" * 64, arm64="a.whl", arm64_sha256="2" * 64),
        name=parse_wheel_name(FUSED_NAME),
        dist_info=DIST_INFO,
        members=members,  # type: ignore[arg-type]
        decisions=(
            Decision(member="pkg/b.txt", action=Action.KEEP_X86_64, by="--rule", reason="so"),
        ),
        unused_rules=(),
        notes=("one of them is odd",),
    )


def test_lines_of_a_plan() -> None:
    fused = fuse_of(code(X), universal(code(X, b"1"), code(A)))
    found = plan(KEEP, NOTED, MERGE, DROP, fused, conflict(), ANEW, RECORD)
    head = ["  x86_64  x.whl", "  arm64   a.whl", "  note: one of them is odd"]
    noted = "  keep      pkg/b.txt  (x86_64's: only x86_64 has it)"
    merged, dropped = (
        "  merge     pkg/c.h  (guarded)",
        "  drop      pkg/d.pyc  (written anew by Python)",
    )
    joined = (
        "  fuse      pkg/a.so  (300 B from x86_64 + 299 B from arm64; left out the x86_64 slice of the "
        "arm64 wheel)"
    )
    last = "  1 fused, 2 kept, 1 merged, 1 dropped, 1 in conflict"
    assert list(plan_lines(found, every=False)) == [*head, noted, merged, dropped, joined, last]
    assert list(plan_lines(found, every=True)) == [
        *head,
        "  keep      pkg/a.txt",
        noted,
        merged,
        dropped,
        joined,
        "  conflict  pkg/a.py  (differs)",
        f"  write     {DIST_INFO}/WHEEL  (written anew)",
        f"  write     {DIST_INFO}/RECORD  (written anew)",
        last,
    ]


def noted(name: str, note: str = "only arm64 has it") -> Keep:
    return Keep(name=name, mode=0o644, source=A, member=MEMBER, note=note)


def test_many_files_with_one_fate_are_one_line() -> None:
    include = [noted(f"pkg/include/{n}.h") for n in range(12)]
    tree = [noted(f"tree/{n % 3}/{n}.h") for n in range(11)]
    few = [noted(f"few/{n}.h", "another reason") for n in range(10)]
    dropped = [Drop(name=f"{n}.pyc", why="anew") for n in range(10)]
    found = plan(DROP, *include, *few[:5], *tree, *few[5:], *dropped)
    lines = list(plan_lines(found, every=False))[3:-1]
    assert lines == [
        "  drop      pkg/d.pyc  (written anew by Python)",
        "  keep      pkg/include/: 12 files  (arm64's: only arm64 has it; -v lists them)",
        *(f"  keep      few/{n}.h  (arm64's: another reason)" for n in range(5)),
        "  keep      tree/: 11 files in 3 folders  (arm64's: only arm64 has it; -v lists them)",
        *(f"  keep      few/{n}.h  (arm64's: another reason)" for n in range(5, 10)),
        *(f"  drop      {n}.pyc  (anew)" for n in range(10)),
    ]
    assert len(list(plan_lines(found, every=True))[3:-1]) == len(found.members)


def test_a_plan_with_little_to_say() -> None:
    assert summary(plan(KEEP)) == "1 kept"
    assert member_line(fuse_of(code(X), code(A))) == (  # type: ignore[arg-type]
        "fuse      pkg/a.so  (300 B from x86_64 + 299 B from arm64)"
    )


def test_json() -> None:
    found = plan_json(plan(KEEP, conflict("a[b]", Action.GUARD, Action.DROP)))
    assert found == {
        "filename": FUSED_NAME,
        "inputs": {
            "x86_64": {"filename": "x.whl", "sha256": "1" * 64},
            "arm64": {"filename": "a.whl", "sha256": "2" * 64},
        },
        "tags": ["cp312-cp312-macosx_10_13_universal2"],
        "members": [
            {"name": "pkg/a.txt", "action": "keep", "explanation": ""},
            {"name": "a[b]", "action": "conflict", "explanation": "differs"},
        ],
        "conflicts": [
            {
                "member": "a[b]",
                "kind": "differs",
                "problem": "differs",
                "matters": "it does",
                "warning": "",
                "diff": ["@@ line 1 @@", "-1", "+2"],
                "rules": ["a[[]b]=guard", "a[[]b]=drop"],
            }
        ],
        "settle": [
            {
                "members": ["a[b]"],
                "kind": "differs",
                "warning": "",
                "rules": ["a[[]b]=guard"],
                "actions": ["guard", "drop"],
            }
        ],
        "decisions": [
            {"member": "pkg/b.txt", "action": "keep-x86_64", "by": "--rule", "reason": "so"}
        ],
        "notes": ["one of them is odd"],
    }
