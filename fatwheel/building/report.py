"""What a build, planned or done, looks like: as lines of text, and as values for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fatwheel.building.build import Built
from fatwheel.building.maturin import environment_changes
from fatwheel.building.plan import BuildPlan
from fatwheel.check.report import finding_json, finding_lines
from fatwheel.fusion.report import (
    plan_json,
    plan_lines,
    summary,
)
from fatwheel.printable import shell_line, size_text
from fatwheel.toolchain.host import Host

__all__ = ["build_plan_json", "built_json", "built_lines", "command_lines"]


def command_lines(plan: BuildPlan, host: Host) -> Iterator[str]:
    """Yield the commands of a build as a shell takes them, each with what changes in its environment."""
    if plan.sdist is not None:
        yield shell_line([plan.sdist.program, *plan.sdist.arguments])
    for build in plan.builds:
        changes = environment_changes(build.thin, host.environ)
        words = ["env"]
        words += [word for name, value in changes.items() if value is None for word in ("-u", name)]
        words += [f"{name}={value}" for name, value in changes.items() if value is not None]
        yield shell_line([*words, build.command.program, *build.command.arguments])


def build_plan_json(plan: BuildPlan, host: Host) -> dict[str, Any]:
    """Return what would be built, for `--dry-run --json`."""
    return {
        "linker": plan.linker,
        "notes": list(plan.notes),
        "out": str(plan.request.out),
        "sdist": plan.sdist and [plan.sdist.program, *plan.sdist.arguments],
        "builds": [
            {
                "arch": build.arch.value,
                "target": build.arch.rust_target,
                "deployment_target": str(build.thin.deployment),
                "interpreters": list(build.thin.interpreters),
                "command": [build.command.program, *build.command.arguments],
                "environment": environment_changes(build.thin, host.environ),
            }
            for build in plan.builds
        ],
    }


def built_lines(built: Built, seconds: float, *, every: bool) -> Iterator[str]:
    """Yield times and sizes, what the fusion did, and what the check found."""
    for run in built.runs:
        for wheel, size in run.wheels.items():
            yield f"{run.arch.value:<7} {run.seconds:6.1f} s  {size_text(size):>8}  {wheel.name}"
    for fused in built.wheels:
        yield f"{'fused':<18}{size_text(fused.size):>8}  {fused.path.name}"
        yield from plan_lines(fused.plan, every=True) if every else [summary(fused.plan)]
        yield from finding_lines(fused.findings, every=every)
    for one in built.alone:
        yield from finding_lines(one.findings, every=every)
    yield f"{seconds:.1f} s in all"


def built_json(plan: BuildPlan, built: Built, seconds: float) -> dict[str, Any]:
    """Return what was built in how many seconds, for `--json`."""
    return {
        "linker": plan.linker,
        "notes": list(plan.notes),
        "seconds": round(seconds, 3),
        "builds": [
            {
                "arch": run.arch.value,
                "seconds": round(run.seconds, 3),
                "wheels": {wheel.name: size for wheel, size in run.wheels.items()},
            }
            for run in built.runs
        ],
        "wheels": [
            {
                "path": str(fused.path),
                "size": fused.size,
                "plan": plan_json(fused.plan),
                "findings": [finding_json(finding) for finding in fused.findings],
            }
            for fused in built.wheels
        ]
        + [
            {
                "path": str(one.path),
                "size": one.size,
                "plan": None,
                "findings": [finding_json(finding) for finding in one.findings],
            }
            for one in built.alone
        ],
        "thin": [str(path) for path in built.thin],
        "sdist": str(built.sdist) if built.sdist else None,
        "warnings": list(built.external),
    }
