"""Whether a wheel is left as it is: it must come out again as it is, and only then."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fatwheel.action import Action
from fatwheel.errors import OutputExistsError, RefusedError
from fatwheel.fusion.engine import NativeEngine
from fatwheel.fusion.existing import find_existing
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.many import fuse_many
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.wheels.tags import TagStyle
from tests.support.wheels import DIST_INFO, edit, make_pair, read_whole

ONE_RULE = ("pkg/a.db=keep-arm64",)


def options(*rules: str, plan: dict[str, Any] | None = None, **others: Any) -> FuseOptions:
    found = PlanOptions(rules=RuleSet(rules=tuple(map(parse_rule, rules))), **(plan or {}))
    return FuseOptions(plan=found, **others)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make_pair(
        tmp_path / "in", {"pkg/same.txt": b"1"}, {"pkg/a.db": b"1"}, {"pkg/a.db": b"2"}
    )


class _Other(NativeEngine):
    name = "other"


FIRST = options(*ONE_RULE)
CASES: dict[str, tuple[FuseOptions, FuseOptions, bool]] = {
    "nothing else": (FIRST, FIRST, True),
    "a rule for another file": (FIRST, options("other/x=drop", *ONE_RULE), True),
    "a rule for a file that is equal": (FIRST, options(*ONE_RULE, "pkg/same.*=drop"), False),
    "another action": (FIRST, options("pkg/a.db=keep-x86_64"), False),
    "another pattern": (FIRST, options("pkg/*.db=keep-arm64"), False),
    "no rule": (FIRST, options(), False),
    "rules in another order": (
        options("pkg/*.db=drop", *ONE_RULE),
        options(*ONE_RULE, "pkg/*.db=drop"),
        False,
    ),
    "an option that decides nothing": (
        FIRST,
        options(*ONE_RULE, plan={"on_conflict": Action.KEEP_X86_64}),
        True,
    ),
    "an option that decided": (
        options(plan={"on_conflict": Action.KEEP_X86_64}),
        options(plan={"on_conflict": Action.KEEP_X86_64}),
        True,
    ),
    "an option that decided otherwise": (
        options(plan={"on_conflict": Action.KEEP_X86_64}),
        options(plan={"on_conflict": Action.KEEP_ARM64}),
        False,
    ),
    "another fatwheel": (
        FIRST,
        replace(FIRST, plan=replace(FIRST.plan, generator="fatwheel 99")),
        False,
    ),
    "other tags": (FIRST, options(*ONE_RULE, plan={"tag_style": TagStyle.COMPRESSED}), False),
    "the floor of the binaries": (
        options(*ONE_RULE, plan={"raise_floor": True}),
        options(*ONE_RULE, plan={"raise_floor": True}),
        True,
    ),
    "another floor": (FIRST, options(*ONE_RULE, plan={"raise_floor": True}), False),
    "a build tag": (FIRST, options(*ONE_RULE, plan={"build_tag": "1"}), False),
    "another time stamp": (FIRST, replace(FIRST, date_time=(2001, 1, 1, 0, 0, 0)), False),
    "another engine": (FIRST, replace(FIRST, engine=_Other()), False),
    "more is allowed": (FIRST, replace(FIRST, allow=frozenset({"FW331"})), True),
    "less is allowed": (replace(FIRST, allow=frozenset({"FW331"})), FIRST, False),
    "less is verified": (FIRST, replace(FIRST, verify_record=False), True),
    "more is verified": (replace(FIRST, verify_record=False), FIRST, False),
    "more is read": (FIRST, replace(FIRST, verify_output=True), True),
}


@pytest.mark.parametrize(("then", "now", "left"), CASES.values(), ids=CASES)
def test_what_was_decided(
    then: FuseOptions, now: FuseOptions, left: bool, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    made = fuse_wheels(*pair, tmp_path / "out", then)
    found = find_existing(*pair, tmp_path / "out", now)
    assert (found is not None) == left
    if found is not None:
        assert found.path == made.path
        again = fuse_wheels(*pair, tmp_path / "again", now)
        ours, theirs = (read_whole(path) for path in (made.path, again.path))
        for members in (ours, theirs):
            members.pop(f"{DIST_INFO}/fatwheel.json")
            members.pop(f"{DIST_INFO}/RECORD")
        assert ours == theirs


@pytest.mark.parametrize("side", [0, 1])
def test_an_input_with_other_bytes_or_another_name(
    side: int, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    fuse_wheels(*pair, tmp_path / "out", FIRST)
    edit(pair[side], lambda data: data.__setitem__(10, data[10] ^ 1))  # a time, in a local header
    assert find_existing(*pair, tmp_path / "out", FIRST) is None


@pytest.mark.parametrize("what", ["absent", "cut", "thin", "text", "list", "no inputs", "other"])
def test_a_file_that_says_nothing_of_it(what: str, pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Whatever lies there, it is not taken for ours, and it is not replaced without --force."""
    out = tmp_path / "out"
    target = fuse_wheels(*pair, out, FIRST).path
    whole = target.read_bytes()
    if what == "absent":
        target.unlink()
    elif what == "cut":
        target.write_bytes(whole[:-9])
    elif what == "thin":
        target.write_bytes(pair[0].read_bytes())
    else:
        texts = {"text": "{", "list": "[1]", "no inputs": "{}", "other": json.dumps({"inputs": 1})}
        members = {
            name: content
            for name, content in read_whole(target).items()
            if not name.endswith(("/RECORD", "/WHEEL"))
        }
        members[f"{DIST_INFO}/fatwheel.json"] = texts[what].encode()
        made = make_pair(tmp_path / "other", members)[0]
        target.write_bytes(made.read_bytes())
    assert find_existing(*pair, out, FIRST) is None
    if what != "absent":
        before = target.read_bytes()
        with pytest.raises(OutputExistsError, match="exists; replace it with --force"):
            fuse_wheels(*pair, out, FIRST)
        assert target.read_bytes() == before


def test_inputs_that_are_no_pair(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="was given twice"):
        find_existing(pair[0], pair[0], tmp_path, FIRST)


def test_one_more_rule_leaves_the_other_pairs(tmp_path: Path) -> None:
    pairs = [
        make_pair(
            tmp_path / "in", name="alpha", x86_64={"alpha/a.db": b"1"}, arm64={"alpha/a.db": b"2"}
        ),
        make_pair(tmp_path / "in", name="beta"),
    ]
    out = tmp_path / "out"
    first = [*fuse_many(pairs, out, options(), skip_existing=True)]
    assert [outcome.status for outcome in first] == ["conflict", "fused"]
    second = [*fuse_many(pairs, out, options("alpha/a.db=drop"), skip_existing=True)]
    assert [outcome.status for outcome in second] == ["fused", "unchanged"]
    assert second[1].succeeded
    assert second[1].existing is not None
    assert [rule.glob for rule in second[1].existing.unused_rules] == ["alpha/a.db"]
    third = [*fuse_many(pairs, out, options("alpha/a.db=drop"), skip_existing=True)]
    assert [outcome.status for outcome in third] == ["unchanged", "unchanged"]
    assert len([*out.iterdir()]) == 2
