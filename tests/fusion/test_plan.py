"""The plan: total, in order, with a right name and right files of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.errors import RefusedError, WheelError
from fatwheel.fusion.actions import Conflict, Drop, Fuse, Keep, WriteAnew, WriteRecord
from fatwheel.fusion.kinds import all_kinds, kinds_without
from fatwheel.fusion.plan import FusePlan, PlanOptions, options_json, plan_pair
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import RuleSet, make_rule, parse_rule
from fatwheel.wheels.distinfo import parse_wheel_metadata
from fatwheel.wheels.pair import MemberPair, Pair, Side
from fatwheel.wheels.tags import TagStyle, claims, parse_wheel_name
from tests.support.wheels import DIST_INFO, METADATA, A, Sides, X, code, dylib, program

DATA = "pkg-1.0.data"
OWN = {
    f"{DIST_INFO}/METADATA": Sides(x86_64=METADATA, arm64=METADATA),
    f"{DIST_INFO}/WHEEL": Sides(x86_64=b"x", arm64=b"a", modes={X: 0o600, A: 0o644}),
    f"{DIST_INFO}/RECORD": Sides(x86_64=b"x", arm64=b"a", modes={X: 0o664, A: 0o644}),
}
NATIVE = {"pkg/n.so": Sides(x86_64=code(X), arm64=code(A))}


def side(arch: Arch, filename: str = "", *, purelib: bool = False) -> Side:
    platform = {X: "macosx_10_13_x86_64", A: "macosx_11_0_arm64"}[arch]
    filename = filename or f"pkg-1.0-cp312-cp312-{platform}.whl"
    name = parse_wheel_name(filename)
    text = f"Wheel-Version: 1.0\nRoot-Is-Purelib: {purelib}\n"
    return Side(
        arch=arch,
        filename=filename,
        name=name,
        sha256=arch.value[0] * 64,
        floor=claims(name)[arch],
        dist_info=DIST_INFO,
        metadata=parse_wheel_metadata(text, wheel=filename, member="WHEEL"),
    )


def pair(
    members: dict[str, Sides] | list[MemberPair],
    x86_64: Side | None = None,
    arm64: Side | None = None,
) -> Pair:
    if isinstance(members, dict):
        members = [sides.pair(name) for name, sides in {**OWN, **members}.items()]
    return Pair(
        x86_64=x86_64 or side(X),
        arm64=arm64 or side(A),
        members=tuple(sorted(members, key=lambda member: member.name)),
        notes=("a note",),
    )


def plan(members: dict[str, Sides], *rules: str, **options: Any) -> FusePlan:
    return plan_pair(
        pair(members),
        PlanOptions(rules=RuleSet(rules=tuple(map(parse_rule, rules))), **options),
    )


def test_every_member_once_dist_info_last_record_at_the_end() -> None:
    found = plan({"zzz.txt": Sides(x86_64=b"1"), "Pkg/a": Sides(arm64=b""), **NATIVE})
    assert [member.name for member in found.members] == [
        "Pkg/a",
        "pkg/n.so",
        "zzz.txt",
        f"{DIST_INFO}/METADATA",
        f"{DIST_INFO}/WHEEL",
        f"{DIST_INFO}/fatwheel.json",
        f"{DIST_INFO}/RECORD",
    ]
    assert [type(member) for member in found.members] == [
        Keep,
        Fuse,
        Keep,
        Keep,
        WriteAnew,
        WriteAnew,
        WriteRecord,
    ]
    assert found.notes == ("a note",)
    assert found.dist_info == DIST_INFO


def test_files_of_the_wheel_itself_are_written_anew() -> None:
    report = Sides(x86_64=b"1", arm64=b"2")
    found = plan({f"{DIST_INFO}/fatwheel.json": report, **NATIVE})
    names = [member.name for member in found.members]
    assert len(names) == len(set(names))
    written = {m.name: m for m in found.members if isinstance(m, WriteAnew)}
    wheel = written[f"{DIST_INFO}/WHEEL"]
    assert (wheel.mode, wheel.content.decode().splitlines()[1:]) == (
        0o644,
        [
            f"Generator: {PlanOptions().generator}",
            "Root-Is-Purelib: false",
            "Tag: cp312-cp312-macosx_10_13_universal2",
        ],
    )
    record = found.members[-1]
    assert isinstance(record, WriteRecord)
    assert record.mode == 0o664


def test_the_report_names_what_one_wheel_alone_had() -> None:
    """So that `thin` can give each wheel back as it was."""
    found = plan(
        {
            "pkg/x.txt": Sides(x86_64=b"1"),
            "pkg/b.txt": Sides(arm64=b"1"),
            "pkg/a.txt": Sides(arm64=b"2"),
            "pkg/gone.txt": Sides(arm64=b"3"),
            "pkg/same.txt": Sides(x86_64=b"4", arm64=b"4"),
            **NATIVE,
        },
        "pkg/gone.*=drop",
    )
    report = next(m for m in found.members if m.name.endswith("fatwheel.json"))
    assert isinstance(report, WriteAnew)
    only = json.loads(report.content)["only"]
    assert only == {"x86_64": ["pkg/x.txt"], "arm64": ["pkg/a.txt", "pkg/b.txt"]}


def test_the_report_names_inputs_and_decisions() -> None:
    found = plan(
        {
            "pkg/b.txt": Sides(x86_64=b"1", arm64=b"2"),
            "pkg/a.txt": Sides(x86_64=b"1", arm64=b"2"),
            **NATIVE,
        },
        "pkg/a.*=keep-x86_64",
        on_conflict=Action.KEEP_ARM64,
        generator="fatwheel 9",
    )
    report = next(m for m in found.members if m.name.endswith("fatwheel.json"))
    assert isinstance(report, WriteAnew)
    assert json.loads(report.content) == {
        "generator": "fatwheel 9",
        "inputs": {
            "x86_64": {"filename": side(X).filename, "sha256": "x" * 64},
            "arm64": {"filename": side(A).filename, "sha256": "a" * 64},
        },
        "decisions": [
            {
                "member": "pkg/a.txt",
                "action": "keep-x86_64",
                "by": "--rule",
                "reason": "asked for by --rule",
            },
            {
                "member": "pkg/b.txt",
                "action": "keep-arm64",
                "by": "--on-conflict",
                "reason": "differs: 1 byte in the x86_64 wheel, 1 byte in the arm64 wheel",
            },
        ],
        "options": {"no-kind": ["all"]},
        "rules": [{"glob": "pkg/a.*", "action": "keep-x86_64"}],
    }


@pytest.mark.parametrize(
    ("off", "told"),
    [((), {}), (("sqlite",), {"no-kind": ["sqlite"]}), (all_kinds(), {"no-kind": ["all"]})],
    ids=["none", "one", "all"],
)
def test_kinds_that_are_off_are_told(off: tuple[str, ...], told: dict[str, object]) -> None:
    rules = RuleSet(rules=(), kinds=kinds_without(off))
    assert options_json(PlanOptions(rules=rules)) == told


def test_all_conflicts_are_collected() -> None:
    found = plan(
        {
            "pkg/a.txt": Sides(x86_64=b"1", arm64=b"2"),
            "pkg/b.py": Sides(x86_64=b"1"),
            "pkg/tool": Sides(x86_64=program(X), arm64=program(X)),
            "pkg/__pycache__/a.pyc": Sides(x86_64=b"1"),
        }
    )
    assert [c.name for c in found.conflicts] == ["pkg/a.txt", "pkg/b.py", "pkg/tool"]
    assert {type(m) for m in found.members} - {type(m) for m in found.written} == {Conflict, Drop}


def test_a_dylib_that_the_other_architecture_loads_is_a_conflict() -> None:
    loads = ["@loader_path/lib.dylib"]
    for loader, kind in ((X, Keep), (A, Conflict)):
        found = plan(
            {
                "pkg/lib.dylib": Sides(x86_64=dylib(X)),
                "pkg/n.so": Sides(
                    x86_64=code(X, loads=loads if loader is X else []),
                    arm64=code(A, loads=loads if loader is A else []),
                ),
            }
        )
        planned = next(m for m in found.members if m.name == "pkg/lib.dylib")
        assert type(planned) is kind, loader


def test_rules_of_the_user_that_match_nothing_are_told() -> None:
    rules = (
        *rule_book(),
        make_rule("pkg/none", "drop", origin="pyproject.toml"),
        make_rule("pkg/*", "drop", origin="pyproject.toml"),
        parse_rule("none/**=allow"),
        parse_rule("**/n.so=allow"),
    )
    found = plan_pair(pair(NATIVE), PlanOptions(rules=RuleSet(rules=rules)))
    assert [(rule.origin, rule.glob) for rule in found.unused_rules] == [
        ("pyproject.toml", "pkg/none"),
        ("--rule", "none/**"),
    ]


# ---- the name ----


@pytest.mark.parametrize(
    ("x86_64", "arm64", "options", "platforms"),
    [
        ("10_13_x86_64", "11_0_arm64", {}, "macosx_10_13_universal2"),
        ("10_13_x86_64", "12_0_arm64", {}, "macosx_10_13_x86_64.macosx_12_0_universal2"),
        ("12_0_x86_64", "11_0_arm64", {}, "macosx_11_0_arm64.macosx_12_0_universal2"),
        ("10_6_intel", "11_0_arm64", {}, "macosx_10_6_universal2"),
        (
            "10_12_x86_64",
            "11_0_arm64",
            {"tag_style": TagStyle.COMPRESSED},
            "macosx_10_12_universal2.macosx_10_12_x86_64.macosx_11_0_arm64",
        ),
        (
            "10_9_x86_64",
            "11_0_arm64",
            {"raise_floor": True},
            "macosx_10_15_x86_64.macosx_13_0_universal2",
        ),
    ],
    ids=["one tag", "newer arm64", "newer x86_64", "intel", "compressed", "floor of binaries"],
)
def test_the_platform_tags(
    x86_64: str, arm64: str, options: dict[str, Any], platforms: str
) -> None:
    # The minor version of a tag is 0 from macOS 11 on, so 12.3 needs a tag of 13.0.
    native = {
        "pkg/n.so": Sides(x86_64=code(X, minos=(10, 15)), arm64=code(A, minos=(12, 3))),
        "pkg/m.so": Sides(x86_64=code(X, minos=(10, 9)), arm64=code(A)),
    }
    sides = [f"pkg-1.0-cp312-cp312-macosx_{tag}.whl" for tag in (x86_64, arm64)]
    found = plan_pair(pair(native, side(X, sides[0]), side(A, sides[1])), PlanOptions(**options))
    assert found.name.filename == f"pkg-1.0-cp312-cp312-{platforms}.whl"


@pytest.mark.parametrize(
    ("builds", "option", "result"),
    [
        (("", ""), None, ""),
        (("1", "1"), None, "1-"),
        (("1", "2"), "3", "3-"),
        (("1", ""), "", ""),
        (("1", "1"), "2_a", "2_a-"),
        (("1", "1"), "", ""),
    ],
)
def test_the_build_tag(builds: tuple[str, str], option: str | None, result: str) -> None:
    sides = [
        side(arch, f"pkg-1.0-{build}-cp312-cp312-{tag}.whl".replace("--", "-"))
        for arch, build, tag in zip(
            Arch, builds, ("macosx_10_13_x86_64", "macosx_11_0_arm64"), strict=True
        )
    ]
    found = plan_pair(pair(NATIVE, *sides), PlanOptions(build_tag=option))
    assert found.name.filename == f"pkg-1.0-{result}cp312-cp312-macosx_10_13_universal2.whl"
    wheel = next(m for m in found.members if m.name == f"{DIST_INFO}/WHEEL")
    assert isinstance(wheel, WriteAnew)
    lines = [line for line in wheel.content.decode().splitlines() if line.startswith("Build:")]
    assert lines == ([f"Build: {result[:-1]}"] if result else [])


def test_build_tags_that_differ_need_the_option() -> None:
    sides = (side(X, "pkg-1.0-1-cp312-cp312-macosx_10_13_x86_64.whl"), side(A))
    with pytest.raises(
        RefusedError, match=r"has build tag '1' and .* has no build tag; .*: --build-tag 1$"
    ):
        plan_pair(pair(NATIVE, *sides), PlanOptions())


def test_a_bad_build_tag() -> None:
    with pytest.raises(
        WheelError, match="the build tag 'x' in the file name does not start with a"
    ):
        plan_pair(pair(NATIVE), PlanOptions(build_tag="x"))


def test_root_is_purelib_must_agree() -> None:
    with pytest.raises(
        RefusedError, match=r"Root-Is-Purelib is True in .*x86_64\.whl and False in"
    ):
        plan_pair(pair(NATIVE, side(X, purelib=True)), PlanOptions())
    found = plan_pair(pair(NATIVE, side(X, purelib=True), side(A, purelib=True)), PlanOptions())
    wheel = next(m for m in found.members if m.name == f"{DIST_INFO}/WHEEL")
    assert isinstance(wheel, WriteAnew)
    assert b"Root-Is-Purelib: true\n" in wheel.content


# ---- members that macOS takes for one file ----


@pytest.mark.parametrize(
    ("x86_64", "arm64", "problem"),
    [
        ("pkg/Data.txt", "pkg/data.txt", "is the same file as pkg/Data.txt on macOS once both are"),
        ("pkg/é.txt", "pkg/e\u0301.txt", "is the same file as pkg/"),
        ("pkg/a/b", "pkg/A", "is installed as a file where pkg/a/b needs a folder"),
        (
            f"{DATA}/platlib/pkg/x",
            "pkg/x",
            f"is installed in the same place as {DATA}/platlib/pkg/x",
        ),
        (f"{DATA}/scripts/x", f"{DATA}/data/bin/X", None),
        (f"{DATA}/purelib/pkg/E/e", "pkg/e", None),
    ],
    ids=[
        "case",
        "composition",
        "file and folder",
        "schemes",
        "scripts and data",
        "scheme and folder",
    ],
)
def test_members_that_collide_are_a_conflict(x86_64: str, arm64: str, problem: str | None) -> None:
    members = {x86_64: Sides(x86_64=b"1"), arm64: Sides(arm64=b"2")}
    rule = f"{x86_64}=allow"  # a script for one architecture is a conflict of its own
    (conflict,) = plan(members, rule).conflicts
    assert (conflict.name, conflict.kind) in {(arm64, "collision"), (x86_64, "collision")}
    assert conflict.remedies == (Action.DROP,)
    other = ({x86_64, arm64} - {conflict.name}).pop()
    assert problem is None or conflict.problem.startswith(problem)
    assert other in conflict.problem
    assert f"leave it out, or the other one (--rule '{other}=drop')" in conflict.matters
    for name in members:
        assert not any(c.kind == "collision" for c in plan(members, rule, f"{name}=drop").conflicts)


def test_the_rule_that_settles_a_collision_is_given_as_a_glob() -> None:
    members = {"pkg/[A].txt": Sides(x86_64=b"1"), "pkg/[a].txt": Sides(arm64=b"2")}
    (conflict,) = plan(members).conflicts
    assert "--rule 'pkg/[[]A].txt=drop'" in conflict.matters
    assert plan(members, "pkg/[[]A].txt=drop").conflicts == ()


@pytest.mark.parametrize(
    ("action", "kept"),
    [(Action.KEEP_X86_64, "pkg/Data.txt"), (Action.KEEP_ARM64, "pkg/data.txt")],
)
def test_an_option_settles_collisions_too(action: Action, kept: str) -> None:
    members = {"pkg/Data.txt": Sides(x86_64=b"1"), "pkg/data.txt": Sides(arm64=b"2")}
    made = plan(members, on_conflict=action)
    assert made.conflicts == ()
    assert {m.name for m in made.written} & set(members) == {kept}
    (decision,) = made.decisions
    assert {decision.member, kept} == set(members)
    assert decision.by == "--on-conflict"
    assert "pkg/data.txt is the same file as pkg/Data.txt" in decision.reason


def test_members_of_one_wheel_that_collide_are_a_conflict_too() -> None:
    members = {f"{DATA}/platlib/pkg/x.txt": b"1", "pkg/x.txt": b"2"}
    one = {name: Sides(x86_64=data) for name, data in members.items()}
    assert [c.name for c in plan(one).conflicts] == ["pkg/x.txt"]
    assert [c.name for c in plan(one, on_conflict=Action.KEEP_X86_64).conflicts] == ["pkg/x.txt"]
    assert plan(one, on_conflict=Action.KEEP_ARM64).conflicts == ()
    both = {name: Sides(x86_64=data, arm64=data) for name, data in members.items()}
    assert [c.name for c in plan(both).conflicts] == ["pkg/x.txt"]


def test_what_would_collide_with_the_wheels_own_files_goes() -> None:
    (conflict,) = plan({f"{DIST_INFO}/Fatwheel.json": Sides(arm64=b"{}")}).conflicts
    assert conflict.name == f"{DIST_INFO}/Fatwheel.json"
    both = Sides(x86_64=b"{}", arm64=b"{}")
    assert [c.name for c in plan({conflict.name: both}).conflicts] == [conflict.name]
    assert plan({conflict.name: Sides(arm64=b"{}")}, f"{conflict.name}=drop").conflicts == ()


def test_a_library_for_one_architecture_that_both_wheels_have_is_kept_unless_the_other_loads_it() -> (
    None
):
    members = {"pkg/attach.dylib": Sides(x86_64=dylib(X), arm64=dylib(X))}
    (kept,) = (m for m in plan(members).members if m.name == "pkg/attach.dylib")
    assert isinstance(kept, Keep)
    assert kept.note == "holds no code for arm64, and no arm64 code loads it"
    loader = dylib(A, loads=["@loader_path/attach.dylib"])
    (conflict,) = plan({**members, "pkg/b.dylib": Sides(arm64=loader)}).conflicts
    assert conflict.kind == "one-architecture"


def test_remedies_are_those_that_would_work() -> None:
    differing = {
        "pkg/a.py": Sides(x86_64=b"x = 1\n", arm64=b"x = 2\n"),
        "pkg/b.py": Sides(x86_64=b"#!/a\nx = 1\n", arm64=b"#!/b\nx = 1\n"),
        "pkg/c.c": Sides(x86_64=b"int x;\n", arm64=b"int y;\n"),
        "pkg/d.txt": Sides(x86_64=b"1\n", arm64=b"2\n"),
    }
    first = {c.name: c.remedies[0] for c in plan(differing).conflicts}
    assert first == {
        "pkg/a.py": Action.DISPATCH,
        "pkg/b.py": Action.KEEP_ARM64,
        "pkg/c.c": Action.GUARD,
        "pkg/d.txt": Action.KEEP_ARM64,
    }


def test_only_what_a_compiler_reads_is_guarded() -> None:
    members = {"pkg/a.pxd": Sides(x86_64=b"a\n", arm64=b"b\n")}
    (conflict,) = plan(members, "**=guard").conflicts
    assert "only text that a C or C++ compiler reads can be guarded" in conflict.problem


# ---- law ----

CONTENTS = st.sampled_from(
    [
        None,
        b"",
        b"1\n",
        b"x = 1\n",
        b"# c\nx = 1\n",
        code(X),
        code(A),
        dylib(X),
        program(A),
        code(X)[:30],
    ]
)
NAMES = st.sampled_from(
    [
        "pkg/a.py",
        "pkg/a.txt",
        "pkg/a.h",
        "pkg/a.so",
        "pkg/liba.dylib",
        "a.pth",
        "pkg/__pycache__/a.pyc",
        "pkg-1.0.data/scripts/a",
        f"{DIST_INFO}/RECORD.jws",
        f"{DIST_INFO}/entry_points.txt",
        f"{DIST_INFO}/top_level.txt",
        f"{DIST_INFO}/sboms/a.cdx.json",
        f"{DIST_INFO}/fatwheel.json",
    ]
)
RULES = st.lists(
    st.tuples(st.sampled_from(["**", "pkg/*", "*/a.py", "**/a.*"]), st.sampled_from(Action)),
    max_size=3,
)


@given(
    st.dictionaries(NAMES, st.tuples(CONTENTS, CONTENTS).filter(any)),
    RULES,
    st.sampled_from([None, Action.KEEP_X86_64, Action.KEEP_ARM64]),
)
def test_law_the_plan_is_total_and_does_not_depend_on_the_order_of_members(
    contents: dict[str, tuple[bytes | None, bytes | None]],
    rules: list[tuple[str, Action]],
    on_conflict: Action | None,
) -> None:
    sides = {
        name: Sides(x86_64=x, arm64=a)
        for name, (x, a) in contents.items()
        if (x, a) != (None, None)
    }
    options = PlanOptions(
        rules=RuleSet(rules=tuple(make_rule(g, a.value, origin="--rule") for g, a in rules)),
        on_conflict=on_conflict,
    )
    inputs = pair(sides)
    found = plan_pair(inputs, options)
    names = sorted(member.name for member in found.members)
    own = {f"{DIST_INFO}/{base}" for base in ("WHEEL", "RECORD", "fatwheel.json")}
    assert names == sorted({*sides, *OWN, *own})
    turned = plan_pair(replace(inputs, members=inputs.members[::-1]), options)
    assert found.members == turned.members
    settled = {d.member for d in found.decisions}
    assert settled.isdisjoint(c.name for c in found.conflicts)
    if on_conflict is not None:
        assert found.conflicts == ()
