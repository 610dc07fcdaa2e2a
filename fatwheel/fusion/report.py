"""What a fusion did, or would do, as text for people and as JSON for scripts."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from fatwheel.fusion.actions import Conflict, Drop, Fuse, Keep, Merge, Planned
from fatwheel.fusion.conflicts import conflict_json, group_json
from fatwheel.fusion.plan import FusePlan
from fatwheel.fusion.settle import group_conflicts
from fatwheel.printable import size_text

__all__ = [
    "member_line",
    "plan_json",
    "plan_lines",
    "summary",
]


_ALIKE = 10  # files with one fate that are told one by one


def action_word(planned: Planned) -> str:
    """Return the word that names what becomes of a member."""
    return {
        "Keep": "keep",
        "Fuse": "fuse",
        "Merge": "merge",
        "WriteAnew": "write",
        "WriteRecord": "write",
        "Drop": "drop",
        "Conflict": "conflict",
    }[type(planned).__name__]


def summary(plan: FusePlan) -> str:
    """Return one line that counts what becomes of the members."""
    counts = Counter(action_word(planned) for planned in plan.members)
    words = [("fuse", "fused"), ("keep", "kept"), ("merge", "merged"), ("drop", "dropped")]
    parts = [f"{counts[word]} {text}" for word, text in words if counts[word]]
    if counts["conflict"]:
        parts.append(f"{counts['conflict']} in conflict")
    return ", ".join(parts)


def explanation(planned: Planned) -> str:
    """Return the clause that explains a member's fate; empty for files that are equal in both wheels."""
    if isinstance(planned, Fuse):
        pieces = [
            f"{size_text(piece.content.size)} from {piece.source.value}" for piece in planned.slices
        ]
        return " + ".join(pieces) + (f"; {planned.note}" if planned.note else "")
    if isinstance(planned, Keep):
        return planned.note and f"{planned.source.value}'s: {planned.note}"
    if isinstance(planned, Merge):
        return planned.how
    if isinstance(planned, Drop):
        return planned.why
    return planned.problem if isinstance(planned, Conflict) else "written anew"


def member_line(planned: Planned) -> str:
    """Return one line of a printed plan."""
    text = explanation(planned)
    return f"{action_word(planned):<8}  {planned.name}" + (f"  ({text})" if text else "")


def plan_lines(plan: FusePlan, *, every: bool) -> Iterator[str]:
    """Yield the plan: what went in, notes, and the members, all of them or only the remarkable ones."""
    yield f"  x86_64  {plan.inputs.x86_64}"
    yield f"  arm64   {plan.inputs.arm64}"
    for note in plan.notes:
        yield f"  note: {note}"
    if every:
        yield from (f"  {member_line(planned)}" for planned in plan.members)
    else:
        yield from _remarkable_lines(plan.members)
    yield f"  {summary(plan)}"


def _remarkable_lines(members: Sequence[Planned]) -> Iterator[str]:
    """Yield lines for what is worth one; many files with one fate, for one reason, are one line where the first is."""
    remarkable = [planned for planned in members if _is_remarkable(planned)]
    folders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    counts = Counter(map(_fate, remarkable))
    for planned in remarkable:
        folders[_fate(planned)].add(posixpath.dirname(planned.name))
    for planned in remarkable:
        fate = _fate(planned)
        if counts[fate] <= _ALIKE:
            yield f"  {member_line(planned)}"
        elif fate in folders:
            below = folders.pop(fate)
            files = f"{counts[fate]} files" + (
                f" in {len(below)} folders" if len(below) > 1 else ""
            )
            where = f"{posixpath.commonpath(below) or '.'}/: {files}"
            yield f"  {action_word(planned):<8}  {where}  ({explanation(planned)}; -v lists them)"


def _fate(planned: Planned) -> tuple[str, ...]:
    """Return what files have in common that are told in one line: fate, reason and top folder."""
    return action_word(planned), explanation(planned), planned.name.partition("/")[0]


def _is_remarkable(planned: Planned) -> bool:
    """Return whether a member's fate is worth a line where not every member gets one."""
    return isinstance(planned, Merge | Drop) or (
        isinstance(planned, Keep | Fuse) and bool(planned.note)
    )


def plan_json(plan: FusePlan) -> dict[str, Any]:
    """Return the plan for `--json`, every member included."""
    return {
        "filename": plan.name.filename,
        "inputs": {
            "x86_64": {"filename": plan.inputs.x86_64, "sha256": plan.inputs.x86_64_sha256},
            "arm64": {"filename": plan.inputs.arm64, "sha256": plan.inputs.arm64_sha256},
        },
        "tags": list(plan.name.expanded_tags),
        "members": [
            {"name": m.name, "action": action_word(m), "explanation": explanation(m)}
            for m in plan.members
        ],
        "conflicts": [conflict_json(conflict) for conflict in plan.conflicts],
        "settle": [group_json(group) for group in group_conflicts(plan.members)],
        "decisions": [
            {"member": d.member, "action": d.word, "by": d.by, "reason": d.reason}
            for d in plan.decisions
        ],
        "notes": list(plan.notes),
    }
