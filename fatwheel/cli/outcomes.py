"""What `fatwheel fuse` prints: each pair's outcome, what concerns no single pair, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fatwheel.archive.ranges import RangeFile, file_sha256
from fatwheel.check.report import finding_json, finding_lines
from fatwheel.cli.terminal import announce, describe_error, say, say_error, tell_path
from fatwheel.fusion.many import Outcome
from fatwheel.fusion.pairing import Unpaired
from fatwheel.fusion.report import plan_json, plan_lines
from fatwheel.fusion.request import Request
from fatwheel.fusion.rules import Rule
from fatwheel.printable import counted, size_text
from fatwheel.version import __version__

__all__ = ["print_outcome", "print_rest", "report_json", "unused_everywhere"]


def print_outcome(outcome: Outcome, request: Request, *, alone: bool) -> None:
    """Print one pair's report on standard error, and the path of what was written on standard output.

    What failed is told whole where the pair is `alone`; among others it is one line here, and `print_rest` has it.
    """
    if not outcome.succeeded and not alone:
        if not request.quiet:
            say(f"{_name(outcome)}: not fused, see the end")
        return
    plan = outcome.plan
    if outcome.existing is not None and not request.quiet:
        say(
            f"{outcome.existing.path.name}: left as it is, made of the same wheels, rules and options"
        )
    if plan is None:
        if outcome.error is not None:
            say_error(outcome.error)
        return
    if not request.quiet:
        say(plan.name.filename)
        for line in plan_lines(plan, every=request.dry_run or request.verbose):
            say(line)
    if plan.conflicts:
        from fatwheel.cli.unfused import print_conflicts

        print_conflicts(plan, request)
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
    """Print what concerns no single pair: conflicts, rules that matched nothing, what failed and why, and a sum."""
    failed = [outcome for outcome in outcomes if not outcome.succeeded] if len(outcomes) > 1 else []
    if failed:
        from fatwheel.cli.unfused import print_plans, print_reasons

        print_plans(failed, request)
    for rule in unused:
        say(f"warning: {rule.origin} {rule.glob!r} matched nothing")
    left = [one for one in unpaired if not one.failed]
    if not request.quiet:
        for line in _skipped(left, every=request.verbose):
            say(line)
    if failed:
        print_reasons(failed)
    for one in unpaired:
        if one.failed:
            say(f"not fused: {one.reason}")
    for surprise in surprises:
        announce(f"{surprise}; nothing was written")
    if not request.quiet and not surprises and (len(outcomes) != 1 or unpaired):
        say(_sum(outcomes, unpaired, request))


def _skipped(left: Sequence[Unpaired], *, every: bool) -> Iterator[str]:
    """Yield what is said of wheels that need no fusing: one line, with `every` one for each."""
    if len(left) == 1 or every:
        yield from (f"skipped: {one.reason}" for one in left)
    elif left:
        yield f"skipped: {len(left)} wheels that need no fusing: pure, for other systems or universal2 (-v lists them)"


def _sum(outcomes: Sequence[Outcome], unpaired: Sequence[Unpaired], request: Request) -> str:
    old = sum(outcome.existing is not None for outcome in outcomes)
    done = sum(outcome.succeeded for outcome in outcomes) - old
    word = "planned" if request.dry_run else "fused"
    rest = sum(len(one.paths) for one in unpaired if one.failed)
    pairs = f"{done} of {counted(len(outcomes), 'pair')} {word}" if outcomes else "no pair found"
    pairs += f", {old} unchanged" if old else ""
    return pairs + (f", {counted(rest, 'wheel')} without a pair" if rest else "")


def _name(outcome: Outcome) -> str:
    """Return what to call a pair: the wheel to be, or the x86_64 wheel where that is not known."""
    return outcome.paths[0].name if outcome.plan is None else outcome.plan.name.filename


def unused_everywhere(outcomes: Sequence[Outcome]) -> tuple[Rule, ...]:
    """Return the user's rules that match nothing in any pair."""
    unused = [
        known.unused_rules
        for outcome in outcomes
        if (known := outcome.plan or outcome.existing) is not None
    ]
    if not unused:
        return ()
    return tuple(rule for rule in unused[0] if all(rule in others for others in unused))


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


def _output_json(outcome: Outcome) -> dict[str, Any] | None:
    made = outcome.fused or outcome.existing
    if made is None:
        return None
    with RangeFile(made.path) as file:
        digest, size = file_sha256(file), file.size
    found = {"path": str(made.path), "size": size, "sha256": digest}
    return found if outcome.fused is None else {**found, "inflater": outcome.fused.inflater}


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    fused = outcome.fused
    return {
        "wheels": [str(path) for path in outcome.paths],
        "status": outcome.status,
        "error": None if outcome.error is None else describe_error(outcome.error),
        "output": _output_json(outcome),
        "plan": None if outcome.plan is None else plan_json(outcome.plan),
        "findings": [finding_json(finding) for finding in fused.findings] if fused else [],
    }
