"""A new wheel before it gets its name: read again as it lies on the disk, and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fatwheel.archive.directory import read_directory
from fatwheel.archive.ranges import RangeFile
from fatwheel.check.finding import Finding, Severity, worse_than
from fatwheel.check.verdict import check
from fatwheel.deflate.inflaters import Inflater
from fatwheel.errors import RefusedError, WheelError
from fatwheel.fusion.record import Written
from fatwheel.printable import counted
from fatwheel.wheels.effort import Effort
from fatwheel.wheels.read import open_source, read_wheel
from fatwheel.wheels.scan import Scanned, scan_member
from fatwheel.wheels.sharing import readers
from fatwheel.wheels.tags import WheelName
from fatwheel.wheels.wheel import Member, OpenWheel, Wheel

__all__ = ["refuse_worse", "reread", "shown"]


def reread(
    name: WheelName,
    dist_info: str,
    written: Mapping[str, Written],
    path: Path,
    *,
    inflater: Inflater,
    threads: int | None = None,
) -> Wheel:
    """Read the new file's directory, headers and dist-info, and join them with what is known of the rest.

    `path` is where it lies for the time being. With `threads`, every byte is read again by so many, and nothing is
    taken as known.
    """
    filename = name.filename
    with RangeFile(path, name=filename) as file:
        entries = read_directory(file, filename)
        wheel = OpenWheel(
            path=path.with_name(filename),
            name=name,
            file=file,
            entries={entry.name: entry for entry in entries},
            dist_info=dist_info,
            effort=Effort(filename, file.size),
        )
        if threads is not None:
            with readers(threads, [wheel]) as shared:
                return read_wheel(wheel, shared, inflater=inflater)
        source, own = open_source(wheel, inflater), f"{dist_info}/"
        for member, entry in source.entries.items():
            if member in source.scanned:
                continue
            if member.startswith(own):
                source.scanned[member] = scan_member(wheel, entry, source.wanted(member), inflater)
                continue
            facts = written[member]
            if entry.size != facts.size:
                raise AssertionError(
                    f"{member}: wrote {counted(facts.size, 'byte')}, read {entry.size}"
                )
            known = Member(entry=entry, sha256=facts.sha256, content=facts.content)
            source.scanned[member] = Scanned(member=known)
        return source.result()


def refuse_worse(
    findings: Sequence[Finding], inputs: Sequence[Wheel], target: Path, allow: frozenset[str]
) -> None:
    """Refuse a result with an error that no input had and nothing allows; raises `RefusedError`."""
    found = [f for f in findings if f.severity is Severity.ERROR and f.code not in allow]
    if not found:
        return
    worse = worse_than(found, [found for wheel in inputs for found in _findings(wheel)])
    if worse:
        count = "an error" if len(worse) == 1 else counted(len(worse), "error")
        others = "neither input has" if len(inputs) > 1 else "the input does not have"
        raise RefusedError(
            f"{target.name} would have {count} that {others}, so it was not written: {shown(worse)}"
        )


def _findings(wheel: Wheel) -> tuple[Finding, ...]:
    """Return what the check says of an input; one that cannot be checked hands nothing down."""
    try:
        return check(wheel)
    except WheelError:
        return ()


def shown(findings: Sequence[Finding]) -> str:
    """Return the first findings, for a message."""
    return "; ".join(
        f"{f.code} {f.member}: {f.message}" if f.member else f"{f.code} {f.message}"
        for f in findings[:3]
    )
