"""Fusing two wheels: read, plan, write, check, and only then give the result its name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, BinaryIO

from fatwheel.arch import Arch
from fatwheel.archive.directory import DateTime
from fatwheel.archive.ranges import Progress
from fatwheel.atomic import new_file, written_back
from fatwheel.check.finding import Finding
from fatwheel.check.signatures import fatal_signatures
from fatwheel.check.verdict import check
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.errors import RefusedError
from fatwheel.fusion.actions import Fuse, Keep
from fatwheel.fusion.engine import Engine, NativeEngine
from fatwheel.fusion.pairing import Candidate, inspect, match
from fatwheel.fusion.passes import InPasses
from fatwheel.fusion.plan import FusePlan, PlanOptions, plan_pair
from fatwheel.fusion.readpair import Reading, read_pair
from fatwheel.fusion.verify import refuse_worse, reread, shown
from fatwheel.fusion.write import Written, newest_date, write_wheel
from fatwheel.macho.image import Image
from fatwheel.printable import counted
from fatwheel.values import valueclass
from fatwheel.wheels.pair import Pair
from fatwheel.wheels.sharing import readers
from fatwheel.wheels.wheel import OpenWheel, images, open_wheel, slices

__all__ = [
    "ConflictsError",
    "FuseOptions",
    "Fused",
    "further_options",
    "fuse_wheels",
    "opened_pair",
    "plan_fuse",
    "read_and_plan",
]


_PLANNING, _FUSING = 2, 3
"""How often a member's data are read: to be verified, for the digest of the input, and to be written."""


class ConflictsError(RefusedError):
    """Members that nothing has settled; `plan` tells which and why."""

    def __init__(self, plan: FusePlan) -> None:
        names = ", ".join(conflict.name for conflict in plan.conflicts[:3])
        more = len(plan.conflicts) - 3
        super().__init__(
            f"{plan.inputs.x86_64} and {plan.inputs.arm64} have {counted(len(plan.conflicts), 'member')} in conflict "
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
    are codes of findings that do not stop it. A `durable` wheel is on the disk before it gets its name.
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
    durable: bool = True

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

    `progress` is told of the bytes of both archives as they are worked through, in the end of all of them.

    Raises `RefusedError`, `WheelError` or `UsageError` where there is nothing to plan.
    """
    with opened_pair(a, b, progress, _PLANNING) as (candidates, wheels):
        plan = plan_pair(
            _read(candidates, wheels, options).pair, options.plan, further_options(options)
        )
        if not plan.conflicts:
            _refuse_fatal(_planned_code(plan, options.engine), plan, options)
        return plan


def read_and_plan(a: Path, b: Path, options: FuseOptions) -> tuple[Pair, FusePlan]:
    """Read two wheels, in any order, and return them as a value, and the plan; raises as `plan_fuse` does."""
    with opened_pair(a, b, None, _PLANNING) as (candidates, wheels):
        pair = _read(candidates, wheels, options).pair
        return pair, plan_pair(pair, options.plan)


def fuse_wheels(
    a: Path, b: Path, folder: Path, options: FuseOptions, progress: Progress | None = None
) -> Fused:
    """Fuse two wheels, in any order, into a new one in `folder`, which is made where it is missing.

    `progress` is told of the bytes of both archives as they are worked through, in the end of all of them.

    Raises `ConflictsError` where members are not settled, `OutputExistsError` where the name is taken,
    `RefusedError` and `WheelError` for wheels that cannot be fused, `ChangedError` (which is one) for a wheel that
    somebody changed meanwhile, `ToolError` from the engine's tools. Then nothing was written.
    """
    with opened_pair(a, b, progress, _FUSING) as (candidates, wheels):
        reading = _read(candidates, wheels, options)
        plan = plan_pair(reading.pair, options.plan, further_options(options))
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
        with new_file(target, replace=options.replace, durable=options.durable) as file:
            written = _write(plan, wheels, options, file)
            with written_back(file, durable=options.durable):
                read = reread(
                    plan.name,
                    plan.dist_info,
                    written,
                    Path(file.name),
                    inflater=options.chosen_inflater,
                    threads=options.threads if options.verify_output else None,
                )
                _refuse_fatal(((name, image) for name, _, image in slices(read)), plan, options)
                findings = check(read, universal2=True)
                refuse_worse(findings, tuple(reading.wheels.values()), target, options.allow)
                for wheel in wheels.values():
                    wheel.file.check_unchanged()
            return Fused(
                path=target,
                size=file.seek(0, os.SEEK_END),
                plan=plan,
                findings=findings,
                inflater=options.chosen_inflater.name,
            )


def further_options(options: FuseOptions) -> Mapping[str, Any]:
    """Return what `fatwheel.json` tells of options beside the plan's, where they are not the usual ones."""
    found: dict[str, Any] = {}
    if options.allow:
        found["allow"] = sorted(options.allow)
    if not options.verify_record:
        found["verify-record"] = False
    if options.engine.name != NativeEngine.name:
        found["engine"] = options.engine.name
    return found


@contextlib.contextmanager
def opened_pair(
    a: Path, b: Path, progress: Progress | None, passes: int
) -> Iterator[tuple[Mapping[Arch, Candidate], Mapping[Arch, OpenWheel]]]:
    """Yield the two wheels by architecture: what they claim to be, and the open files, read in so many passes."""
    candidates = dict(zip(Arch, match(inspect(a), inspect(b)), strict=True))
    with contextlib.ExitStack() as stack:
        wheels = {}
        for arch, candidate in candidates.items():
            wheels[arch] = open_wheel(candidate.path)
            stack.callback(wheels[arch].close)
        told = None
        if progress is not None:
            sizes = sum(wheel.file.size for wheel in wheels.values())
            told = InPasses(progress, sizes, passes)
            for wheel in wheels.values():
                wheel.file.progress = told
        yield candidates, wheels
        if told is not None:
            told.finish()


def _read(
    candidates: Mapping[Arch, Candidate],
    wheels: Mapping[Arch, OpenWheel],
    options: FuseOptions,
) -> Reading:
    with readers(options.threads, wheels.values()) as shared:
        return read_pair(
            candidates,
            wheels,
            shared,
            inflater=options.chosen_inflater,
            verify_record=options.verify_record,
        )


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
            date_time=options.date_time or newest_date(wheels.values()),
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
            f"{shown(fatal)}, or go on with {allow}"
        )
