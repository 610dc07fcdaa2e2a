"""Which row of the table settles one member of two wheels, and why: as lines for a person, and as JSON."""

from __future__ import annotations

from typing import Any

from fatwheel.errors import UsageError
from fatwheel.fusion.actions import Conflict, Decision, Planned
from fatwheel.fusion.kinds import kinds_of, merge_kind
from fatwheel.fusion.merge import Unmergeable
from fatwheel.fusion.plan import FusePlan
from fatwheel.fusion.report import action_word, explanation
from fatwheel.fusion.rules import RuleSet
from fatwheel.values import valueclass
from fatwheel.wheels.pair import Pair

__all__ = ["Explained", "explain_json", "explain_lines", "explain_member"]


@valueclass
class Explained:
    """What becomes of a member, who decided it (None: the table of docs/fusing.md), and why kinds did not.

    `refused` are the kinds that the member's name belongs to and that left the conflict, each with its reason.
    """

    planned: Planned
    decision: Decision | None
    refused: tuple[tuple[str, str], ...] = ()


def explain_member(name: str, pair: Pair, plan: FusePlan, rules: RuleSet) -> Explained:
    """Explain a member of a pair by its plan; raises `UsageError` where neither wheel has it."""
    planned = next((one for one in plan.members if one.name == name), None)
    if planned is None:
        raise UsageError(
            f"--explain {name!r}: neither {plan.inputs.x86_64} nor {plan.inputs.arm64} has such a file"
        )
    decision = next((one for one in plan.decisions if one.member == name), None)
    refused = []
    member = next((one for one in pair.members if one.name == name), None)
    if isinstance(planned, Conflict) and member is not None:
        x86_64, arm64 = member.x86_64_text, member.arm64_text
        for kind in kinds_of(name, plan.dist_info, rules.kinds):
            if x86_64 is None or arm64 is None:
                refused.append((kind.name, "the texts are too large, or not in both wheels"))
            elif isinstance(result := merge_kind(kind.name, x86_64, arm64), Unmergeable):
                refused.append((kind.name, result.why))
    return Explained(planned=planned, decision=decision, refused=tuple(refused))


def explain_lines(explained: Explained) -> list[str]:
    """Return the explanation for a person."""
    planned, decision = explained.planned, explained.decision
    why = explanation(planned) or "the same in both wheels"
    lines = [f"{planned.name}: {action_word(planned)}", f"    {why}"]
    if decision is not None:
        lines.append(f"    decided by {decision.by} ({decision.word}): {decision.reason}")
    elif not isinstance(planned, Conflict):
        lines.append(
            '    by the table of docs/fusing.md, "What happens to each file"; no rule was needed'
        )
    lines += [f"    kind {kind} does not settle it: {reason}" for kind, reason in explained.refused]
    return lines


def explain_json(explained: Explained) -> dict[str, Any]:
    """Return the explanation for `--json`."""
    planned, decision = explained.planned, explained.decision
    return {
        "member": planned.name,
        "action": action_word(planned),
        "explanation": explanation(planned),
        "decision": None
        if decision is None
        else {"action": decision.word, "by": decision.by, "reason": decision.reason},
        "kinds": [{"kind": kind, "reason": reason} for kind, reason in explained.refused],
    }
