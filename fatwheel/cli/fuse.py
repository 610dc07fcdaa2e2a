"""`fatwheel fuse`: options in, reports out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fatwheel.archive.ranges import Progress
from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.options import (
    WheelPath,
    allow_option,
    floor_option,
    force_option,
    jobs_option,
    json_option,
    no_kind_option,
    no_rulebook_option,
    on_conflict_option,
    output_option,
    quiet_option,
    rule_option,
    tags_option,
    verbose_option,
    verify_output_option,
)
from fatwheel.cli.outcomes import print_outcome, print_rest, report_json, unused_everywhere
from fatwheel.cli.terminal import exit_code, print_json, progress_bar, shows_progress
from fatwheel.cli.wheelfiles import find_wheels
from fatwheel.errors import UsageError
from fatwheel.fusion.fuse import FuseOptions
from fatwheel.fusion.many import Outcome, WheelPair, fuse_many, pair_size
from fatwheel.fusion.pairing import Unpaired, pair_up
from fatwheel.fusion.request import Request, fuse_options, read_settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["fuse_command"]

_WORTH_PROCESSES = 32 << 20  # bytes of all wheels; less is fused before processes would have begun


@click.command(
    "fuse",
    cls=CommandWithPage,
    groups={
        "What to fuse": "--expect --build-tag --no-verify-record --allow --jobs",
        "Files that differ": "--rule --on-conflict --no-rulebook --no-kind",
        "The result": "--output --force --skip-existing --tags --floor --engine --verify-output",
        "The report": "--dry-run --json --quiet --verbose",
    },
    sections={
        "Environment": (
            ("SOURCE_DATE_EPOCH", "time stamp of all members; else the newest of both wheels"),
            ("NO_COLOR, FORCE_COLOR", "no colours; colours"),
        ),
        "Settings": "[tool.fatwheel] in the pyproject.toml of the current folder: rules, on-conflict, tags, floor.",
        "Exit codes": exit_codes(
            {
                1: "a pair could not be fused (conflicts, refused or damaged wheels), a wheel has no partner, or "
                "--expect was not met; the other pairs are fused all the same",
                3: "--engine delocate: lipo or codesign is missing or failed",
                130: "interrupted; no partial file is left",
            }
        ),
        "Examples": (
            ("fatwheel fuse a.whl b.whl", "into the current folder"),
            ("fatwheel fuse intel/ arm/ -o dist/ --expect 5", "all that match; five, or none"),
            ("fatwheel fuse a.whl b.whl --dry-run", "what would be done with each file"),
            ("fatwheel fuse a.whl b.whl --dry-run -q", "only conflicts, and the exit code"),
            ("fatwheel fuse a.whl b.whl --rule 'pkg/*.db=keep-arm64'", "settle a conflict"),
            ("fatwheel fuse intel/ arm/ --json | jq .pairs", "for scripts"),
        ),
        "More": "docs/fusing.md has all rules, conflicts and refusals.",
    },
)
@click.argument("wheels", nargs=-1, required=True, type=WheelPath())
@output_option("Folder to write to, made where it is missing.  [default: the current one]")
@click.option(
    "--expect",
    metavar="N|FILE",
    help="Fuse nothing unless the wheels given make N wheels, or those that FILE lists, a name or pattern a line.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan, member by member; write nothing.")
@json_option()
@rule_option("Settle members: keep-x86_64, keep-arm64, guard, dispatch, drop, allow. Repeatable.")
@on_conflict_option()
@tags_option(
    "One exact platform tag, or maturin's compressed set for old installers.  [default: exact]"
)
@floor_option(
    "Oldest macOS: as the inputs' tags say, or raised to what every binary needs.  [default: tags]"
)
@click.option(
    "--engine",
    type=click.Choice(["native", "delocate"]),
    default="native",
    show_default=True,
    help="fatwheel's own, or delocate with the lipo and codesign on PATH.",
)
@click.option("--build-tag", metavar="TAG", help="Build tag of the result (empty: none).")
@click.option("--no-verify-record", is_flag=True, help="Accept inputs whose RECORD is wrong.")
@allow_option()
@verify_output_option()
@no_rulebook_option()
@no_kind_option()
@force_option("Replace an existing output (an input never is).")
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave a wheel that was made of the same wheels, rules, options and fatwheel.",
)
@jobs_option(
    "Pairs fused at the same time, each in a process.  [default: one for each core, from 32 MiB on]"
)
@quiet_option("Print errors and conflicts only, and the paths written.")
@verbose_option("List every member.")
def fuse_command(**given: Any) -> None:
    """Fuse thin wheels, one for x86_64 and one for arm64, into universal2 wheels.

    WHEELS are two wheels in any order, or any number of wheels and folders: those pair up that agree in name,
    version, build, Python and ABI tags. Every file of both wheels is accounted for. What differs is merged where
    that is right, else it is a conflict: nothing is written, and the report prints the --rule that settles it.

    The path of each wheel written is printed on standard output, the report on standard error. With --json the
    report is one document on standard output; wrong usage still is a sentence on standard error and exit code 2.
    """
    request = Request(**given)
    options = fuse_options(request, read_settings(Path("pyproject.toml")))
    pairs, unpaired = _pairs(request)
    surprises = _surprises(pairs, options, request.expect)
    outcomes = []
    with contextlib.closing(_outcomes(() if surprises else pairs, options, request)) as done:
        for outcome in done:
            outcomes.append(outcome)
            if not request.as_json:
                print_outcome(outcome, request, alone=len(pairs) == 1)
    unused = unused_everywhere(outcomes)
    if request.as_json:
        print_json(report_json(outcomes, unpaired, unused, surprises))
    else:
        print_rest(outcomes, unpaired, unused, surprises, request)
    code = _code(outcomes, unpaired)
    if code:
        raise click.exceptions.Exit(code)


def _pairs(request: Request) -> tuple[Sequence[tuple[Path, Path]], Sequence[Unpaired]]:
    """Return what to fuse: two wheels named one by one are a pair whatever their names say."""
    wheels = find_wheels(request.wheels)
    if len(request.wheels) == 2 and all(path.is_file() for path in request.wheels):
        return [(request.wheels[0], request.wheels[1])], ()
    if len(wheels) == 1:
        raise UsageError(
            f"{wheels[0]} is one wheel; fuse needs the other architecture's wheel, too"
        )
    pairing = pair_up(wheels, ignore_build=request.build_tag is not None)
    return pairing.pairs, pairing.unpaired


def _surprises(
    pairs: Sequence[WheelPair], options: FuseOptions, expect: str | None
) -> tuple[str, ...]:
    """Return what the pairs make other than --expect says."""
    if expect is None:
        return ()
    from fatwheel.fusion.expect import read_expected, unmet

    return unmet(read_expected(expect), pairs, options.plan)


class _Meter:
    """Bytes done of all pairs, told in any thread and shown by the bar that is on the terminal at the moment."""

    def __init__(self) -> None:
        self._done = 0
        self._bar: Progress | None = None

    def advance(self, size: int) -> None:
        """Take note of `size` more bytes."""
        self._done += size
        if self._bar is not None:
            self._bar(size)

    @contextlib.contextmanager
    def shown_by(self, bar: Progress | None) -> Iterator[None]:
        """Let `bar` show what is done, and what comes while the context is open."""
        if bar is not None:
            bar(self._done)
        self._bar = bar
        try:
            yield
        finally:
            self._bar = None


def _outcomes(
    pairs: Sequence[WheelPair], options: FuseOptions, request: Request
) -> Generator[Outcome]:
    """Fuse or plan the pairs, with a bar on the terminal while an outcome is waited for."""
    meter = _Meter()
    show = shows_progress(show=not (request.quiet or request.as_json))
    total = sum(map(pair_size, pairs))
    jobs = min(request.jobs or _jobs(total), len(pairs))
    if jobs > 1:
        options = replace(options, threads=max(options.threads // jobs, 1))
    with _processes(jobs) as executor:
        outcomes = fuse_many(
            pairs,
            request.folder or Path(),
            options,
            executor=executor,
            dry_run=request.dry_run,
            skip_existing=request.skip_existing,
            progress=meter.advance if show else None,  # a call for each piece
        )
        for number, pair in enumerate(pairs, 1):
            label = f"{number}/{len(pairs)} {pair[0].name.partition('-')[0]}"
            with progress_bar(label, total, show=show) as bar, meter.shown_by(bar):
                outcome = next(outcomes)
            yield outcome


@contextlib.contextmanager
def _processes(jobs: int) -> Iterator[Executor | None]:
    """Yield what fuses that many pairs at the same time; None where this process fuses one after the other."""
    if jobs <= 1:
        yield None
        return
    from fatwheel.fusion.workers import (  # 15 ms, which one pair alone does not need
        processes,
        safe_path,
    )

    with safe_path(), processes(jobs) as executor:
        yield executor


def _jobs(total: int) -> int:
    """Return how many pairs of `total` bytes to fuse at the same time: the cores, where processes are worth it."""
    return os.cpu_count() or 1 if total >= _WORTH_PROCESSES else 1


def _code(outcomes: Sequence[Outcome], unpaired: Sequence[Unpaired]) -> int:
    """Return the exit code: the worst of all pairs; wheels that should have had a partner count as 1."""
    codes = [exit_code(outcome.error) for outcome in outcomes if outcome.error is not None]
    if any(left.failed for left in unpaired) or not outcomes:
        codes.append(1)
    if any(outcome.plan is not None and outcome.plan.conflicts for outcome in outcomes):
        codes.append(1)
    return max(codes, default=0)
