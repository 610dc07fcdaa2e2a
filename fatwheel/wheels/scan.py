"""One pass over members: each is inflated once, and everything that is needed of it is gathered on the way.

CRC-32, size and end of stream are verified, the content is hashed and, where it begins like one, parsed as
Mach-O or archive. Two thin images that will be fused are hashed as the universal file at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fatwheel.arch import Arch
from fatwheel.archive.directory import Entry, Method
from fatwheel.archive.ranges import RangeFile, ReadAhead
from fatwheel.deflate.content import Blocks, inflate_whole, member_chunks
from fatwheel.deflate.inflaters import Inflater
from fatwheel.deflate.pipeline import IN_USE, Chunk, hand_over
from fatwheel.deflate.stream import Buffers
from fatwheel.errors import FormatError, ToolError, WheelError
from fatwheel.macho.bitcode import Bitcode
from fatwheel.macho.image import Image, PageChoice
from fatwheel.macho.probe import Parser, Probe
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.textstub import TextStub, looks_like_stub, parse_text_stub
from fatwheel.macho.universal import Layout, Universal, layout, looks_like, parse, thin_head
from fatwheel.values import valueclass
from fatwheel.wheels.effort import Effort
from fatwheel.wheels.pair import FusedDigest, MemberPair
from fatwheel.wheels.record import RecordHash
from fatwheel.wheels.signedpages import Judged, first_choice, second_choice
from fatwheel.wheels.wheel import Content, Member, OpenWheel, images

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

__all__ = [
    "Job",
    "PackedScan",
    "PairScan",
    "Scanned",
    "Wanted",
    "content_chunks",
    "found_pair",
    "head",
    "packed",
    "scan_file",
    "scan_member",
    "scan_pair",
    "unpacked",
]

Parsed = Universal | Image | StaticLibrary | Bitcode | TextStub | None

_HEAD = 32  # bytes; a mach_header_64
_SMALL = 1 << 16  # bytes; up to here the calls cost more than the work
_LARGE = 1 << 20  # bytes; from here on a second thread pays
_HEAD_COMPRESSED = 2048  # bytes, which hold at least the Huffman tables of the first block


@valueclass
class Scanned:
    """A member, its digest in another algorithm where RECORD uses one, and its content where it was kept."""

    member: Member
    other: RecordHash | None = None
    text: bytes | None = None


PackedScan = tuple[bytes, Content, Blocks | None, RecordHash | None, bytes | None]
"""What was found of a member, for another process that has its entry, too."""


def packed(scanned: Scanned) -> PackedScan:
    """Return what was found of a member beside its entry."""
    member = scanned.member
    return member.sha256, member.content, member.blocks, scanned.other, scanned.text


def unpacked(found: PackedScan, entry: Entry) -> Scanned:
    """Return what was found of the member `entry`."""
    sha256, content, blocks, other, text = found
    member = Member(entry=entry, sha256=sha256, content=content, blocks=blocks)
    return Scanned(member=member, other=other, text=text)


@valueclass
class Wanted:
    """What to gather of one member besides the facts.

    `text` keeps the content. `algorithm` is the one in which RECORD states the hash. `signatures` says which
    are compared with the code; where all are, the symbols that go from image to image are gathered, too.
    """

    text: bool = False
    algorithm: str = "sha256"
    signatures: Judged = Judged.ENFORCED


@valueclass
class Job:
    """One member to be read, and what to gather of it; small ones are read by `ahead`, where given."""

    wheel: OpenWheel
    entry: Entry
    wanted: Wanted
    ahead: ReadAhead | None = None

    def raw(self) -> bytes:
        """Return the compressed bytes of a small member."""
        ahead = self.ahead or ReadAhead(self.wheel.file)
        return ahead.steady(self.entry.data_offset, self.entry.compressed_size)


@valueclass
class PairScan:
    """What was found under one name: for the plan, and for each wheel."""

    members: MemberPair
    x86_64: Scanned | None
    arm64: Scanned | None


class _Reading:
    """One member while its content passes by."""

    def __init__(
        self, source: str, entry: Entry, wanted: Wanted, inflater: Inflater, effort: Effort
    ) -> None:
        self._source = source
        self._effort = effort
        self._entry = entry
        self._sha256 = hashlib.sha256()
        other = wanted.algorithm
        self._other = None if other == "sha256" else hashlib.new(other)
        self._text: list[bytes] | None = [] if wanted.text else None
        self._pages = first_choice(wanted.signatures)
        self._symbols = wanted.signatures is Judged.ALL
        self._crc = 0
        self._crc32 = inflater.crc32
        self._probe: Probe[Parsed] | None = None
        self._malformed: FormatError | None = None
        self._undecided: bytearray | None = bytearray()

    def feed(self, chunk: Chunk) -> None:
        self._sha256.update(chunk)
        self._crc = self._crc32(chunk, self._crc)
        if self._other is not None:
            self._other.update(chunk)
        if self._text is not None:
            self._text.append(bytes(chunk))
        if self._probe is not None:
            self._parse(chunk, self._probe)
        elif self._undecided is not None:
            self._decide(chunk)

    def _decide(self, chunk: Chunk) -> None:
        """Look at the first bytes, which may come in drops, and parse what they look like."""
        assert self._undecided is not None
        if self._undecided or len(chunk) < _HEAD:
            self._undecided += chunk
            chunk = bytes(self._undecided)
        if len(chunk) < min(_HEAD, self._entry.size):
            return
        self._undecided = None
        start = bytes(chunk[:_HEAD])
        if looks_like(start):
            self._parse(chunk, Probe(self._parser(self._pages), self._ask))
        elif looks_like_stub(start):
            self._parse(chunk, Probe(parse_text_stub(self._source, self._entry.size), self._ask))

    def _parser(self, pages: PageChoice) -> Parser[Parsed]:
        size = self._entry.size
        return parse(self._source, size, pages=pages, symbols=self._symbols)

    def _ask(self, size: int) -> None:
        self._effort.ask(self._entry.name, size)

    def _parse(self, chunk: Chunk, probe: Probe[Parsed]) -> None:
        self._probe = probe
        try:
            probe.feed(chunk)
        except FormatError as error:
            self._malformed, self._probe = error.with_traceback(None), None

    def again(self, chunks: Iterable[Chunk], pages: PageChoice) -> Content:
        """Parse the content once more, to hash the signed pages in other ways than they were at first."""
        probe = Probe(self._parser(pages), self._ask)
        for chunk in chunks:
            probe.feed(chunk)
        parsed = probe.finish()
        return None if isinstance(parsed, Bitcode) else parsed

    def finish(self, wheel: str, blocks: Blocks | None) -> Scanned:
        entry = self._entry
        if self._crc != entry.crc:
            raise _wrong_crc(wheel, entry, self._crc)
        content: Content = self._malformed
        if self._probe is not None:
            try:
                parsed = self._probe.finish()
                content = None if isinstance(parsed, Bitcode) else parsed
            except FormatError as error:
                content = error.with_traceback(None)
        self._effort.keep(entry.name, *_to_keep(content))
        member = Member(entry=entry, sha256=self._sha256.digest(), content=content, blocks=blocks)
        other = None
        if self._other is not None:
            other = RecordHash(self._other.name, self._other.digest())
        text = None if self._text is None else b"".join(self._text)
        return Scanned(member=member, other=other, text=text)


def _to_keep(content: Content) -> tuple[int, list[str | bytes]]:
    """Return how many slices there are, and all paths and symbols that code looks for."""
    found = [image for image in images(content) if isinstance(image, Image)]
    slices = len(content.slices) if isinstance(content, Universal) else 0
    texts: list[str | bytes] = []
    for image in found:
        texts += (*image.loads, *image.rpaths)
        texts += (one.name for one in (image.symbols and image.symbols.undefined) or ())
    return slices, texts


def _wrong_crc(wheel: str, entry: Entry, found: int) -> WheelError:
    problem = f"has CRC-32 {found:08x}, the directory says {entry.crc:08x}"
    return WheelError(wheel, entry.name, f"{problem}; the file is damaged, get it anew")


def head(wheel: OpenWheel, entry: Entry) -> bytes:
    """Return the first bytes of a member's content, enough to tell what it is, without reading the rest.

    Shorter where the member is, and empty where its stream is damaged: the scan will say so.
    """
    raw = wheel.file.read(entry.data_offset, min(entry.compressed_size, _HEAD_COMPRESSED))
    if entry.method is Method.STORED:
        return raw[:_HEAD]
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, _HEAD)
    except zlib.error:
        return b""


def content_chunks(wheel: OpenWheel, entry: Entry, inflater: Inflater) -> Iterator[memoryview]:
    """Yield a member's content piece by piece; a piece is valid until the next one is asked for.

    Raises `WheelError` for a damaged stream and a wrong size.
    """
    yield from member_chunks(wheel.file, entry, inflater, wheel.path.name, watch=False)


def scan_member(
    wheel: OpenWheel,
    entry: Entry,
    wanted: Wanted,
    inflater: Inflater,
    ahead: ReadAhead | None = None,
) -> Scanned:
    """Read one member whole, a small one by `ahead`, where given.

    Raises `WheelError` for damaged data, a wrong size or a wrong CRC-32.
    """
    return _scan(Job(wheel=wheel, entry=entry, wanted=wanted, ahead=ahead), inflater, None)


def scan_file(file: RangeFile, name: str) -> tuple[bytes, Content]:
    """Return the SHA-256 (32 bytes) of a plain file, and what it holds; `name` stands in messages."""
    digest = hashlib.sha256()
    parser = Probe(parse(name, file.size, pages=first_choice(Judged.ENFORCED)))
    content: Content = None
    try:
        for chunk in file.steady(0, file.size):
            digest.update(chunk)
            parser.feed(chunk)
        parsed = parser.finish()
        content = None if isinstance(parsed, Bitcode) else parsed
    except FormatError as error:
        raise ToolError(f"the engine made a file that is no Mach-O: {error}") from error
    return digest.digest(), content


def scan_pair(name: str, x86_64: Job | None, arm64: Job | None, inflater: Inflater) -> PairScan:
    """Read what both wheels have under one name; what is equal as it is compressed is inflated once.

    Raises as `scan_member` does.
    """
    if x86_64 is None or arm64 is None:
        x, a = (None if job is None else _scan(job, inflater, None) for job in (x86_64, arm64))
        return found_pair(name, x, a, None)
    if _alike(x86_64, arm64) and (a := _scan_equal(x86_64, arm64, inflater)) is not None:
        return found_pair(name, _with_entry(a, x86_64.entry), a, None)
    layout = _thin_layout(x86_64, arm64)
    if layout is None:
        x, a = _scan(x86_64, inflater, None), _scan(arm64, inflater, None)
        return found_pair(name, x, a, None)
    first, second = layout.placed
    chain = hashlib.sha256(layout.header)
    chain.update(bytes(first.offset - len(layout.header)))
    x = _scan(x86_64, inflater, chain)
    chain.update(bytes(second.offset - first.offset - first.source.size))
    a = _scan(arm64, inflater, chain)
    return found_pair(name, x, a, FusedDigest(layout=layout, sha256=chain.digest()))


def _scan(job: Job, inflater: Inflater, chain: Hash | None) -> Scanned:
    """Read one member; `chain` is the digest of a fused file that its content is a part of."""
    name, entry = job.wheel.path.name, job.entry
    if chain is None and _is_small(entry):
        small = _scan_small(job, job.raw(), inflater)
        if small is not None:
            return small
    effort = job.wheel.effort
    reading = _Reading(f"{name}: {entry.name}", entry, job.wanted, inflater, effort)

    go_on = job.wheel.file.go_on

    def take(chunk: Chunk) -> None:
        go_on()  # a few bytes can be inflated to very many
        reading.feed(chunk)
        if chain is not None:
            chain.update(chunk)

    if entry.size < _LARGE:
        content = member_chunks(job.wheel.file, entry, inflater, name)
        for chunk in content:
            take(chunk)
    else:
        with _buffers() as buffers:
            content = member_chunks(job.wheel.file, entry, inflater, name, buffers)
            hand_over(content, take)
    scanned = reading.finish(name, content.blocks)
    pages = second_choice(scanned.member.content, job.wanted.signatures)
    if pages is None:
        return scanned
    known = reading.again(content_chunks(job.wheel, entry, inflater), pages)
    return replace(scanned, member=replace(scanned.member, content=known))


_idle: list[Buffers] = []  # list.pop and list.append are atomic


@contextlib.contextmanager
def _buffers() -> Iterator[Buffers]:
    """Yield memory for what two threads hold at a time, which nobody else uses meanwhile."""
    try:
        buffers = _idle.pop()
    except IndexError:
        buffers = Buffers(IN_USE)
    yield buffers
    _idle.append(buffers)


def _is_small(entry: Entry) -> bool:
    return entry.size <= _SMALL and entry.compressed_size <= _SMALL


def _scan_small(job: Job, raw: bytes, inflater: Inflater) -> Scanned | None:
    """Read a small member, compressed as `raw`, in one go; None where it holds code: more must be known."""
    entry, name = job.entry, job.wheel.path.name
    stored = entry.method is Method.STORED
    content = raw if stored else inflate_whole(raw, entry, inflater, name)
    start = content[:_HEAD]
    if looks_like(start) or looks_like_stub(start):
        return None
    if (found := inflater.crc32(content, 0)) != entry.crc:
        raise _wrong_crc(name, entry, found)
    other = None
    if job.wanted.algorithm != "sha256":
        digest = hashlib.new(job.wanted.algorithm, content).digest()
        other = RecordHash(job.wanted.algorithm, digest)
    member = Member(entry=entry, sha256=hashlib.sha256(content).digest(), content=None)
    return Scanned(member=member, other=other, text=content if job.wanted.text else None)


def _alike(a: Job, b: Job) -> bool:
    """Return whether two members may be stored as the very same bytes, and the same is wanted of both."""
    one, other = a.entry, b.entry
    return (
        one.crc == other.crc
        and one.compressed_size == other.compressed_size
        and one.size == other.size
        and one.method is other.method
        and (a.wanted is b.wanted or a.wanted == b.wanted)
    )


def _scan_equal(x86_64: Job, arm64: Job, inflater: Inflater) -> Scanned | None:
    """Read a member that both wheels have as the very same bytes; None where they are not the same."""
    one, other = x86_64.entry, arm64.entry
    if _is_small(other):
        raw = arm64.raw()
        if raw != x86_64.raw():
            return None
        return _scan_small(arm64, raw, inflater) or _scan(arm64, inflater, None)
    pieces = zip(
        x86_64.wheel.file.steady(one.data_offset, one.compressed_size),
        arm64.wheel.file.steady(other.data_offset, other.compressed_size),
        strict=True,
    )
    return _scan(arm64, inflater, None) if all(a == b for a, b in pieces) else None


def _with_entry(scanned: Scanned, entry: Entry) -> Scanned:
    """Return the facts of an equal member, which lies elsewhere."""
    known = scanned.member
    member = Member(entry=entry, sha256=known.sha256, content=known.content, blocks=known.blocks)
    return Scanned(member=member, other=scanned.other, text=scanned.text)


def _thin_layout(x86_64: Job, arm64: Job) -> Layout | None:
    """Return the layout of the file fused from two thin images, judged by their first bytes; else None."""
    entries = (x86_64.entry, arm64.entry)
    if entries[0].crc == entries[1].crc and entries[0].size == entries[1].size:
        return None
    heads = (thin_head(head(job.wheel, job.entry)) for job in (x86_64, arm64))
    sources = [
        replace(found, size=entry.size)
        for found, entry in zip(heads, entries, strict=True)
        if found is not None
    ]
    cputypes = [source.cputype for source in sources]
    return layout(sources) if cputypes == [arch.cputype for arch in Arch] else None


def found_pair(
    name: str, x86_64: Scanned | None, arm64: Scanned | None, fused: FusedDigest | None
) -> PairScan:
    """Return what was found under one name in each wheel; `fused` is the digest of both as one file."""
    members = MemberPair(
        name=name,
        x86_64=None if x86_64 is None else x86_64.member,
        arm64=None if arm64 is None else arm64.member,
        x86_64_text=None if x86_64 is None else x86_64.text,
        arm64_text=None if arm64 is None else arm64.text,
        fused=fused,
    )
    return PairScan(members=members, x86_64=x86_64, arm64=arm64)
