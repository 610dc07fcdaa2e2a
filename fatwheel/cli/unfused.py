"""What `fatwheel fuse` prints of pairs that were not fused: conflicts, the rules that settle them, and why else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fatwheel.cli.terminal import announce, describe_error, say
from fatwheel.errors import FatwheelError
from fatwheel.fusion.conflicts import conflict_lines, conflicts_counted
from fatwheel.fusion.many import Outcome
from fatwheel.fusion.plan import FusePlan
from fatwheel.fusion.report import plan_lines
from fatwheel.fusion.request import Request
from fatwheel.fusion.settle import group_conflicts
from fatwheel.printable import toml_string

__all__ = ["print_conflicts", "print_plans", "print_reasons"]


def print_conflicts(plan: FusePlan, request: Request) -> None:
    """Print the conflicts of one pair, and that it was not written."""
    for line in conflict_lines(plan.members, every=request.verbose):
        say(line)
    announce(f"{plan.name.filename}: {conflicts_counted(plan.conflicts)}; nothing was written")


def print_plans(failed: Sequence[Outcome], request: Request) -> None:
    """Print the plans of pairs that failed, their conflicts, and the rules that settle them all."""
    plans = [outcome.plan for outcome in failed if outcome.plan is not None]
    for plan in plans:
        _print_plan(plan, request)
    for line in _rules_to_paste(plans):
        say(line)


def print_reasons(failed: Sequence[Outcome]) -> None:
    """Print one line on each pair that failed, and what a program said, if one did."""
    for outcome in failed:
        _print_reason(outcome)


def _print_plan(plan: FusePlan, request: Request) -> None:
    if not request.quiet:
        say(plan.name.filename)
        for line in plan_lines(plan, every=request.dry_run or request.verbose):
            say(line)
    for line in conflict_lines(plan.members, every=request.verbose):
        say(line)


def _print_reason(outcome: Outcome) -> None:
    """Print one line on a pair that failed, and what a program said, if one did."""
    plan, error = outcome.plan, outcome.error
    if plan is not None and plan.conflicts:
        names = [conflict.name for conflict in plan.conflicts]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        what = conflicts_counted(plan.conflicts)
        say(f"not fused: {plan.name.filename}: {what}: {names[0]}{more}")
    elif isinstance(error, FatwheelError):
        say(f"not fused: {error.sentence}")
        for line in error.details:
            say(f"  {line}")
    elif error is not None:
        say(f"not fused: {describe_error(error)}")


def _rules_to_paste(plans: Sequence[FusePlan]) -> Iterator[str]:
    """Yield the rules that settle the conflicts of several pairs, as pyproject.toml takes them: each pattern once."""
    settled: set[str] = set()
    lines: list[str] = []
    for plan in plans:
        warned = any(conflict.warning for conflict in plan.conflicts)
        lines.append(f"# {plan.name.filename}{': mind what is said of it above' if warned else ''}")
        for group in group_conflicts(plan.members):
            new = [glob for glob in group.globs if glob not in settled]
            settled.update(new)
            lines += [f'{toml_string(glob)} = "{group.actions[0].value}"' for glob in new]
    if settled:
        yield "to settle them all, in pyproject.toml (above stands with each what else would do):"
        yield "  [tool.fatwheel.rules]"
        yield from (f"  {line}" for line in lines)
        yield ""
