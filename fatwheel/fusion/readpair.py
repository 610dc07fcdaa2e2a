"""Reading two wheels side by side, so that what both have is read with an eye on the other.

The bytes kept in memory are bounded by `TEXT_BUDGET`, whatever the wheels hold.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from fatwheel.arch import Arch
from fatwheel.archive.directory import Entry
from fatwheel.archive.ranges import ReadAhead
from fatwheel.check.code import described
from fatwheel.deflate.inflaters import Inflater
from fatwheel.errors import RefusedError, WheelError
from fatwheel.fusion.differences import LARGEST_TEXT, TEXT_BUDGET, largest_text, text_work
from fatwheel.fusion.pairing import Candidate
from fatwheel.macho.universal import looks_like
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import find_data, parse_wheel_metadata
from fatwheel.wheels.pair import MemberPair, Pair, Side
from fatwheel.wheels.read import Source, open_source
from fatwheel.wheels.scan import (
    Job,
    PackedScan,
    PairScan,
    Scanned,
    found_pair,
    head,
    packed,
    scan_pair,
    unpacked,
)
from fatwheel.wheels.sharing import FileDigest, Readers
from fatwheel.wheels.wheel import OpenWheel, RecordProblem, Wheel, architectures, images

if TYPE_CHECKING:
    from fatwheel.wheels.copies import Task

__all__ = ["Reading", "read_pair", "renaming", "wrong_record"]

_ROWS_SHOWN = 5
_LEAST_WORK = 6 << 20  # bytes of plain text


@valueclass
class Reading:
    """What was read: the pair for the plan, and each wheel for the check of what is inherited."""

    pair: Pair
    wheels: Mapping[Arch, Wheel]


def read_pair(
    candidates: Mapping[Arch, Candidate],
    opened: Mapping[Arch, OpenWheel],
    readers: Readers | None = None,
    *,
    inflater: Inflater,
    verify_record: bool = True,
) -> Reading:
    """Read two wheels that match (`pairing.match`) whole, with others where `readers` has them.

    Raises `WheelError` for damaged members and, unless told otherwise, for a RECORD that is wrong;
    `RefusedError` for a wheel without code for the architecture that it claims.
    """
    sources = {arch: _open(opened[arch], opened[Arch.ARM64], inflater) for arch in Arch}
    readers = readers or Readers(opened.values())
    sizes = _sizes(sources)
    texts = _texts_to_keep(sorted(sizes), sources)
    scans = [_Scanning(sources, texts, inflater, names) for names in readers.batches(sizes)]
    # The digests are last: one large member may keep one reader busy to the end.
    digests = [FileDigest(opened[arch].file) for arch in Arch]
    tasks: list[Task[Any]] = [*scans, *digests]
    results = readers.run(tasks)
    members = _members(sources, itertools.islice(results, len(scans)))
    wheels = {arch: source.result() for arch, source in sources.items()}
    notes = []
    for arch in Arch:
        problems = wheels[arch].record_problems
        if problems:
            notes.append(wrong_record(opened[arch], problems, refuse=verify_record))
        _refuse_without_code(opened[arch], wheels[arch], arch)
        special = [name for name, m in wheels[arch].members.items() if m.entry.mode & 0o7000]
        if special:
            more = f" and {len(special) - 1} more" if len(special) > 1 else ""
            notes.append(
                f"set-uid, set-gid and sticky bits are left out ({special[0]}{more} in {opened[arch].path.name})"
            )
    sides = {arch: _side(candidates[arch], wheels[arch], next(results)) for arch in Arch}
    for arch in Arch:
        listed, named = set(sides[arch].metadata.tags), set(sides[arch].name.expanded_tags)
        if listed != named:
            other = ", ".join(sorted(listed - named)) or "fewer tags"
            notes.append(
                f"WHEEL of {sides[arch].filename} says {other}; the file name's tags count"
            )
    notes += [
        f"{c.path.name} says universal2 and holds code for {arch.value} only; it is taken for that wheel"
        for arch, c in candidates.items()
        if c.claimed_universal2
    ]
    pair = Pair(
        x86_64=sides[Arch.X86_64],
        arm64=sides[Arch.ARM64],
        members=members,
        notes=tuple(notes),
    )
    return Reading(pair=pair, wheels=wheels)


def _open(wheel: OpenWheel, namesake: OpenWheel, inflater: Inflater) -> Source:
    """Open a wheel for reading with its members named as in `namesake`."""
    return open_source(wheel, inflater, renaming(wheel, namesake))


def renaming(wheel: OpenWheel, namesake: OpenWheel) -> Callable[[str], str] | None:
    """Return what names members as if `.dist-info` and `.data` were those of `namesake`; None where they are."""
    renamed = {wheel.dist_info: namesake.dist_info}
    data, wanted = (find_data(one.entries, one.name) for one in (wheel, namesake))
    if data is not None and wanted is not None:
        renamed[data] = wanted
    if all(old == new for old, new in renamed.items()):
        return None

    def rename(name: str) -> str:
        first, slash, rest = name.partition("/")
        return renamed.get(first, first) + slash + rest

    return rename


def _sizes(sources: Mapping[Arch, Source]) -> dict[str, int]:
    """Return the compressed bytes under each name but RECORD, which was read.

    They are in arm64's order, so that its small members are read one behind the other.
    """
    sizes: dict[str, int] = {}
    for arch in (Arch.ARM64, Arch.X86_64):
        for name, entry in sources[arch].entries.items():
            sizes[name] = sizes.get(name, 0) + entry.compressed_size
    del sizes[sources[Arch.ARM64].record]
    return sizes


class _Scanning:
    """The task of reading what both wheels have under some names."""

    def __init__(
        self,
        sources: Mapping[Arch, Source],
        texts: frozenset[str],
        inflater: Inflater,
        names: Sequence[str],
    ) -> None:
        self._sources, self._texts = sources, texts
        self._inflater, self._names = inflater, names

    def do(self) -> list[PairScan]:
        ahead = {arch: ReadAhead(source.wheel.file) for arch, source in self._sources.items()}

        def job(arch: Arch, name: str) -> Job | None:
            source = self._sources[arch]
            entry = source.entries.get(name)
            if entry is None:
                return None
            wanted = source.wanted(name, text=name in self._texts)
            return Job(wheel=source.wheel, entry=entry, wanted=wanted, ahead=ahead[arch])

        return [
            scan_pair(name, job(Arch.X86_64, name), job(Arch.ARM64, name), self._inflater)
            for name in self._names
        ]

    def pack(self, result: list[PairScan]) -> Any:
        return [
            (
                None if scan.x86_64 is None else packed(scan.x86_64),
                None if scan.arm64 is None else packed(scan.arm64),
                scan.members.fused,
            )
            for scan in result
        ]

    def unpack(self, found: Any) -> list[PairScan]:
        x86_64, arm64 = (self._sources[arch].entries for arch in Arch)
        return [
            found_pair(name, _unpacked(x, x86_64.get(name)), _unpacked(a, arm64.get(name)), fused)
            for name, (x, a, fused) in zip(self._names, found, strict=True)
        ]


def _unpacked(scan: PackedScan | None, entry: Entry | None) -> Scanned | None:
    return None if scan is None or entry is None else unpacked(scan, entry)


def _members(
    sources: Mapping[Arch, Source], results: Iterable[list[PairScan]]
) -> tuple[MemberPair, ...]:
    """Hand each wheel what was found in it, and return all members by name."""
    x86_64, arm64 = sources[Arch.X86_64], sources[Arch.ARM64]
    record = arm64.record
    members = [
        MemberPair(
            name=record,
            x86_64=x86_64.scanned[record].member,
            arm64=arm64.scanned[record].member,
        )
    ]
    for found in results:
        for scan in found:
            if scan.x86_64 is not None:
                x86_64.scanned[scan.members.name] = scan.x86_64
            if scan.arm64 is not None:
                arm64.scanned[scan.members.name] = scan.arm64
            members.append(scan.members)
    return tuple(sorted(members, key=attrgetter("name")))


def _texts_to_keep(names: Sequence[str], sources: Mapping[Arch, Source]) -> frozenset[str]:
    """Return the members that differ, as the directories tell, hold no code and are small enough to be looked at.

    The work that may be done on them grows with the wheels, of which a small one can hold very large texts.
    """
    budget = TEXT_BUDGET
    work = _LEAST_WORK + 2 * sum(source.wheel.file.size for source in sources.values())
    kept = set()
    x86_64, arm64 = (source.entries for source in sources.values())
    for name in names:
        x, a = x86_64.get(name), arm64.get(name)
        if x is None or a is None or (x.crc == a.crc and x.size == a.size):
            continue
        total = x.size + a.size
        cost = text_work(name, total)
        if total > budget or cost > work or max(x.size, a.size) > LARGEST_TEXT:
            continue
        heads = [head(source.wheel, source.entries[name]) for source in sources.values()]
        if max(x.size, a.size) > min(largest_text(name, one) for one in heads):
            continue
        if not any(map(looks_like, heads)):
            kept.add(name)
            budget -= total
            work -= cost
    return frozenset(kept)


def wrong_record(wheel: OpenWheel, problems: Sequence[RecordProblem], *, refuse: bool) -> str:
    """Raise `WheelError` that lists the rows, or return the note that says so."""
    shown = "; ".join(
        p.detail if p.kind == "malformed" else f"{p.member}: {p.detail}"
        for p in problems[:_ROWS_SHOWN]
    )
    if len(problems) > _ROWS_SHOWN:
        shown += f"; and {len(problems) - _ROWS_SHOWN} more"
    if refuse:
        raise WheelError(
            wheel.path.name,
            f"{wheel.dist_info}/RECORD",
            f"disagrees with the files: {shown}; get the wheel anew, or go on with --no-verify-record",
        )
    return (
        f"RECORD of {wheel.path.name} disagrees with the files, and a right one is written: {shown}"
    )


def _refuse_without_code(wheel: OpenWheel, read: Wheel, arch: Arch) -> None:
    """Refuse a wheel whose code is all for other architectures than the one that its name promises."""
    coded = {
        n: m.content
        for n, m in read.members.items()
        if m.content is not None and any(images(m.content))
    }
    held = frozenset().union(*map(architectures, coded.values()))
    if coded and arch not in held:
        first = next(iter(coded))
        others = ", ".join(sorted(found.value for found in held)) or described(coded[first])
        raise RefusedError(
            f"{wheel.path.name} says {arch.value} and holds no code for it: its code is for {others} "
            f"({first} for one), so there is nothing to fuse"
        )


def _side(candidate: Candidate, wheel: Wheel, sha256: str) -> Side:
    for base in ("METADATA", "WHEEL"):
        name = f"{wheel.dist_info}/{base}"
        if name not in wheel.members:
            raise WheelError(candidate.path.name, name, "is missing; get the wheel anew")
    text = wheel.text("WHEEL").decode("utf-8", "replace")
    return Side(
        arch=candidate.arch,
        filename=candidate.path.name,
        name=candidate.name,
        sha256=sha256,
        floor=candidate.floor,
        dist_info=wheel.dist_info,
        metadata=parse_wheel_metadata(text, wheel=candidate.path.name, member=name),
    )
