"""Thinning a wheel: read, plan, write, check, and only then give the result its name."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fatwheel.arch import Arch
from fatwheel.archive.directory import DateTime
from fatwheel.archive.ranges import Progress, file_sha256
from fatwheel.atomic import new_file, written_back
from fatwheel.check.finding import Finding
from fatwheel.check.verdict import check
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.errors import RefusedError, UsageError
from fatwheel.fusion.glob import Glob, compile_glob
from fatwheel.fusion.passes import InPasses
from fatwheel.fusion.readpair import wrong_record
from fatwheel.fusion.verify import refuse_worse, reread
from fatwheel.fusion.write import Written, newest_date, write_wheel
from fatwheel.thinning.madeby import read_report
from fatwheel.thinning.named import find_named
from fatwheel.thinning.onesided import find_one_sided
from fatwheel.thinning.plan import Patterns, Reading, ThinPlan, plan_thin, thin_name
from fatwheel.thinning.texts import split_texts
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import REPORT_NAME
from fatwheel.wheels.read import read_wheel
from fatwheel.wheels.sharing import readers
from fatwheel.wheels.wheel import OpenWheel, Wheel, open_wheel

__all__ = ["ThinOptions", "Thinned", "plan_wheel", "thin_wheel"]

_PLANNING, _THINNING = 1, 2
"""How often a wheel's data are read: to be verified, and to be written."""


@valueclass
class ThinOptions:
    """How to thin.

    `drop` and `keep` are patterns over the names of files without code for the architecture, as rules have them:
    such files go or stay, whatever would have been decided; `keep` wins. `verify_record` refuses an input whose RECORD
    is wrong. `verify_output` reads every byte of the result once more. `replace` allows to replace an existing output.
    `date_time` is the time stamp of all members; None takes the wheel's newest. `inflater` is the machine's best where
    it is None. `threads` share the reading. `allow` are codes of findings that do not stop it.
    """

    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    verify_record: bool = True
    verify_output: bool = False
    replace: bool = False
    date_time: DateTime | None = None
    inflater: Inflater | None = None
    threads: int = 2
    allow: frozenset[str] = frozenset()

    @property
    def patterns(self) -> Patterns:
        """`drop` and `keep`, compiled; raises `UsageError` for a pattern that is none."""
        return Patterns(drop=_globs("--drop", self.drop), keep=_globs("--keep", self.keep))

    @property
    def chosen_inflater(self) -> Inflater:
        """`inflater`, or the best of this machine, which is looked for once."""
        return self.inflater or best_inflater()


def _globs(option: str, texts: Sequence[str]) -> tuple[Glob, ...]:
    globs = []
    for text in texts:
        try:
            globs.append(compile_glob(text))
        except re.error as error:
            raise UsageError(f"{option} {text!r}: this is no pattern ({error})") from None
    return tuple(globs)


@valueclass
class Thinned:
    """A wheel for one architecture that was written: where, how large it and the input are (bytes), by which plan.

    `findings` are what the check said of it, `inflater` names the library that inflated the input.
    """

    path: Path
    size: int
    size_before: int
    plan: ThinPlan
    findings: tuple[Finding, ...]
    inflater: str


def plan_wheel(
    wheel: Path, arch: Arch, options: ThinOptions, progress: Progress | None = None
) -> ThinPlan:
    """Read a wheel and plan the one for `arch` without writing anything.

    Raises as `thin_wheel` does.
    """
    with _opened(wheel, arch, progress, _PLANNING) as opened:
        return _plan(opened, _read(opened, options), arch, options)


def thin_wheel(
    wheel: Path, arch: Arch, folder: Path, options: ThinOptions, progress: Progress | None = None
) -> Thinned:
    """Write the wheel for one architecture of a universal2 wheel to `folder`, which is made where it is missing.

    Its name follows from the tags. Slices are cut out bit for bit, so that signatures stay valid; nothing is deflated
    anew where the stream can be cut. Raises `RefusedError` where the name promises `arch` nothing or no code for it
    remains, and where the result would have an error that the input does not have; `OutputExistsError` where the name
    is taken, `WheelError` for a damaged wheel, `ChangedError` (which is one) for one that somebody changed meanwhile,
    `UsageError` for patterns that are none. Then nothing was written.
    """
    with _opened(wheel, arch, progress, _THINNING) as opened:
        read = _read(opened, options)
        plan = _plan(opened, read, arch, options)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / plan.name.filename
        if target.exists() and target.samefile(wheel):
            raise RefusedError(
                f"{target} is the input and would be overwritten; write elsewhere with -o"
            )
        with new_file(target, replace=options.replace) as file:
            written = _write(plan, opened, arch, file, options)
            with written_back(file):
                result = reread(
                    plan.name,
                    plan.dist_info,
                    written,
                    Path(file.name),
                    inflater=options.chosen_inflater,
                    threads=options.threads if options.verify_output else None,
                )
                findings = check(result)
                refuse_worse(findings, (read,), target, options.allow)
                opened.file.check_unchanged()
            return Thinned(
                path=target,
                size=file.seek(0, os.SEEK_END),
                size_before=opened.file.size,
                plan=plan,
                findings=findings,
                inflater=options.chosen_inflater.name,
            )


def _write(
    plan: ThinPlan, opened: OpenWheel, arch: Arch, file: BinaryIO, options: ThinOptions
) -> Mapping[str, Written]:
    """Write the wheel to `file`: where it comes out larger than the input, once more, with texts packed tightly."""
    write = partial(
        write_wheel,
        plan,
        {arch: opened},
        file,
        date_time=options.date_time or newest_date([opened]),
        inflater=options.chosen_inflater,
        files={},
    )
    written = write()
    if file.tell() > opened.file.size:
        from fatwheel.deflate.tight import tight_text

        file.seek(0)
        file.truncate()
        written = write(text=tight_text)
    file.flush()
    return written


@contextlib.contextmanager
def _opened(path: Path, arch: Arch, progress: Progress | None, passes: int) -> Iterator[OpenWheel]:
    opened = open_wheel(path)
    told = None if progress is None else InPasses(progress, opened.file.size, passes)
    try:
        thin_name(opened.name, arch)  # what its name refuses needs no reading
        opened.file.progress = told
        yield opened
        if told is not None:
            told.finish()
    finally:
        opened.close()


def _read(opened: OpenWheel, options: ThinOptions) -> Wheel:
    with readers(options.threads, [opened]) as shared:
        wheel = read_wheel(opened, shared, inflater=options.chosen_inflater)
    for base in ("METADATA", "WHEEL"):
        opened.entry(f"{wheel.dist_info}/{base}")
    return wheel


def _plan(opened: OpenWheel, wheel: Wheel, arch: Arch, options: ThinOptions) -> ThinPlan:
    """Plan the wheel for `arch` of one that was read; what a plan asks for besides is looked up here."""
    notes = []
    if wheel.record_problems:
        notes.append(wrong_record(opened, wheel.record_problems, refuse=options.verify_record))
    patterns = options.patterns
    made_by = read_report(wheel) if wheel.text(REPORT_NAME) else None
    foreign = frozenset() if made_by is None else made_by.only[arch.other]
    one_sided = find_one_sided(
        wheel,
        arch,
        lambda name: patterns.is_dropped(name) or (name in foreign and not patterns.is_kept(name)),
    )
    reading = Reading(
        wheel=wheel,
        sha256=file_sha256(opened.file),
        arch=arch,
        one_sided=one_sided,
        texts=split_texts(opened, wheel, arch, options.chosen_inflater),
        named=find_named(opened, wheel, one_sided.open, options.chosen_inflater),
        foreign=foreign,
    )
    plan = plan_thin(reading, patterns)
    return replace(plan, notes=(*notes, *plan.notes))
