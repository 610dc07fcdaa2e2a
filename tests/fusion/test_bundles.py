"""Signed bundles, and what is said where a seal cannot hold for both architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

from fatwheel.fusion.bundles import bundle_of, find_bundles
from fatwheel.fusion.fuse import FuseOptions, plan_fuse
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rules import RuleSet, parse_rule
from tests.support.wheels import A, Side, X, dylib, make_pair

BUNDLE = "pkg/Z.framework/Versions/5"
SEAL = f"{BUNDLE}/_CodeSignature/CodeResources"
INFO = f"{BUNDLE}/Resources/Info.plist"
CODE = f"{BUNDLE}/Z"


def notes(folder: Path, x86_64: Side, arm64: Side, *rules: str) -> list[str]:
    """The notes of the plan for a pair that holds, besides, a signed framework."""
    pair = make_pair(
        folder,
        x86_64={CODE: dylib(X), SEAL: b"1", INFO: b"1"} | dict(x86_64),
        arm64={CODE: dylib(A), SEAL: b"1", INFO: b"1"} | dict(arm64),
    )
    options = PlanOptions(rules=RuleSet(rules=tuple(map(parse_rule, rules))))
    return list(plan_fuse(*pair, FuseOptions(plan=options)).notes)


def test_bundles_are_found_by_their_seals() -> None:
    names = [SEAL, "a.app/Contents/_CodeSignature/CodeResources", "b/_CodeSignature/CodeDirectory"]
    found = find_bundles(names)
    assert found == {BUNDLE, "a.app/Contents"}
    assert bundle_of(CODE, found) == BUNDLE
    assert bundle_of(INFO, found) == BUNDLE
    assert bundle_of("a.app/Contents/Resources/b/c", found) == "a.app/Contents"
    assert bundle_of("a.app/PkgInfo", found) is None
    assert bundle_of("pkg/Z.framework/Versions/50/Z", found) is None
    assert bundle_of("Z", find_bundles([])) is None


def test_seals_that_hold_for_both_are_not_worth_a_word(tmp_path: Path) -> None:
    assert notes(tmp_path, {}, {}) == []


@pytest.mark.parametrize(
    ("x86_64", "arm64", "rules", "broken"),
    [
        ({INFO: b"2"}, {}, ["**=keep-arm64"], ["x86_64"]),
        ({SEAL: b"2"}, {}, ["**=keep-x86_64"], ["arm64"]),
        ({INFO: b"2"}, {}, [f"{INFO}=drop"], ["x86_64", "arm64"]),
        ({f"{BUNDLE}/Resources/a.txt": b"2"}, {}, [], ["arm64"]),
        (
            {f"{BUNDLE}/Resources/a.h": b"2"},
            {f"{BUNDLE}/Resources/a.h": b"3"},
            [],
            ["x86_64", "arm64"],
        ),
        ({"pkg/Z.framework/a.txt": b"2"}, {"pkg/Z.framework/a.txt": b"3"}, ["**=keep-arm64"], []),
    ],
    ids=["Info.plist", "seal", "dropped", "one-sided", "merged", "outside"],
)
def test_a_seal_that_cannot_hold_is_noted(
    x86_64: Side, arm64: Side, rules: list[str], broken: list[str], tmp_path: Path
) -> None:
    found = notes(tmp_path, x86_64, arm64, *rules)
    assert len(found) == len(broken)
    for note, arch in zip(found, broken, strict=True):
        assert note.startswith(
            f"the {arch} code of a signed bundle ({BUNDLE}) is sealed together with files"
        )
        assert note.endswith("codesign --verify refuses it, so sign anew what has to pass that")


def test_an_open_conflict_is_no_decision_yet(tmp_path: Path) -> None:
    assert notes(tmp_path, {INFO: b"2"}, {}) == []


def test_several_bundles_are_one_note_and_current_is_a_copy(tmp_path: Path) -> None:
    def more(arch: str, code: bytes) -> dict[str, bytes]:
        versions = [f"pkg/Y.framework/Versions/{version}" for version in ("A", "Current")]
        return {
            f"{version}/{name}": data
            for version in versions
            for name, data in (("Y", code), ("_CodeSignature/CodeResources", arch.encode()))
        }

    other = {SEAL: b"2"}
    (note,) = notes(
        tmp_path, {**more("x", dylib(X)), **other}, more("a", dylib(A)), "**=keep-arm64"
    )
    assert note.startswith(
        "the x86_64 code of 2 signed bundles (pkg/Y.framework/Versions/A for one)"
    )
