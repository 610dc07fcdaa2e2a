"""Reading one wheel whole: everything is verified, and what a check needs is gathered.

A wheel is input from strangers: names and headers were checked when it was opened; here sizes, CRC-32, hashes
and RECORD are.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace

from fatwheel.archive.directory import Entry
from fatwheel.archive.ranges import ReadAhead
from fatwheel.deflate.inflaters import Inflater
from fatwheel.errors import WheelError
from fatwheel.printable import counted
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import MOST_HEADERS, REPORT_NAME, read_headers
from fatwheel.wheels.record import BadRow, RecordHash, RecordRow, parse_record
from fatwheel.wheels.scan import PackedScan, Scanned, Wanted, packed, scan_member, unpacked
from fatwheel.wheels.sharing import Readers
from fatwheel.wheels.signedpages import Judged
from fatwheel.wheels.wheel import Member, OpenWheel, RecordProblem, Wheel

__all__ = ["Source", "compare_record", "open_source", "read_wheel"]

_LARGEST: Mapping[str, int] = {
    "METADATA": 4 << 20,
    "WHEEL": 1 << 20,
    "entry_points.txt": 1 << 20,
    "top_level.txt": 1 << 20,
    REPORT_NAME: 16 << 20,
}
"""Bytes of the texts in dist-info: 20 times what the largest of 177 wheels has, or more."""
_LARGEST_RECORD, _LARGEST_ROW = 8 << 20, 512  # bytes, of a RECORD, and for each file besides
_MOST_ROWS = 1000  # more than there are files
_PLAIN = {judged: Wanted(signatures=judged) for judged in Judged}
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")


@valueclass
class Source:
    """A wheel while it is being read.

    `entries` and `rows` (of RECORD) are by the names that the members have in the result, which are the
    archive's own unless the wheel is renamed to match another. `bad_rows` are RECORD's lines that are no
    rows. `signatures` says which are compared with the code. `scanned` fills up.
    """

    wheel: OpenWheel
    dist_info: str
    entries: Mapping[str, Entry]
    rows: Mapping[str, RecordRow]
    bad_rows: tuple[BadRow, ...] = ()
    signatures: Judged = Judged.ENFORCED
    scanned: dict[str, Scanned] = field(default_factory=dict)

    @property
    def record(self) -> str:
        """The name of RECORD."""
        return f"{self.dist_info}/RECORD"

    def wanted(self, name: str, *, text: bool = False) -> Wanted:
        """Return what to gather of a member: its text where asked for or needed, and RECORD's kind of hash."""
        row = self.rows.get(name)
        algorithm = row.hash.algorithm if row is not None and row.hash is not None else "sha256"
        if not text and algorithm == "sha256" and not name.startswith(self.dist_info):
            return _PLAIN[self.signatures]
        folder, _, base = name.rpartition("/")
        own = base in _LARGEST and folder == self.dist_info
        if not own and not text and algorithm == "sha256":
            return _PLAIN[self.signatures]
        if own:
            _refuse_larger(self.wheel, self.entries[name], _LARGEST[base])
        return Wanted(text=text or own, algorithm=algorithm, signatures=self.signatures)

    def result(self) -> Wheel:
        """Return the wheel when all its members were scanned.

        Raises `WheelError` for a METADATA with more headers than any wheel has.
        """
        members = {name: self.scanned[name].member for name in self.entries}
        others = {n: s.other for n, s in self.scanned.items() if s.other is not None}
        texts = {
            name: scanned.text
            for name, scanned in self.scanned.items()
            if scanned.text is not None and posixpath.dirname(name) == self.dist_info
        }
        metadata = f"{self.dist_info}/METADATA"
        if texts.get(metadata, b"").count(b":") > MOST_HEADERS:
            text = texts[metadata].decode("utf-8", "replace")
            read_headers(text, wheel=self.wheel.path.name, member=metadata)
        return Wheel(
            name=self.wheel.name,
            dist_info=self.dist_info,
            members=members,
            texts=texts,
            record_problems=(
                *(
                    RecordProblem(member=self.record, kind="malformed", detail=bad.problem)
                    for bad in self.bad_rows
                ),
                *compare_record(self.rows, members, others, self.dist_info, self.bad_rows),
            ),
        )


def open_source(
    wheel: OpenWheel,
    inflater: Inflater,
    rename: Callable[[str], str] | None = None,
    signatures: Judged = Judged.ENFORCED,
) -> Source:
    """Read RECORD, which says what to expect of all other members; `rename` gives members other names.

    `signatures` says which are compared with the code.
    Raises `WheelError` where it is missing, larger or longer than a wheel with as many files has it, or no UTF-8.
    """
    entry = wheel.entry(f"{wheel.dist_info}/RECORD")
    files = len(wheel.entries)
    _refuse_larger(wheel, entry, _LARGEST_RECORD + _LARGEST_ROW * files)
    scanned = scan_member(wheel, entry, Wanted(text=True), inflater)
    try:
        text = (scanned.text or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 at byte {error.start}; rebuild the wheel"
        raise WheelError(wheel.path.name, entry.name, problem) from None
    lines = max(text.count("\n"), text.count("\r"))
    if lines > 2 * files + _MOST_ROWS:
        problem = f"has {counted(lines, 'line')}, and the wheel {counted(files, 'file')}; rebuild the wheel"
        raise WheelError(wheel.path.name, entry.name, problem)
    rows, bad = parse_record(text)
    source = Source(
        wheel=wheel,
        dist_info=wheel.dist_info,
        entries=wheel.entries,
        rows={row.path: row for row in rows},
        bad_rows=bad,
        signatures=signatures,
        scanned={entry.name: replace(scanned, text=None)},
    )
    return source if rename is None else _renamed(source, rename)


def _refuse_larger(wheel: OpenWheel, entry: Entry, most: int) -> None:
    if entry.size > most:
        problem = f"is {counted(entry.size, 'byte')} long, more than {most}; no real wheel's is"
        raise WheelError(wheel.path.name, entry.name, problem)


def _renamed(source: Source, rename: Callable[[str], str]) -> Source:
    return Source(
        wheel=source.wheel,
        dist_info=rename(source.dist_info),
        entries={rename(name): found for name, found in source.entries.items()},
        rows={rename(path): row for path, row in source.rows.items()},
        bad_rows=tuple(replace(row, path=row.path and rename(row.path)) for row in source.bad_rows),
        signatures=source.signatures,
        scanned={rename(name): found for name, found in source.scanned.items()},
    )


def read_wheel(
    wheel: OpenWheel,
    readers: Readers | None = None,
    *,
    inflater: Inflater,
    signatures: Judged = Judged.ALL,
) -> Wheel:
    """Read one wheel whole, with others where `readers` has them; what is wrong with RECORD is in the result.

    `signatures` says which are compared with the code. Raises `WheelError` for damaged members.
    """
    source = open_source(wheel, inflater, signatures=signatures)
    sizes = {n: e.compressed_size for n, e in source.entries.items() if n != source.record}
    readers = readers or Readers([wheel])
    tasks = [_Scanning(source, inflater, names) for names in readers.batches(sizes)]
    for found in readers.run(tasks):
        source.scanned.update(found)
    return source.result()


class _Scanning:
    """The task of reading some members of one wheel."""

    def __init__(self, source: Source, inflater: Inflater, names: Sequence[str]) -> None:
        self._source, self._inflater, self._names = source, inflater, names

    def do(self) -> dict[str, Scanned]:
        source, ahead = self._source, ReadAhead(self._source.wheel.file)
        return {
            name: scan_member(
                source.wheel, source.entries[name], source.wanted(name), self._inflater, ahead
            )
            for name in self._names
        }

    def pack(self, result: dict[str, Scanned]) -> list[PackedScan]:
        return [packed(scanned) for scanned in result.values()]

    def unpack(self, found: list[PackedScan]) -> dict[str, Scanned]:
        entries = self._source.entries
        return {
            name: unpacked(scan, entries[name])
            for name, scan in zip(self._names, found, strict=True)
        }


def compare_record(
    rows: Mapping[str, RecordRow],
    members: Mapping[str, Member],
    others: Mapping[str, RecordHash],
    dist_info: str,
    bad_rows: Iterable[BadRow] = (),
) -> tuple[RecordProblem, ...]:
    """Return every row in which RECORD and the archive disagree (PEP 376, PEP 427).

    `others` holds the digests of the members whose rows use another algorithm than SHA-256; of members that
    only `bad_rows` speak of, nothing more is said.
    """
    exempt = {f"{dist_info}/{base}" for base in _UNLISTED}
    exempt |= {row.path for row in bad_rows if row.path is not None and row.path not in rows}
    problems = [
        RecordProblem(member=name, kind="absent", detail="RECORD lists it, the archive has it not")
        for name in rows
        if name not in members
    ]
    for name, member in members.items():
        row = rows.get(name)
        if row is not None and _agrees(row, member):  # nearly every member there is
            continue
        if name not in exempt:
            found = others.get(name) or RecordHash("sha256", member.sha256)
            problem = _compare_row(row, name, member.entry.size, found)
            if problem is not None:
                problems.append(problem)
    return tuple(problems)


def _agrees(row: RecordRow, member: Member) -> bool:
    """Return whether a row states the member's SHA-256, and its size or none."""
    stated = row.hash
    return (
        stated is not None
        and stated.digest == member.sha256
        and stated.algorithm == "sha256"
        and row.size in (member.entry.size, None)
    )


def _compare_row(
    row: RecordRow | None, name: str, size: int, found: RecordHash
) -> RecordProblem | None:
    if row is None:
        return RecordProblem(member=name, kind="unlisted", detail="RECORD does not list it")
    if row.hash is None:
        return RecordProblem(member=name, kind="unhashed", detail="RECORD gives no hash for it")
    if row.hash != found:
        detail = f"RECORD says {row.hash}, its content has {found}"
    elif row.size is not None and row.size != size:
        detail = f"RECORD says {counted(row.size, 'byte')}, it has {size}"
    else:
        return None
    return RecordProblem(member=name, kind="differs", detail=detail)
