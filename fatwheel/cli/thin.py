"""`fatwheel thin`: one architecture of universal2 wheels, folders and apps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from fatwheel.arch import Arch
from fatwheel.archive.ranges import RangeFile, file_sha256
from fatwheel.check.finding import Finding
from fatwheel.check.report import finding_json, finding_lines
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import (
    WheelPath,
    allow_option,
    force_option,
    json_option,
    output_option,
    quiet_option,
    verbose_option,
    verify_output_option,
)
from fatwheel.cli.terminal import (
    describe_error,
    exit_code,
    print_json,
    progress_bar,
    say,
    say_error,
    tell_path,
)
from fatwheel.errors import FatwheelError, UsageError
from fatwheel.fusion.request import finding_codes, refuse_wheel_as_folder, source_date
from fatwheel.printable import size_text
from fatwheel.thinning.plan import ThinPlan
from fatwheel.thinning.report import plan_json, plan_lines, tree_json, tree_lines
from fatwheel.thinning.thin import Thinned, ThinOptions, plan_wheel, thin_wheel
from fatwheel.thinning.tree import ThinnedTree, TreePlan, plan_tree, thin_tree
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheels.tags import claims, parse_wheel_name

__all__ = ["thin_command"]


@click.command(
    "thin",
    cls=CommandWithPage,
    groups={
        "What to take": "--arch --drop --keep --no-verify-record --allow",
        "The result": "--output --force --verify-output",
        "The report": "--dry-run --json --quiet --verbose",
    },
    sections={
        "Environment": (
            ("SOURCE_DATE_EPOCH", "time stamp of all members; else the newest of the wheel"),
            ("NO_COLOR, FORCE_COLOR", "no colours; colours"),
        ),
        "Exit codes": exit_codes(
            {
                1: "a wheel or folder could not be thinned (no code for the architecture, refused or damaged); the "
                "others are thinned all the same",
                130: "interrupted; no partial file is left",
            }
        ),
        "Examples": (
            ("fatwheel thin a.whl --arch arm64 -o thin/", "the arm64 wheel"),
            ("fatwheel thin dist/*.whl -o thin/", "both wheels of each"),
            ("fatwheel thin a.whl --dry-run", "what would be done with each file"),
            ("fatwheel thin a.whl --drop 'pkg/bin/*'", "programs for the other one go, too"),
            ("fatwheel thin dist/App.app --arch arm64 -o out/", "an app; sign it anew"),
        ),
        "More": "docs/thin.md says what is taken, what stays and what goes.",
    },
)
@click.argument("wheels", nargs=-1, required=True, type=WheelPath(exists=True))
@click.option(
    "--arch",
    type=click.Choice([arch.value for arch in reversed(Arch)]),
    help="The architecture to take.  [default: both, a wheel for each]",
)
@output_option("Folder to write to, made where it is missing.  [default: the current one]")
@click.option(
    "--drop",
    metavar="PATTERN",
    multiple=True,
    help="Leave out files that hold code, but none for the architecture. Repeatable.",
)
@click.option(
    "--keep",
    metavar="PATTERN",
    multiple=True,
    help="Keep such files, whatever else would be done. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan, file by file; write nothing.")
@json_option()
@click.option("--no-verify-record", is_flag=True, help="Accept wheels whose RECORD is wrong.")
@allow_option()
@verify_output_option()
@force_option("Replace an existing output (an input never is).")
@quiet_option("Print errors only, and the paths written.")
@verbose_option("List every file.")
def thin_command(**given: Any) -> None:
    """Take one architecture out of universal2 wheels, or out of a folder or app.

    Slices are cut out bit for bit, so that their signatures stay valid. Files for the other architecture alone are
    listed: libraries that nothing loads or names are left out, all others stay, and --drop and --keep decide.

    WHEELS are wheels and folders; a folder is copied with links, modes and times, thin. The path of what was written
    is printed on standard output, the report on standard error.
    """
    request = _Request(**given)
    options = _options(request)
    tasks = _tasks(request)
    outcomes = []
    for path, arch in tasks:
        outcome = _thin(path, arch, options, request)
        outcomes.append(outcome)
        if not request.as_json:
            _print(outcome, request)
    unused = _unused(outcomes)
    if request.as_json:
        print_json(
            {
                "fatwheel": __version__,
                "inputs": list(map(_outcome_json, outcomes)),
                "unused": list(unused),
            }
        )
    else:
        for pattern in unused:
            say(f"warning: {pattern!r} matched no file without code for the architecture")
    code = max(exit_code(one.error) if one.error is not None else 0 for one in outcomes)
    if code:
        raise click.exceptions.Exit(code)


@valueclass
class _Request:
    """The options as they were given."""

    wheels: tuple[Path, ...]
    arch: str | None
    folder: Path | None
    drop: tuple[str, ...]
    keep: tuple[str, ...]
    dry_run: bool
    as_json: bool
    no_verify_record: bool
    allow: tuple[str, ...]
    verify_output: bool
    force: bool
    quiet: bool
    verbose: bool


@valueclass
class _Outcome:
    """What became of one wheel or folder for one architecture."""

    path: Path
    arch: Arch
    plan: ThinPlan | TreePlan | None = None
    made: Thinned | ThinnedTree | None = None
    error: FatwheelError | OSError | None = None
    seconds: float = 0.0


def _options(request: _Request) -> ThinOptions:
    options = ThinOptions(
        drop=request.drop,
        keep=request.keep,
        verify_record=not request.no_verify_record,
        verify_output=request.verify_output,
        replace=request.force,
        date_time=source_date(os.environ.get("SOURCE_DATE_EPOCH")),
        threads=min(os.cpu_count() or 1, 4),
        allow=finding_codes(request.allow),
    )
    assert options.patterns  # or it says which is none
    return options


def _tasks(request: _Request) -> Sequence[tuple[Path, Arch]]:
    """Return what to do: without --arch, a wheel for each architecture that a wheel's name promises."""
    refuse_wheel_as_folder(request.folder)
    if request.arch is not None:
        return [(path, Arch(request.arch)) for path in request.wheels]
    tasks: list[tuple[Path, Arch]] = []
    for path in request.wheels:
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder, and both copies would have its name; name one with --arch"
            )
        tasks += [(path, arch) for arch in _promised(path)]
    return tasks


def _promised(path: Path) -> Iterable[Arch]:
    """Return the architectures that a wheel's name promises, or one where thinning says what is wrong with it."""
    try:
        return claims(parse_wheel_name(path.name)) or (Arch.ARM64,)
    except FatwheelError:
        return (Arch.ARM64,)


def _thin(path: Path, arch: Arch, options: ThinOptions, request: _Request) -> _Outcome:
    """Thin or plan one wheel or folder; what goes wrong is part of the outcome."""
    started = time.monotonic()
    folder = request.folder or Path()
    plan: ThinPlan | TreePlan
    made: Thinned | ThinnedTree | None = None
    try:
        if path.is_dir():
            if request.dry_run:
                plan = plan_tree(path, arch, options)
            else:
                made = thin_tree(path, arch, folder, options)
                plan = made.plan
        else:
            show = not (request.quiet or request.as_json)
            with progress_bar(path.name.partition("-")[0], path.stat().st_size, show=show) as bar:
                if request.dry_run:
                    plan = plan_wheel(path, arch, options, bar)
                else:
                    made = thin_wheel(path, arch, folder, options, bar)
                    plan = made.plan
    except (FatwheelError, OSError) as error:
        return _Outcome(path=path, arch=arch, error=error)
    seconds = time.monotonic() - started
    return _Outcome(path=path, arch=arch, plan=plan, made=made, seconds=seconds)


def _print(outcome: _Outcome, request: _Request) -> None:
    """Print one report on standard error, and the path of what was written on standard output."""
    plan, made = outcome.plan, outcome.made
    if outcome.error is not None:
        say_error(outcome.error)
    if plan is None:
        return
    if not request.quiet:
        every = request.dry_run or request.verbose
        if isinstance(plan, TreePlan):
            say(f"{plan.source} for {plan.arch.value}")
            lines = tree_lines(plan, every=every)
        else:
            say(plan.name.filename)
            lines = plan_lines(plan, every=every)
        for line in lines:
            say(line)
    if made is None:
        return
    if not request.quiet:
        for line in finding_lines(_findings(made), every=request.verbose):
            say(f"  {line}")
        code = "of code, " if isinstance(made, ThinnedTree) else ""
        sizes = f"{size_text(made.size)} {code}of {size_text(made.size_before)}"
        by = made.inflater if isinstance(made, Thinned) else "copied"
        say(f"  {sizes} in {outcome.seconds:.2f} s ({by})")
    tell_path(made.path)


def _findings(made: Thinned | ThinnedTree | None) -> Sequence[Finding]:
    return made.findings if isinstance(made, Thinned) else ()


def _unused(outcomes: Sequence[_Outcome]) -> tuple[str, ...]:
    """Return the patterns that matched nothing in any wheel or folder."""
    plans = [outcome.plan for outcome in outcomes if outcome.plan is not None]
    if not plans:
        return ()
    return tuple(text for text in plans[0].unused if all(text in plan.unused for plan in plans))


def _outcome_json(outcome: _Outcome) -> dict[str, Any]:
    plan, made = outcome.plan, outcome.made
    status = "failed" if plan is None else "planned" if made is None else "thinned"
    return {
        "input": str(outcome.path),
        "architecture": outcome.arch.value,
        "status": status,
        "error": None if outcome.error is None else describe_error(outcome.error),
        "output": None if made is None else _output_json(made),
        "plan": _plan_json(plan),
        "findings": [finding_json(finding) for finding in _findings(made)],
    }


def _plan_json(plan: ThinPlan | TreePlan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return tree_json(plan) if isinstance(plan, TreePlan) else plan_json(plan)


def _output_json(made: Thinned | ThinnedTree) -> dict[str, Any]:
    document: dict[str, Any] = {
        "path": str(made.path),
        "size": made.size,
        "size_before": made.size_before,
    }
    if isinstance(made, Thinned):
        with RangeFile(made.path) as file:
            document["sha256"] = file_sha256(file)
        document["inflater"] = made.inflater
    return document
