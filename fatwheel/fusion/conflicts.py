"""A plan's conflicts as text for people and as JSON for scripts: what, why it matters, and the words that settle it."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fatwheel.fusion.actions import Conflict, Planned
from fatwheel.fusion.rules import escape_glob
from fatwheel.fusion.settle import Group, group_conflicts
from fatwheel.printable import counted, shell_quoted, toml_string

__all__ = ["conflict_json", "conflict_lines", "conflicts_counted", "group_json"]

_SHOWN = 3  # conflicts of a group


def conflicts_counted(conflicts: Sequence[Conflict]) -> str:
    """Return how many conflicts there are, and of which kinds where there are several."""
    kinds = Counter(conflict.kind for conflict in conflicts).most_common()
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds)
    return counted(len(conflicts), "conflict") + (f" ({listed})" if len(kinds) > 1 else "")


def conflict_lines(members: Sequence[Planned], *, every: bool = False) -> Iterator[str]:
    """Yield the report on the conflicts among a plan's members; `every` shows each one of a group."""
    groups = group_conflicts(members)
    for group in groups:
        yield from _one(group) if len(group.conflicts) == 1 else _several(group, every=every)
        yield ""
    conflicts = [conflict for group in groups for conflict in group.conflicts]
    if len(conflicts) > 1:
        warned = sum(bool(conflict.warning) for conflict in conflicts)
        yield "all that no rule settles:  --on-conflict keep-arm64   (or keep-x86_64)"
        yield (
            "  each of these files is then one wheel's, whether it serves the other architecture or not"
            + (f" ({warned} of them: mind what is said above)" if warned else "")
        )
        yield ""


def _one(group: Group) -> Iterator[str]:
    (conflict,) = group.conflicts
    yield f"conflict: {conflict.name}: {conflict.problem}"
    for line in conflict.diff:
        yield f"    {line}"
    yield from _why(conflict)
    yield from _rules(group, "to settle it")


def _several(group: Group, *, every: bool) -> Iterator[str]:
    conflicts = group.conflicts
    shown = len(conflicts) if every or len(conflicts) == _SHOWN + 1 else _SHOWN
    folder = posixpath.commonpath(posixpath.dirname(conflict.name) for conflict in conflicts)
    where = group.globs[0] if len(group.globs) == 1 else f"{folder or '.'}/"
    yield f"conflict: {where}: {counted(len(conflicts), 'file')}"
    for number, conflict in enumerate(conflicts[:shown]):
        yield f"  {conflict.name}: {conflict.problem}"
        if every or number == 0:
            for line in conflict.diff:
                yield f"    {line}"
    if shown < len(conflicts):
        yield f"  ... and {len(conflicts) - shown} more (-v lists them)"
    yield from _why(conflicts[0])
    yield from _rules(group, "to settle them")


def _why(conflict: Conflict) -> Iterator[str]:
    yield f"  why it matters: {conflict.matters}"
    if conflict.warning:
        yield f"  mind: {conflict.warning}"


def _rules(group: Group, purpose: str) -> Iterator[str]:
    """Yield the words that settle a group, for the command line and for pyproject.toml."""
    first, *others = [action.value for action in group.actions]
    choice = f"   (or {', '.join(others)})" if others else ""
    if len(group.globs) == 1:
        (glob,) = group.globs
        yield f"  {purpose}:  --rule {shell_quoted(f'{glob}={first}')}{choice}"
        yield f'  or in pyproject.toml, under [tool.fatwheel.rules]:  {toml_string(glob)} = "{first}"'
    else:
        yield f"  {purpose}, each with --rule 'PATTERN={first}', or in pyproject.toml:{choice}"
        yield "    [tool.fatwheel.rules]"
        for glob in group.globs:
            yield f'    {toml_string(glob)} = "{first}"'
    if group.others:
        yield f"  other files that match, and are left alone: {group.others}"


def conflict_json(conflict: Conflict) -> dict[str, Any]:
    """Return one conflict for `--json`."""
    return {
        "member": conflict.name,
        "kind": conflict.kind,
        "problem": conflict.problem,
        "matters": conflict.matters,
        "warning": conflict.warning,
        "diff": list(conflict.diff),
        "rules": [f"{escape_glob(conflict.name)}={action.value}" for action in conflict.remedies],
    }


def group_json(group: Group) -> dict[str, Any]:
    """Return a group of conflicts for `--json`: the rules settle them all, and are the first of the `actions`."""
    return {
        "members": [conflict.name for conflict in group.conflicts],
        "kind": group.conflicts[0].kind,
        "warning": group.conflicts[0].warning,
        "rules": [f"{glob}={group.actions[0].value}" for glob in group.globs],
        "actions": [action.value for action in group.actions],
    }
