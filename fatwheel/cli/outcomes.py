"""What `fatwheel fuse` prints: each pair's outcome, what concerns no single pair, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fatwheel.archive.ranges import RangeFile, file_sha256
from fatwheel.check.report import finding_json, finding_lines
from fatwheel.cli.terminal import announce, describe_error, say, say_error, tell_path
from fatwheel.fusion.conflicts import conflict_lines, conflicts_counted
from fatwheel.fusion.fuse import Fused
from fatwheel.fusion.many import Outcome
from fatwheel.fusion.pairing import Unpaired
from fatwheel.fusion.report import (
    plan_json,
    plan_lines,
)
from fatwheel.fusion.request import Request
from fatwheel.fusion.rules import Rule
from fatwheel.printable import size_text
from fatwheel.version import __version__

__all__ = ["print_outcome", "print_rest", "report_json", "unused_everywhere"]


def print_outcome(outcome: Outcome, request: Request) -> None:
    """Print one pair's report on standard error, and the path of what was written on standard output."""
    plan = outcome.plan
    if plan is None:
        if outcome.error is not None:
            say_error(outcome.error)
        return
    if not request.quiet:
        say(plan.name.filename)
        for line in plan_lines(plan, every=request.dry_run or request.verbose):
            say(line)
    for line in conflict_lines(plan.members, every=request.verbose):
        say(line)
    if plan.conflicts:
        what = conflicts_counted(plan.conflicts)
        announce(f"{plan.name.filename}: {what}; nothing was written")
    if outcome.fused is None:
        return
    if not request.quiet:
        for line in finding_lines(outcome.fused.findings, every=request.verbose):
            say(f"  {line}")
        size = size_text(outcome.fused.size)
        say(f"  {size} in {outcome.seconds:.2f} s ({outcome.fused.inflater})")
    tell_path(outcome.fused.path)


def print_rest(
    outcomes: Sequence[Outcome],
    unpaired: Sequence[Unpaired],
    unused: Sequence[Rule],
    surprises: Sequence[str],
    request: Request,
) -> None:
    """Print what concerns no single pair: wheels left over, rules that matched nothing, what --expect found, a sum."""
    for rule in unused:
        say(f"warning: {rule.origin} {rule.glob!r} matched nothing")
    for left in unpaired:
        if left.failed or not request.quiet:
            say(f"{'not fused' if left.failed else 'skipped'}: {left.reason}")
    for surprise in surprises:
        announce(f"{surprise}; nothing was written")
    if not request.quiet and not surprises and (len(outcomes) > 1 or unpaired):
        done = sum(outcome.succeeded for outcome in outcomes)
        rest = sum(len(left.paths) for left in unpaired)
        word = "planned" if request.dry_run else "fused"
        say(f"{done} of {len(outcomes)} pairs {word}, {rest} other wheels")


def unused_everywhere(outcomes: Sequence[Outcome]) -> tuple[Rule, ...]:
    """Return the user's rules that matched nothing in any pair."""
    plans = [outcome.plan for outcome in outcomes if outcome.plan is not None]
    if not plans:
        return ()
    return tuple(
        rule for rule in plans[0].unused_rules if all(rule in p.unused_rules for p in plans)
    )


def report_json(
    outcomes: Sequence[Outcome],
    unpaired: Sequence[Unpaired],
    unused: Sequence[Rule],
    surprises: Sequence[str],
) -> dict[str, Any]:
    """Return the report for `--json`."""
    return {
        "fatwheel": __version__,
        "pairs": [_outcome_json(outcome) for outcome in outcomes],
        "unpaired": [
            {
                "paths": [str(path) for path in left.paths],
                "reason": left.reason,
                "failed": left.failed,
            }
            for left in unpaired
        ],
        "unused_rules": [{"rule": rule.glob, "origin": rule.origin} for rule in unused],
        "unexpected": list(surprises),
    }


def _output_json(fused: Fused) -> dict[str, Any]:
    with RangeFile(fused.path) as file:
        digest = file_sha256(file)
    return {
        "path": str(fused.path),
        "size": fused.size,
        "sha256": digest,
        "inflater": fused.inflater,
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    fused = outcome.fused
    return {
        "wheels": [str(path) for path in outcome.paths],
        "status": outcome.status,
        "error": None if outcome.error is None else describe_error(outcome.error),
        "output": None if fused is None else _output_json(fused),
        "plan": None if outcome.plan is None else plan_json(outcome.plan),
        "findings": [finding_json(finding) for finding in fused.findings] if fused else [],
    }
