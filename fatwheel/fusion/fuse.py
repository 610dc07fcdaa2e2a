"""Fusing two wheels: read, plan, write, check, and only then give the result its name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import BinaryIO

from fatwheel.arch import Arch
from fatwheel.archive.directory import DateTime, read_directory
from fatwheel.archive.ranges import RangeFile
from fatwheel.atomic import new_file
from fatwheel.check.finding import Finding, Severity, worse_than
from fatwheel.check.signatures import fatal_signatures
from fatwheel.check.verdict import check
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.errors import RefusedError, WheelError
from fatwheel.fusion.actions import Fuse, Keep
from fatwheel.fusion.engine import Engine, NativeEngine
from fatwheel.fusion.pairing import Candidate, inspect, match
from fatwheel.fusion.plan import FusePlan, PlanOptions, plan_pair
from fatwheel.fusion.readpair import Reading, read_pair
from fatwheel.fusion.write import Written, write_wheel
from fatwheel.macho.image import Image
from fatwheel.values import valueclass
from fatwheel.wheels.effort import Effort
from fatwheel.wheels.pair import Pair
from fatwheel.wheels.read import Progress, open_source, read_wheel, reading_threads
from fatwheel.wheels.scan import Scanned, scan_member
from fatwheel.wheels.wheel import Member, OpenWheel, Wheel, images, open_wheel, slices

__all__ = [
    "ConflictsError",
    "FuseOptions",
    "Fused",
    "fuse_wheels",
    "plan_fuse",
    "read_and_plan",
]


_FIRST_DATE: DateTime = (1980, 1, 1, 0, 0, 0)
"""Where the dates of a zip archive begin (APPNOTE 4.4.6)."""


class ConflictsError(RefusedError):
    """Members that nothing has settled; `plan` tells which and why."""

    def __init__(self, plan: FusePlan) -> None:
        names = ", ".join(conflict.name for conflict in plan.conflicts[:3])
        more = len(plan.conflicts) - 3
        super().__init__(
            f"{plan.inputs.x86_64} and {plan.inputs.arm64} have {len(plan.conflicts)} members in conflict "
            f"({names}{f' and {more} more' if more > 0 else ''}); settle each with a rule"
        )
        self.plan = plan


@valueclass
class FuseOptions:
    """How to fuse.

    `plan` decides what is written. `verify_record` refuses inputs whose RECORD is wrong. `verify_output` reads
    every byte of the result once more. `replace` allows to replace an existing output. `date_time` is the time
    stamp of all members; None takes the newest of both wheels. `inflater` is the machine's best where it is None;
    then the options can be pickled, and whoever receives them chooses its own. `threads` share the reading. `allow`
    are codes of findings that do not stop it.
    """

    plan: PlanOptions = field(default_factory=PlanOptions)
    verify_record: bool = True
    verify_output: bool = False
    replace: bool = False
    date_time: DateTime | None = None
    engine: Engine = field(default_factory=NativeEngine)
    inflater: Inflater | None = None
    threads: int = 2
    allow: frozenset[str] = frozenset()

    @property
    def chosen_inflater(self) -> Inflater:
        """`inflater`, or the best of this machine, which is looked for once."""
        return self.inflater or best_inflater()


@valueclass
class Fused:
    """A wheel that was written: where, how large (bytes), by which plan, and what the check said of it.

    `inflater` names the library that inflated the inputs.
    """

    path: Path
    size: int
    plan: FusePlan
    findings: tuple[Finding, ...]
    inflater: str


def plan_fuse(a: Path, b: Path, options: FuseOptions, progress: Progress | None = None) -> FusePlan:
    """Read two wheels, in any order, and plan their fusion without writing anything.

    Raises `RefusedError`, `WheelError` or `UsageError` where there is nothing to plan.
    """
    with _opened(a, b) as (candidates, wheels):
        plan = plan_pair(_read(candidates, wheels, options, progress).pair, options.plan)
        if not plan.conflicts:
            _refuse_fatal(_planned_code(plan, options.engine), plan, options)
        return plan


def read_and_plan(a: Path, b: Path, options: FuseOptions) -> tuple[Pair, FusePlan]:
    """Read two wheels, in any order, and return them as a value, and the plan; raises as `plan_fuse` does."""
    with _opened(a, b) as (candidates, wheels):
        pair = _read(candidates, wheels, options, None).pair
        return pair, plan_pair(pair, options.plan)


def fuse_wheels(
    a: Path, b: Path, folder: Path, options: FuseOptions, progress: Progress | None = None
) -> Fused:
    """Fuse two wheels, in any order, into a new one in `folder`, which is made where it is missing.

    Raises `ConflictsError` where members are not settled, `OutputExistsError` where the name is taken,
    `RefusedError` and `WheelError` for wheels that cannot be fused, `ChangedError` (which is one) for a wheel that
    somebody changed meanwhile, `ToolError` from the engine's tools. Then nothing was written.
    """
    with _opened(a, b) as (candidates, wheels):
        reading = _read(candidates, wheels, options, progress)
        plan = plan_pair(reading.pair, options.plan)
        if plan.conflicts:
            raise ConflictsError(plan)
        _refuse_fatal(_planned_code(plan, options.engine), plan, options)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / plan.name.filename
        for wheel in wheels.values():
            if target.exists() and target.samefile(wheel.path):
                raise RefusedError(
                    f"{target} is an input and would be overwritten; write elsewhere with -o"
                )
        with new_file(target, replace=options.replace) as file:
            written = _write(plan, wheels, options, file)
            reread = _reread(plan, written, Path(file.name), options)
            _refuse_fatal(((name, image) for name, _, image in slices(reread)), plan, options)
            findings = check(reread)
            _refuse_worse(findings, reading.wheels.values(), target, options.allow)
            for wheel in wheels.values():
                wheel.file.check_unchanged()
            return Fused(
                path=target,
                size=file.seek(0, os.SEEK_END),
                plan=plan,
                findings=findings,
                inflater=options.chosen_inflater.name,
            )


@contextlib.contextmanager
def _opened(
    a: Path, b: Path
) -> Iterator[tuple[Mapping[Arch, Candidate], Mapping[Arch, OpenWheel]]]:
    """Yield the two wheels by architecture: what they claim to be, and the open files."""
    candidates = dict(zip(Arch, match(inspect(a), inspect(b)), strict=True))
    with contextlib.ExitStack() as stack:
        wheels = {}
        for arch, candidate in candidates.items():
            wheels[arch] = open_wheel(candidate.path)
            stack.callback(wheels[arch].close)
        yield candidates, wheels


def _read(
    candidates: Mapping[Arch, Candidate],
    wheels: Mapping[Arch, OpenWheel],
    options: FuseOptions,
    progress: Progress | None,
) -> Reading:
    with reading_threads(options.threads, wheels.values()) as executor:
        return read_pair(
            candidates,
            wheels,
            inflater=options.chosen_inflater,
            executor=executor,
            verify_record=options.verify_record,
            progress=progress,
        )


def _findings(wheel: Wheel) -> tuple[Finding, ...]:
    """Return what the check says of an input; one that cannot be checked hands nothing down."""
    try:
        return check(wheel)
    except WheelError:
        return ()


def _reread(
    plan: FusePlan, written: Mapping[str, Written], path: Path, options: FuseOptions
) -> Wheel:
    """Read the new file's directory, headers and dist-info, and join them with what is known of the rest.

    With `verify_output`, every byte is read again, and nothing is taken as known.
    """
    filename = plan.name.filename
    with RangeFile(path, name=filename) as file:  # nobody knows its name for the time being
        entries = read_directory(file, filename)
        wheel = OpenWheel(
            path=path.with_name(filename),
            name=plan.name,
            file=file,
            entries={entry.name: entry for entry in entries},
            dist_info=plan.dist_info,
            effort=Effort(plan.name.filename, file.size),
        )
        if options.verify_output:
            with reading_threads(options.threads, [wheel]) as executor:
                return read_wheel(wheel, inflater=options.chosen_inflater, executor=executor)
        source = open_source(wheel, options.chosen_inflater)
        for name, entry in source.entries.items():
            if name in source.scanned:
                continue
            if name.startswith(f"{plan.dist_info}/"):
                wanted = source.wanted(name)
                source.scanned[name] = scan_member(wheel, entry, wanted, options.chosen_inflater)
                continue
            facts = written[name]
            if entry.size != facts.size:
                raise AssertionError(f"{name}: wrote {facts.size} bytes, read {entry.size}")
            member = Member(entry=entry, sha256=facts.sha256, content=facts.content)
            source.scanned[name] = Scanned(member=member)
        return source.result()


def newest_date(wheels: Mapping[Arch, OpenWheel]) -> DateTime:
    """Return the newest valid time stamp of all members of both wheels."""
    dates = (e.date_time for wheel in wheels.values() for e in wheel.entries.values())
    return max((date for date in dates if date is not None), default=_FIRST_DATE)


def _write(
    plan: FusePlan, wheels: Mapping[Arch, OpenWheel], options: FuseOptions, file: BinaryIO
) -> Mapping[str, Written]:
    """Write the wheel, with the files that the engine makes."""
    members = tuple(m for m in plan.members if isinstance(m, Fuse))
    with options.engine.make(members, wheels, options.chosen_inflater) as files:
        written = write_wheel(
            plan,
            wheels,
            file,
            date_time=options.date_time or newest_date(wheels),
            inflater=options.chosen_inflater,
            files=files,
        )
    file.flush()
    return written


def _planned_code(plan: FusePlan, engine: Engine) -> Iterator[tuple[str, Image]]:
    """Yield the images that are written as they lie in the inputs, by member; other engines sign what they make."""
    for planned in plan.written:
        if isinstance(planned, Keep):
            contents: Iterable[object] = images(planned.member.content)
        elif isinstance(planned, Fuse) and isinstance(engine, NativeEngine):
            contents = (piece.content for piece in planned.slices)
        else:
            continue
        for content in contents:
            if isinstance(content, Image):
                yield planned.name, content


def _refuse_fatal(code: Iterable[tuple[str, Image]], plan: FusePlan, options: FuseOptions) -> None:
    """Refuse a result with arm64 code that macOS does not run for its signature, whoever made it so."""
    fatal = [found for found in fatal_signatures(code) if found.code not in options.allow]
    if fatal:
        allow = " ".join(f"--allow {code}" for code in sorted({found.code for found in fatal}))
        raise RefusedError(
            f"{plan.name.filename} would have arm64 code that macOS does not run, so it was not written: "
            f"{_shown(fatal)}, or go on with {allow}"
        )


def _refuse_worse(
    findings: Sequence[Finding], inputs: Iterable[Wheel], target: Path, allow: frozenset[str]
) -> None:
    """Refuse a result with an error that neither input had and nothing allows."""
    found = [f for f in findings if f.severity is Severity.ERROR and f.code not in allow]
    if not found:
        return
    worse = worse_than(found, [found for wheel in inputs for found in _findings(wheel)])
    if worse:
        count = "an error" if len(worse) == 1 else f"{len(worse)} errors"
        raise RefusedError(
            f"{target.name} would have {count} that neither input has, so it was not written: {_shown(worse)}"
        )


def _shown(findings: Sequence[Finding]) -> str:
    """Return the first findings, for a message."""
    return "; ".join(
        f"{f.code} {f.member}: {f.message}" if f.member else f"{f.code} {f.message}"
        for f in findings[:3]
    )
