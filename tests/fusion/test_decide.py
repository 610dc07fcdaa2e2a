"""What becomes of one member: the design's table, row by row, and what rules do to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from fatwheel.action import Action
from fatwheel.arch import Arch
from fatwheel.fusion.actions import Conflict, Decision, Drop, Fuse, Keep, Merge, Planned
from fatwheel.fusion.decide import Decider
from fatwheel.fusion.rules import Rule, RuleSet, make_rule, parse_rule
from fatwheel.macho.image import FileType
from fatwheel.wheels.loads import LoadGraph
from tests.support.macho import ARM64E, I386
from tests.support.wheels import (
    DIST_INFO,
    METADATA,
    A,
    Sides,
    X,
    code,
    dylib,
    program,
    static,
    stub,
    universal,
)

ENTRY_POINTS = b"[console_scripts]\na = pkg:main\n"
SBOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "%s", "version": 1}'
PYTHON = (b"x = 1\n", b"x = 2\n")
HEADER = (b"#define A 1\n", b"#define A 2\n")
BOTH = ("x86_64-macos", "arm64-macos")


def decide(
    name: str,
    sides: Sides,
    *rules: str | Rule,
    on_conflict: Action | None = None,
    loaded_by: dict[str, frozenset[Arch]] | None = None,
    bundles: Iterable[str] = (),
) -> tuple[Planned, Decision | None]:
    """Decide on one member, with rules of the command line in rising precedence."""
    decider = Decider(
        project="pkg",
        dist_info=DIST_INFO,
        rules=RuleSet(rules=tuple(parse_rule(r) if isinstance(r, str) else r for r in rules)),
        graph=LoadGraph(loaded_by or {}),
        bundles=frozenset(bundles),
        on_conflict=on_conflict,
    )
    return decider.decide(sides.pair(name))


def both(x86_64: bytes, arm64: bytes, **options: Any) -> Sides:
    return Sides(x86_64=x86_64, arm64=arm64, **options)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the design's table: what is expected of a member without any rule."""

    name: str
    sides: Sides
    kind: type
    text: str = ""
    content: bytes | None = None


ROWS = {
    "equal text": Row(name="pkg/a.py", sides=both(b"1", b"1"), kind=Keep),
    "equal universal file": Row(
        name="pkg/a.so",
        sides=both(universal(code(X), code(A)), universal(code(X), code(A))),
        kind=Keep,
    ),
    "equal file of one architecture": Row(
        name="pkg/tool",
        sides=both(program(X), program(X)),
        kind=Conflict,
        text="is the same file in both wheels and holds no code for arm64",
    ),
    "equal module of neither architecture": Row(
        name="pkg/a.so",
        sides=both(code(X, cpu=I386), code(X, cpu=I386)),
        kind=Conflict,
        text="holds no code for x86_64 or arm64, but for i386, and Python would import it",
    ),
    "equal template of neither architecture": Row(
        name="pkg/tool.in",
        sides=both(program(X, cpu=I386), program(X, cpu=I386)),
        kind=Keep,
        text="holds code for i386 only, and nothing uses it as code",
    ),
    "equal library for another platform": Row(
        name="pkg/ios/liba.a",
        sides=both(static(A, platform=2), static(A, platform=2)),
        kind=Keep,
        text="holds code for arm64 on iOS only, and nothing uses it as code",
    ),
    "equal library for macOS and another platform": Row(
        name="pkg/liba.dylib",
        sides=both(
            universal(dylib(X), dylib(A, platform=2)), universal(dylib(X), dylib(A, platform=2))
        ),
        kind=Conflict,
        text="holds no macOS code for arm64, but for x86_64 and arm64 on iOS",
    ),
    "equal dylib of one architecture": Row(
        name="pkg/attach_x86_64.dylib",
        sides=both(dylib(X), dylib(X)),
        kind=Keep,
        text="holds no code for arm64, and no arm64 code loads it",
    ),
    "modules in the wrong wheels": Row(
        name="pkg/a.so",
        sides=both(code(A), code(X)),
        kind=Conflict,
        text="is for arm64 in the x86_64 wheel and for x86_64 in the arm64 wheel",
    ),
    "static libraries in the wrong wheels": Row(
        name="pkg/a.a",
        sides=both(static(A), static(X)),
        kind=Conflict,
        text="is for arm64 in the x86_64 wheel and for x86_64 in the arm64 wheel",
    ),
    "debug symbols in the wrong wheels": Row(
        name="pkg/a.so.dSYM/Contents/Resources/DWARF/a.so",
        sides=both(code(A, kind=FileType.DSYM), code(X, kind=FileType.DSYM)),
        kind=Conflict,
        text="is for arm64 in the x86_64 wheel",
    ),
    "the other wheel has what its own lacks": Row(
        name="pkg/a.so",
        sides=both(universal(code(X), code(A)), code(X, b"other")),
        kind=Fuse,
        text=(
            "took the arm64 slice of the x86_64 wheel, since its own has none; "
            "left out the x86_64 slice of the arm64 wheel"
        ),
    ),
    "a module for iOS": Row(
        name="pkg/a.so",
        sides=both(code(X), code(A, platform=2)),
        kind=Conflict,
        text=(
            "holds no macOS code for arm64: in the x86_64 wheel it is for x86_64, "
            "in the arm64 wheel for arm64 on iOS"
        ),
    ),
    "a module for the simulator": Row(
        name="pkg/a.so",
        sides=both(code(X, platform=7), code(A)),
        kind=Conflict,
        text="holds no macOS code for x86_64: in the x86_64 wheel it is for x86_64 on the iOS simul",
    ),
    "a program for Catalyst": Row(
        name="pkg/tool", sides=both(program(X), program(A, platform=6)), kind=Fuse
    ),
    "archives of objects for Catalyst": Row(
        name="pkg/a.a",
        sides=both(static(X, platform=6), static(A, platform=6)),
        kind=Conflict,
        text="holds no macOS code for x86_64 or arm64",
    ),
    "archives of objects for macOS and of some that say nothing": Row(
        name="pkg/a.a", sides=both(static(X), static(A, platform=1)), kind=Fuse
    ),
    "text stubs for each": Row(
        name="pkg/a.tbd",
        sides=both(stub("x86_64-macos"), stub("arm64-macos")),
        kind=Conflict,
        text="is a text stub for x86_64-macos in the x86_64 wheel and for arm64-macos in the arm64",
    ),
    "text stubs for both that differ elsewhere": Row(
        name="pkg/a.tbd",
        sides=both(stub(*BOTH), stub(*BOTH) + b"\n"),
        kind=Conflict,
        text="differs: 97 bytes in the x86_64 wheel, 98 bytes in the arm64 wheel",
    ),
    "equal text stubs": Row(name="pkg/a.tbd", sides=both(stub(*BOTH), stub(*BOTH)), kind=Keep),
    "a text stub and the library": Row(
        name="pkg/a.tbd",
        sides=both(stub("x86_64-macos"), dylib(A)),
        kind=Conflict,
        text="is a text stub in the x86_64 wheel and a Mach-O file in the arm64 wheel",
    ),
    "a text stub on one side": Row(
        name="pkg/a.tbd",
        sides=Sides(arm64=stub("arm64-macos")),
        kind=Keep,
        text="only the arm64 wheel has it",
    ),
    "Fortran modules": Row(
        name="pkg/a.mod",
        sides=both(b"\x1f\x8b1", b"\x1f\x8b22"),
        kind=Conflict,
        text="differs: 3 bytes",
    ),
    "bundles": Row(name="pkg/a.so", sides=both(code(X), code(A)), kind=Fuse),
    "dylibs": Row(name="pkg/a", sides=both(dylib(X), dylib(A)), kind=Fuse),
    "programs without a suffix": Row(
        name="pkg-1.0.data/scripts/tool", sides=both(program(X), program(A)), kind=Fuse
    ),
    "images that are named like a source": Row(
        name="pkg/a.py", sides=both(code(X), code(A)), kind=Fuse
    ),
    "static libraries": Row(name="pkg/a.a", sides=both(static(X), static(A)), kind=Fuse),
    "thin meets fat": Row(
        name="pkg/a.so",
        sides=both(code(X), universal(code(X, b"other"), code(A))),
        kind=Fuse,
        text="left out the x86_64 slice of the arm64 wheel",
    ),
    "arm64e is kept": Row(
        name="pkg/a.so", sides=both(code(X), universal(code(A), code(A, cpu=ARM64E))), kind=Fuse
    ),
    "both for one architecture": Row(
        name="pkg/a.so",
        sides=both(code(X, b"1"), code(X, b"2")),
        kind=Conflict,
        text="holds no code for arm64 in either wheel",
    ),
    "an image and a static library": Row(
        name="pkg/a",
        sides=both(code(X), static(A)),
        kind=Conflict,
        text="is a static library in one wheel and an image in the other",
    ),
    "an image and a text": Row(
        name="pkg/a",
        sides=both(code(X), b"#!/bin/sh\n"),
        kind=Conflict,
        text="is a Mach-O file in the x86_64 wheel and something else in the arm64 wheel",
    ),
    "a payload on the x86_64 side": Row(
        name="pkg/tool",
        sides=both(program(X, trailing=b"0123456789"), program(A)),
        kind=Conflict,
        text="in the x86_64 wheel it carries 10 bytes of its own at its end (from byte 300)",
    ),
    "a payload on the arm64 side": Row(
        name="pkg/tool",
        sides=both(program(X), program(A, trailing=b"0123456789")),
        kind=Conflict,
        text="in the arm64 wheel it carries 10 bytes of its own",
    ),
    "a payload behind a universal file": Row(
        name="pkg/tool",
        sides=both(program(X), universal(program(A)) + b"0123456789"),
        kind=Conflict,
        text="in the arm64 wheel it carries 10 bytes of its own",
    ),
    "METADATA with equal values": Row(
        name=f"{DIST_INFO}/METADATA",
        sides=both(METADATA + b"License: MIT\n", b"License: MIT\n" + METADATA),
        kind=Keep,
    ),
    "METADATA with other values": Row(
        name=f"{DIST_INFO}/METADATA",
        sides=both(METADATA, METADATA + b"License: MIT\n"),
        kind=Conflict,
        text="License",
    ),
    "entry points that agree": Row(
        name=f"{DIST_INFO}/entry_points.txt",
        sides=both(ENTRY_POINTS, ENTRY_POINTS.replace(b" = ", b"=")),
        kind=Keep,
    ),
    "entry points that differ": Row(
        name=f"{DIST_INFO}/entry_points.txt",
        sides=both(ENTRY_POINTS, ENTRY_POINTS.replace(b"main", b"start")),
        kind=Conflict,
        text="pkg:start",
    ),
    "top-level names": Row(
        name=f"{DIST_INFO}/top_level.txt",
        sides=both(b"pkg\n_x\n", b"pkg\n_a\n"),
        kind=Merge,
        content=b"_a\n_x\npkg\n",
    ),
    "SBOMs": Row(
        name=f"{DIST_INFO}/sboms/pkg.cyclonedx.json",
        sides=both(
            SBOM % b"urn:uuid:00000000-0000-4000-8000-000000000001",
            SBOM % b"urn:uuid:00000000-0000-4000-8000-000000000002",
        ),
        kind=Merge,
    ),
    "an SBOM that is none": Row(
        name=f"{DIST_INFO}/sboms/pkg.cyclonedx.json", sides=both(b"{", b"}"), kind=Conflict
    ),
    "C headers": Row(name="pkg/a.h", sides=both(*HEADER), kind=Merge),
    "C++ headers": Row(name="pkg/a.hpp", sides=both(*HEADER), kind=Merge),
    "a C header that cannot be guarded": Row(
        name="pkg/a.h", sides=both(b"#if 1\n", b"\n"), kind=Conflict
    ),
    "comments of a Python module": Row(
        name="pkg/a.py", sides=both(b"x = 1  # a\n", b"x = 1\n\n"), kind=Keep
    ),
    "comments of a stub": Row(
        name="pkg/a.pyi", sides=both(b"x: int  # a\n", b"x: int\n\n"), kind=Keep
    ),
    "a Python module": Row(name="pkg/a.py", sides=both(*PYTHON), kind=Conflict),
    "a text": Row(
        name="pkg/a.txt",
        sides=both(b"a\n", b"bc\n"),
        kind=Conflict,
        text="differs: 2 bytes in the x86_64 wheel, 3 bytes in the arm64 wheel",
    ),
    "METADATA of another project's folder is a text": Row(
        name="pkg/METADATA", sides=both(METADATA, METADATA + b"License: MIT\n"), kind=Conflict
    ),
    "a malformed image": Row(
        name="pkg/a.so",
        sides=both(code(X)[:40], code(A)[:40]),
        kind=Conflict,
        text="; it begins like a Mach-O file, but ",
    ),
    "a dylib on one side": Row(
        name="pkg/lib-a.dylib",
        sides=Sides(x86_64=dylib(X)),
        kind=Keep,
        text="only the x86_64 wheel has it",
    ),
    "a data file on one side": Row(
        name="pkg/a.txt", sides=Sides(arm64=b"a"), kind=Keep, text="only the arm64 wheel has it"
    ),
    "a static library on one side": Row(
        name="pkg/a.a",
        sides=Sides(x86_64=static(X)),
        kind=Keep,
        text="only the x86_64 wheel has it",
    ),
    "a dylib of the other architecture on one side": Row(
        name="pkg/lib-a.dylib",
        sides=Sides(x86_64=dylib(A)),
        kind=Keep,
        text="only the x86_64 wheel has it, with code for arm64",
    ),
    "a dylib for macOS and another platform on one side": Row(
        name="pkg/lib-a.dylib",
        sides=Sides(x86_64=universal(dylib(X), dylib(A, platform=2))),
        kind=Conflict,
        text="only the x86_64 wheel has it, for x86_64 and arm64 on iOS",
    ),
    "a plug-in on one side": Row(
        name="pkg/liba_plugin.so",
        sides=Sides(arm64=code(A, exports=["_other"])),
        kind=Keep,
        text="only the arm64 wheel has it",
    ),
    "a module in another prefix on one side": Row(
        name="a.prefix/lib/python3.12/site-packages/pkg/a.cpython-312-darwin.so",
        sides=Sides(x86_64=code(X, exports=["_PyInit_a"])),
        kind=Conflict,
        text="become importable",
    ),
    "a source in another prefix on one side": Row(
        name="a.prefix/lib/python3.12/site-packages/pkg/a.py",
        sides=Sides(x86_64=b""),
        kind=Conflict,
        text="become importable",
    ),
    "an extension module on one side": Row(
        name="pkg/a.so", sides=Sides(x86_64=code(X)), kind=Conflict, text="become importable"
    ),
    "a module on one side": Row(
        name="pkg/a.py", sides=Sides(arm64=b"a"), kind=Conflict, text="become importable"
    ),
    "a .pth on one side": Row(
        name="a.pth", sides=Sides(arm64=b"a"), kind=Conflict, text="become importable"
    ),
    "a script on one side": Row(
        name="pkg-1.0.data/scripts/a", sides=Sides(arm64=b"a"), kind=Conflict, text="a command"
    ),
    "a program on one side": Row(
        name="pkg/tool-arm64", sides=Sides(arm64=program(A)), kind=Conflict, text="could not run"
    ),
    "entry points on one side": Row(
        name=f"{DIST_INFO}/entry_points.txt",
        sides=Sides(arm64=ENTRY_POINTS),
        kind=Conflict,
        text="entry points",
    ),
    "top-level names on one side": Row(
        name=f"{DIST_INFO}/top_level.txt",
        sides=Sides(arm64=b"pkg\n"),
        kind=Keep,
        text="only the arm64",
    ),
    "a signature of RECORD": Row(
        name=f"{DIST_INFO}/RECORD.jws",
        sides=both(b"1", b"2"),
        kind=Drop,
        text="it signs the RECORD",
    ),
    "another signature of RECORD": Row(
        name=f"{DIST_INFO}/RECORD.p7s",
        sides=Sides(arm64=b"1"),
        kind=Drop,
        text="it signs the RECORD",
    ),
    "no signature of RECORD": Row(name="pkg/RECORD.jws", sides=both(b"1", b"1"), kind=Keep),
    "byte code": Row(
        name="pkg/__pycache__/a.cpython-312.pyc",
        sides=both(b"1", b"1"),
        kind=Drop,
        text="Python writes its byte code anew",
    ),
    "byte code on one side": Row(
        name="__pycache__/a.cpython-312.pyc", sides=Sides(arm64=b"1"), kind=Drop, text="anew"
    ),
    "a file called __pycache__": Row(name="pkg/__pycache__", sides=both(b"1", b"1"), kind=Keep),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row_of_the_table(row: Row) -> None:
    planned, decision = decide(row.name, row.sides)
    assert type(planned) is row.kind
    assert planned.name == row.name
    assert decision is None
    said = " ".join(str(getattr(planned, field, "")) for field in ("note", "how", "why", "problem"))
    assert row.text in said
    if row.content is not None:
        assert isinstance(planned, Merge)
        assert planned.content == row.content


@pytest.mark.parametrize("label", [label for label, row in ROWS.items() if row.kind is Conflict])
def test_a_conflict_says_why_it_matters_and_what_settles_it(label: str) -> None:
    row = ROWS[label]
    conflict, _ = decide(row.name, row.sides)
    assert isinstance(conflict, Conflict)
    assert conflict.matters
    assert conflict.remedies
    for action in conflict.remedies:
        settled, decision = decide(row.name, row.sides, f"{row.name}={action.value}")
        assert not isinstance(settled, Conflict), action
        assert decision is not None
        assert (decision.member, decision.action, decision.by) == (row.name, action, "--rule")


@pytest.mark.parametrize("label", [label for label, row in ROWS.items() if row.kind is Conflict])
@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_on_conflict_settles_all_the_rest(label: str, arch: Arch) -> None:
    row = ROWS[label]
    action = {X: Action.KEEP_X86_64, A: Action.KEEP_ARM64}[arch]
    planned, decision = decide(row.name, row.sides, on_conflict=action)
    assert decision == Decision(
        member=row.name,
        action=action,
        by="--on-conflict",
        reason=decision.reason if decision else "",
    )
    assert row.text in decision.reason
    member = row.sides.pair(row.name).member(arch)
    if member is None:
        assert planned == Drop(
            name=row.name,
            why=f"--on-conflict {action.value}; the {arch.value} wheel does not have it",
        )
    else:
        assert isinstance(planned, Keep)
        assert (planned.source, planned.member.sha256) == (arch, member.sha256)


@pytest.mark.parametrize(
    "label", [label for label, row in ROWS.items() if row.kind is not Conflict]
)
def test_on_conflict_touches_nothing_else(label: str) -> None:
    row = ROWS[label]
    assert decide(row.name, row.sides, on_conflict=Action.KEEP_X86_64) == decide(
        row.name, row.sides
    )


UNTOUCHABLE = [
    label
    for label, row in ROWS.items()
    if row.kind is Fuse
    or (row.kind is Keep and not row.text and row.sides.x86_64 == row.sides.arm64)
]


@pytest.mark.parametrize("label", UNTOUCHABLE)
@pytest.mark.parametrize(
    "action", [a for a in Action if a is not Action.DROP], ids=lambda a: a.value
)
def test_a_wide_rule_leaves_alone_what_is_settled(label: str, action: Action) -> None:
    row = ROWS[label]
    assert decide(row.name, row.sides, f"**={action.value}") == decide(row.name, row.sides)


@pytest.mark.parametrize("label", [label for label in ROWS if label[:13] != "METADATA with"])
def test_drop_drops_whatever_it_names(label: str) -> None:
    row = ROWS[label]
    planned, decision = decide(row.name, row.sides, f"{row.name}=drop")
    assert isinstance(planned, Drop)
    assert (decision is None) == (row.kind is Drop)


@pytest.mark.parametrize("label", ["METADATA with equal values", "METADATA with other values"])
def test_metadata_is_never_dropped(label: str) -> None:
    row = ROWS[label]
    planned, decision = decide(row.name, row.sides, "**=drop")
    assert isinstance(planned, Conflict)
    assert planned.problem == "--rule '**' asks for drop, which does not fit: every wheel has one"
    assert Action.DROP not in planned.remedies
    assert decision is None


NO_CODE = "either wheel's file leaves an architecture without code"
ALL_WRONG = {
    "modules in the wrong wheels": NO_CODE,
    "static libraries in the wrong wheels": NO_CODE,
    "debug symbols in the wrong wheels": NO_CODE,
    "a module for iOS": NO_CODE,
    "a module for the simulator": NO_CODE,
    "archives of objects for Catalyst": NO_CODE,
    "text stubs for each": "with one wheel's stub nothing links for the other architecture",
    "Fortran modules": "a Fortran compiler writes a module file for one architecture",
}


@pytest.mark.parametrize("label", [label for label, row in ROWS.items() if row.kind is Conflict])
def test_a_warning_goes_with_remedies_that_are_all_wrong(label: str) -> None:
    row = ROWS[label]
    conflict, _ = decide(row.name, row.sides)
    assert isinstance(conflict, Conflict)
    assert conflict.warning.startswith(ALL_WRONG.get(label, ""))
    assert bool(conflict.warning) == (label in ALL_WRONG)


SEALED = "the signatures of the code in pkg/Z.framework/Versions/5 seal it"


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("pkg/Z.framework/Versions/5/Resources/Info.plist", SEALED),
        ("pkg/Z.framework/Versions/5/_CodeSignature/CodeResources", SEALED),
        ("pkg/Z.framework/Versions/6/Resources/Info.plist", ""),
        ("pkg/Z.framework/Resources/Info.plist", ""),
        ("pkg/tracker.mod", ""),
    ],
)
def test_a_warning_goes_with_what_signatures_seal(name: str, warning: str) -> None:
    conflict, _ = decide(name, both(b"1", b"2"), bundles=["pkg/Z.framework/Versions/5", "x"])
    assert isinstance(conflict, Conflict)
    assert conflict.warning.startswith(warning)
    assert bool(conflict.warning) == bool(warning)


# ---- rules ----


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_keep(arch: Arch) -> None:
    sides = both(*PYTHON)
    planned, decision = decide("pkg/a.py", sides, f"pkg/a.py=keep-{arch.value}")
    assert isinstance(planned, Keep)
    assert (planned.source, planned.note) == (arch, "asked for by --rule")
    assert planned.member == sides.pair("pkg/a.py").member(arch)
    assert decision == Decision(
        member="pkg/a.py",
        action=Action(f"keep-{arch.value}"),
        by="--rule",
        reason="asked for by --rule",
    )


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
def test_keep_of_the_side_that_has_no_such_file_drops_it(arch: Arch) -> None:
    sides = Sides(x86_64=b"1") if arch is A else Sides(arm64=b"1")
    for name in ("pkg/a.py", "pkg/a.txt"):
        planned, decision = decide(name, sides, f"**=keep-{arch.value}")
        assert isinstance(planned, Drop)
        assert planned.why.endswith(f"the {arch.value} wheel does not have it")
        assert decision is not None


def test_keep_overrides_what_would_be_merged() -> None:
    planned, decision = decide("pkg/a.h", both(*HEADER), "pkg/*.h=keep-x86_64")
    assert isinstance(planned, Keep)
    assert planned.source is X
    assert decision is not None


def test_guard_and_dispatch_write_new_text() -> None:
    guarded, _ = decide("pkg/a.inc", both(*HEADER), "pkg/a.inc=guard")
    assert isinstance(guarded, Merge)
    assert b"#if defined(__x86_64__)\n#define A 1\n" in guarded.content
    dispatched, _ = decide("pkg/a.py", both(*PYTHON), "pkg/a.py=dispatch")
    assert isinstance(dispatched, Merge)
    assert b"uname().machine" in dispatched.content


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("pkg/a.so", Sides(x86_64=code(X))),
        ("pkg/tool", both(program(X), program(X))),
        ("pkg/a.py", Sides(arm64=b"1")),
    ],
    ids=["one-sided module", "one architecture", "one-sided source"],
)
def test_allow(name: str, sides: Sides) -> None:
    planned, decision = decide(name, sides, "**=allow")
    assert isinstance(planned, Keep)
    assert decision is not None
    assert decision.action is Action.ALLOW


@pytest.mark.parametrize(
    ("name", "sides", "action", "why"),
    [
        ("pkg/a.txt", both(b"1", b"2"), "allow", "it is in both wheels and differs"),
        ("pkg/a.so", both(code(X, b"1"), code(X, b"2")), "allow", "it is in both wheels and diff"),
        ("pkg/a.py", Sides(arm64=b"1"), "guard", "it is not a text of at most 1 MiB that both"),
        ("pkg/a.py", Sides(arm64=b"1"), "dispatch", "it is not a text of at most 1 MiB"),
        ("pkg/tool", both(program(X), program(X)), "guard", "it is not a text"),
        ("pkg/a.pyi", both(*PYTHON), "dispatch", "only a Python module can choose its own source"),
        ("pkg/a.txt", both(b"1", b"2"), "dispatch", "only a Python module can choose"),
        ("pkg/a.txt", both(b"/*", b"2"), "guard", ""),
        ("pkg/a.py", both(b"x = \n", b"\xff\n"), "dispatch", ""),
    ],
)
def test_a_rule_that_does_not_fit_leaves_a_conflict_that_says_so(
    name: str, sides: Sides, action: str, why: str
) -> None:
    planned, decision = decide(name, sides, f"{name}={action}")
    assert isinstance(planned, Conflict)
    assert planned.kind == "rule"
    assert planned.problem.startswith(
        f"--rule '{name}' asks for {action}, which does not fit: {why}"
    )
    assert decision is None


def test_on_conflict_settles_what_an_unfit_rule_left() -> None:
    planned, decision = decide(
        "pkg/a.txt", both(b"1", b"2"), "**=dispatch", on_conflict=Action.KEEP_ARM64
    )
    assert isinstance(planned, Keep)
    assert decision is not None
    assert decision.by == "--on-conflict"


def test_precedence_is_book_then_pyproject_then_command_line() -> None:
    book = Rule(
        glob="pkg/a.txt",
        action=Action.KEEP_ARM64,
        reason="because of the book",
        origin="rule book",
        project="pkg",
    )
    settings = make_rule("pkg/*", "keep-x86_64", origin="pyproject.toml")
    line = parse_rule("**=drop")
    sides = both(b"1", b"2")
    found = [
        decide("pkg/a.txt", sides, *rules)[1]
        for rules in ([book], [book, settings], [book, settings, line])
    ]
    assert [(d.by, d.action, d.reason) for d in found if d] == [
        ("rule book", Action.KEEP_ARM64, "because of the book"),
        ("pyproject.toml", Action.KEEP_X86_64, "asked for by pyproject.toml"),
        ("--rule", Action.DROP, "asked for by --rule"),
    ]


def test_an_unfit_rule_does_not_fall_back_to_a_weaker_one() -> None:
    planned, _ = decide("pkg/a.txt", both(b"1", b"2"), "**=keep-arm64", "**=dispatch")
    assert isinstance(planned, Conflict)


# ---- details ----


def test_modes_are_united() -> None:
    modes = {X: 0o644, A: 0o755}
    for name, sides in {
        "pkg/a.txt": both(b"1", b"1", modes=modes),
        "pkg/a.so": both(code(X), code(A), modes=modes),
        "pkg/a.h": both(*HEADER, modes=modes),
    }.items():
        planned, _ = decide(name, sides)
        assert isinstance(planned, Keep | Fuse | Merge)
        assert planned.mode == 0o755
    planned, _ = decide("pkg/a.txt", Sides(x86_64=b"1", modes={X: 0o600}))
    assert isinstance(planned, Keep)
    assert planned.mode == 0o600


@pytest.mark.parametrize(
    ("x86_64", "arm64", "source"),
    [(9, 10, X), (10, 10, A), (10, 9, A)],
    ids=["x86_64", "equal", "arm64"],
)
def test_of_equal_members_the_smaller_encoding_is_copied(
    x86_64: int, arm64: int, source: Arch
) -> None:
    planned, _ = decide("pkg/a", both(b"1", b"1", packed={X: x86_64, A: arm64}))
    assert isinstance(planned, Keep)
    assert (planned.source, planned.member.entry.compressed_size) == (source, min(x86_64, arm64))


@pytest.mark.parametrize("arch", Arch, ids=lambda arch: arch.value)
@pytest.mark.parametrize("loader", Arch, ids=lambda arch: f"loaded by {arch.value}")
def test_a_dylib_on_one_side_is_kept_unless_the_other_loads_it(arch: Arch, loader: Arch) -> None:
    sides = Sides(x86_64=dylib(X)) if arch is X else Sides(arm64=dylib(A))
    planned, _ = decide("pkg/lib.dylib", sides, loaded_by={"pkg/lib.dylib": frozenset({loader})})
    assert isinstance(planned, Keep if loader is arch else Conflict)
    if isinstance(planned, Conflict):
        assert planned.kind == "one-sided"
        assert planned.problem.endswith(f"and code for {loader.value} loads it")


def test_a_text_that_differs_is_shown_and_a_large_one_is_not() -> None:
    planned, _ = decide("pkg/a.py", both(*PYTHON))
    assert isinstance(planned, Conflict)
    assert planned.diff == ("@@ line 1 @@", "-x = 1", "+x = 2")
    assert planned.remedies[0] is Action.DISPATCH
    pair = both(b"a", b"b").pair("pkg/a.py")
    unread = type(pair)(name=pair.name, x86_64=pair.x86_64, arm64=pair.arm64)
    decider = Decider(project="pkg", dist_info=DIST_INFO, rules=RuleSet(), graph=LoadGraph({}))
    conflict, _ = decider.decide(unread)
    assert isinstance(conflict, Conflict)
    assert conflict.diff == ()
    assert Action.DISPATCH not in conflict.remedies


def test_python_that_differs_in_comments_keeps_arm64s() -> None:
    planned, _ = decide("pkg/a.py", both(b"x = 1  # a\n", b"x = 1\n\n"))
    assert isinstance(planned, Keep)
    assert planned.source is A
    assert planned.note
