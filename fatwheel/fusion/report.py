"""What a fusion did, or would do, as text for people and as JSON for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from fatwheel.check.finding import Finding, Severity
from fatwheel.fusion.actions import Conflict, Drop, Fuse, Keep, Merge, Planned
from fatwheel.fusion.plan import FusePlan
from fatwheel.fusion.rules import escape_glob
from fatwheel.printable import shell_quoted, size_text, toml_string

__all__ = [
    "conflict_lines",
    "finding_json",
    "finding_line",
    "finding_lines",
    "member_line",
    "plan_json",
    "plan_lines",
    "summary",
]


_FINDINGS_SHOWN = 3


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
    for planned in plan.members:
        if every or _is_remarkable(planned):
            yield f"  {member_line(planned)}"
    yield f"  {summary(plan)}"


def _is_remarkable(planned: Planned) -> bool:
    """Return whether a member's fate is worth a line where not every member gets one."""
    return isinstance(planned, Merge | Drop) or (
        isinstance(planned, Keep | Fuse) and bool(planned.note)
    )


def conflict_lines(conflicts: Sequence[Conflict]) -> Iterator[str]:
    """Yield the report on conflicts: what, why it matters, and the very words that would settle each."""
    for conflict in conflicts:
        yield f"conflict: {conflict.name}: {conflict.problem}"
        for line in conflict.diff:
            yield f"    {line}"
        yield f"  why it matters: {conflict.matters}"
        if conflict.warning:
            yield f"  mind: {conflict.warning}"
        first, *others = [action.value for action in conflict.remedies]
        choice = f"   (or {', '.join(others)})" if others else ""
        glob = escape_glob(conflict.name)
        yield f"  to settle it:  --rule {shell_quoted(f'{glob}={first}')}{choice}"
        yield f'  or in pyproject.toml, under [tool.fatwheel.rules]:  {toml_string(glob)} = "{first}"'
        yield ""


def finding_line(finding: Finding) -> str:
    """Return one finding as a line."""
    place = f"{finding.member}: " if finding.member is not None else ""
    return f"{finding.severity.value} {finding.code}: {place}{finding.message}"


def finding_lines(findings: Sequence[Finding], *, every: bool) -> Iterator[str]:
    """Yield findings as lines; without `every` no notes, and of each code the first three and a count."""
    shown: Counter[str] = Counter()
    for finding in findings:
        if every:
            yield finding_line(finding)
        elif finding.severity is not Severity.NOTE:
            shown[finding.code] += 1
            if shown[finding.code] <= _FINDINGS_SHOWN:
                yield finding_line(finding)
    for code, count in shown.items():
        if count > _FINDINGS_SHOWN:
            yield f"... and {count - _FINDINGS_SHOWN} more {code} (-v lists them)"


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding for `--json`."""
    found = {
        "code": finding.code,
        "severity": finding.severity.value,
        "member": finding.member,
        "message": finding.message,
    }
    return {**found, "others": list(finding.others)} if finding.others else found


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
        "conflicts": [_conflict_json(conflict) for conflict in plan.conflicts],
        "decisions": [
            {"member": d.member, "action": d.action.value, "by": d.by, "reason": d.reason}
            for d in plan.decisions
        ],
        "notes": list(plan.notes),
    }


def _conflict_json(conflict: Conflict) -> dict[str, Any]:
    return {
        "member": conflict.name,
        "kind": conflict.kind,
        "problem": conflict.problem,
        "matters": conflict.matters,
        "warning": conflict.warning,
        "diff": list(conflict.diff),
        "rules": [f"{escape_glob(conflict.name)}={action.value}" for action in conflict.remedies],
    }
