"""What a fused wheel's key is made of."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from fatwheel.action import Action
from fatwheel.fusion.engine import DelocateEngine
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.fusion.kinds import all_kinds
from fatwheel.fusion.plan import PlanOptions
from fatwheel.fusion.rulebook import rule_book
from fatwheel.fusion.rules import RuleSet, parse_rule
from fatwheel.index.work import recipe_of
from fatwheel.wheels.tags import TagStyle

CHANGED: dict[str, tuple[Any, ...]] = {
    "rules": (
        RuleSet(rules=rule_book(), kinds=all_kinds()[1:]),
        RuleSet(rules=rule_book(), kinds=()),
        RuleSet(rules=(), kinds=all_kinds()),
        RuleSet(rules=(*rule_book(), parse_rule("a=drop")), kinds=all_kinds()),
        RuleSet(rules=(*rule_book(), parse_rule("a=keep-arm64")), kinds=all_kinds()),
    ),
    "on_conflict": (Action.KEEP_ARM64, Action.KEEP_X86_64),
    "tag_style": (TagStyle.COMPRESSED,),
    "raise_floor": (True,),
    "build_tag": ("1", ""),
    "generator": ("another 1.0",),
}
"""Other values than the default ones, for each option of the plan."""


def test_whatever_changes_the_bytes_changes_the_key() -> None:
    usual = FuseOptions()
    assert list(CHANGED) == [field.name for field in fields(PlanOptions)]
    changed = [
        replace(usual, plan=replace(usual.plan, **{name: value}))
        for name, values in CHANGED.items()
        for value in values
    ]
    changed += [
        replace(usual, date_time=(2001, 1, 1, 0, 0, 0)),
        replace(usual, engine=DelocateEngine()),
    ]
    keys = {recipe_of(options) for options in (usual, *changed)}
    assert len(keys) == 1 + len(changed)
    assert recipe_of(FuseOptions()) == recipe_of(replace(usual, threads=3))
