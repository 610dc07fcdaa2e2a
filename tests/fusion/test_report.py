"""Plans, conflicts and findings as text for people and as JSON for scripts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.action import Action
from fatwheel.check.finding import Finding, Severity
from fatwheel.config import parse_config
from fatwheel.fusion.actions import Conflict, Decision, Drop, Keep, Merge, WriteAnew, WriteRecord
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.plan import FusePlan, Inputs
from fatwheel.fusion.report import (
    conflict_lines,
    finding_json,
    finding_line,
    finding_lines,
    member_line,
    plan_json,
    plan_lines,
    summary,
)
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.printable import size_text
from fatwheel.wheels.loads import LoadGraph
from fatwheel.wheels.tags import parse_wheel_name
from tests.support.wheels import DIST_INFO, FUSED_NAME, A, Sides, X, code, member_value, universal


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


def conflict(name: str = "pkg/a.py", *remedies: Action) -> Conflict:
    return Conflict(
        name=name,
        kind="differs",
        problem="differs",
        matters="it does",
        remedies=remedies or (Action.DISPATCH, Action.DROP),
        diff=("@@ line 1 @@", "-1", "+2"),
    )


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


def test_a_plan_with_little_to_say() -> None:
    assert summary(plan(KEEP)) == "1 kept"
    assert member_line(fuse_of(code(X), code(A))) == (  # type: ignore[arg-type]
        "fuse      pkg/a.so  (300 B from x86_64 + 299 B from arm64)"
    )


def test_a_conflict_prints_the_words_that_settle_it() -> None:
    assert list(conflict_lines([conflict()])) == [
        "conflict: pkg/a.py: differs",
        "    @@ line 1 @@",
        "    -1",
        "    +2",
        "  why it matters: it does",
        "  to settle it:  --rule 'pkg/a.py=dispatch'   (or drop)",
        '  or in pyproject.toml, under [tool.fatwheel.rules]:  "pkg/a.py" = "dispatch"',
        "",
    ]
    lines = list(conflict_lines([conflict("a", Action.ALLOW)]))
    assert "  to settle it:  --rule 'a=allow'" in lines
    lines = list(conflict_lines([replace(conflict(), warning="both are wrong")]))
    assert lines[4:6] == ["  why it matters: it does", "  mind: both are wrong"]


NAMES = st.text(alphabet="ab*?[]'\"\\$` =é!-", min_size=1, max_size=8)


@given(NAMES)
def test_law_the_printed_words_settle_just_that_member(name: str) -> None:
    lines = list(conflict_lines([conflict(name, Action.DROP)]))
    (toml,) = (line.partition("rules]:  ")[2] for line in lines if "pyproject.toml" in line)
    config = parse_config(f"[tool.fatwheel.rules]\n{toml}\n", "pyproject.toml")
    ((glob, action),) = config.rules
    assert action == "drop"
    assert parse_rule(f"{glob}=drop").matches(name, "pkg")
    assert not parse_rule(f"{glob}=drop").matches(f"{name}x", "pkg")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_the_printed_option_survives_the_shell() -> None:
    names = ["it's", 'a"b', "$HOME", "`id`", "a b", "*?[x]", "-a"]
    for name in names:
        lines = list(conflict_lines([conflict(name, Action.DROP)]))
        option = next(line for line in lines if "--rule" in line).partition("--rule ")[2]
        done = subprocess.run(
            ["sh", "-c", f"printf %s {option}"], capture_output=True, text=True, check=True
        )
        assert parse_rule(done.stdout).matches(name, "pkg"), name


def finding(code_: str, severity: Severity, member: str | None = None) -> Finding:
    return Finding(code=code_, severity=severity, member=member, message="is odd")


def test_lines_of_findings() -> None:
    warnings = [finding("FW203", Severity.WARNING, f"m{n}") for n in range(5)]
    notes = [finding("FW302", Severity.NOTE, "n")]
    error = finding("FW304", Severity.ERROR)
    assert finding_line(error) == "error FW304: is odd"
    assert list(finding_lines([error, *warnings, *notes], every=False)) == [
        "error FW304: is odd",
        "warning FW203: m0: is odd",
        "warning FW203: m1: is odd",
        "warning FW203: m2: is odd",
        "... and 2 more FW203 (-v lists them)",
    ]
    assert len(list(finding_lines([error, *warnings, *notes], every=True))) == 7
    assert len(list(finding_lines(warnings[:3], every=False))) == 3


def test_json() -> None:
    assert finding_json(finding("FW203", Severity.WARNING, "m")) == {
        "code": "FW203",
        "severity": "warning",
        "member": "m",
        "message": "is odd",
    }
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
        "decisions": [
            {"member": "pkg/b.txt", "action": "keep-x86_64", "by": "--rule", "reason": "so"}
        ],
        "notes": ["one of them is odd"],
    }
