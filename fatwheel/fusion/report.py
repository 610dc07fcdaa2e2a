"""What a fusion did, or would do, as text for people and as JSON for scripts."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from fatwheel.fusion.actions import Conflict, Drop, Fuse, Keep, Merge, Planned
from fatwheel.fusion.plan import FusePlan
from fatwheel.printable import counted, size_text

__all__ = [
    "Told",
    "member_line",
    "plan_json",
    "plan_lines",
    "summary",
    "told_lines",
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


class Told(NamedTuple):
    """What becomes of one file: a word, its name, and a clause that explains it, if one does.

    `remarkable` says whether it is worth a line where not every file gets one.
    """

    word: str
    name: str
    clause: str
    remarkable: bool

    @property
    def line(self) -> str:
        """One line of a printed plan."""
        return f"{self.word:<8}  {self.name}" + (f"  ({self.clause})" if self.clause else "")

    @property
    def fate(self) -> tuple[str, ...]:
        """What files have in common that are told in one line: word, reason and top folder."""
        return self.word, self.clause, self.name.partition("/")[0]


def _told(planned: Planned) -> Told:
    return Told(action_word(planned), planned.name, explanation(planned), _is_remarkable(planned))


def member_line(planned: Planned) -> str:
    """Return one line of a printed plan."""
    return _told(planned).line


def plan_lines(plan: FusePlan, *, every: bool) -> Iterator[str]:
    """Yield the plan: what went in, notes, and the members, all of them or only the remarkable ones."""
    yield f"  x86_64  {plan.inputs.x86_64}"
    yield f"  arm64   {plan.inputs.arm64}"
    for note in plan.notes:
        yield f"  note: {note}"
    yield from told_lines(map(_told, plan.members), every=every)
    yield f"  {summary(plan)}"


def told_lines(files: Iterable[Told], *, every: bool) -> Iterator[str]:
    """Yield lines for all files, or for what is worth one.

    Then many files with one fate, for one reason, are one line where the first is.
    """
    if every:
        yield from (f"  {told.line}" for told in files)
        return
    remarkable = [told for told in files if told.remarkable]
    folders: dict[tuple[str, ...], set[str]] = defaultdict(set)
    counts = Counter(told.fate for told in remarkable)
    for told in remarkable:
        folders[told.fate].add(posixpath.dirname(told.name))
    for told in remarkable:
        fate = told.fate
        if counts[fate] <= _ALIKE:
            yield f"  {told.line}"
        elif fate in folders:
            below = folders.pop(fate)
            alike = counted(counts[fate], "file") + (
                f" in {counted(len(below), 'folder')}" if len(below) > 1 else ""
            )
            where = f"{posixpath.commonpath(below) or '.'}/: {alike}"
            yield f"  {told.word:<8}  {where}  ({told.clause}; -v lists them)"


def _is_remarkable(planned: Planned) -> bool:
    """Return whether a member's fate is worth a line where not every member gets one."""
    return isinstance(planned, Merge | Drop) or (
        isinstance(planned, Keep | Fuse) and bool(planned.note)
    )


def plan_json(plan: FusePlan) -> dict[str, Any]:
    """Return the plan for `--json`, every member included."""
    from fatwheel.fusion.conflicts import conflict_json, group_json
    from fatwheel.fusion.settle import group_conflicts

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
