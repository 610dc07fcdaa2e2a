"""One pass over a member: facts that hold whoever inflates, and damage that is always found."""

from __future__ import annotations

import hashlib
import random
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fatwheel.archive.ranges import RangeFile
from fatwheel.deflate.fixedcodes import encode_fixed, packed
from fatwheel.deflate.inflaters import Inflater, available_inflaters, best_inflater
from fatwheel.deflate.pipeline import Chunk
from fatwheel.errors import FormatError, ToolError, WheelError
from fatwheel.macho.image import Image, Signature
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.universal import Universal
from fatwheel.wheels.pair import FusedDigest
from fatwheel.wheels.record import RecordHash
from fatwheel.wheels.scan import (
    Job,
    PairScan,
    Wanted,
    _Reading,
    content_chunks,
    head,
    scan_file,
    scan_member,
    scan_pair,
)
from fatwheel.wheels.signedpages import Judged
from fatwheel.wheels.wheel import OpenWheel, open_wheel
from tests.support.signing import Directory
from tests.support.wheels import (
    PLATFORMS,
    A,
    Side,
    X,
    altered,
    code,
    make_wheel,
    raw_member,
    static,
    tamper,
    universal,
)

INFLATERS = list(available_inflaters())
NOISE = random.Random(0).randbytes(70_000)
SIZES = {"empty": 0, "small": 100, "medium": 1 << 17, "large": (1 << 20) + 77}
DAMAGE = "pkg/a.bin"


@pytest.fixture(params=INFLATERS, ids=lambda inflater: inflater.name)
def inflater(request: pytest.FixtureRequest) -> Inflater:
    found: Inflater = request.param
    return found


def text_of(size: int) -> bytes:
    return (NOISE * (size // len(NOISE) + 1))[:size]


def opened(folder: Path, files: Side, **options: object) -> OpenWheel:
    return open_wheel(make_wheel(folder, PLATFORMS[A], files, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "deflated"])
@pytest.mark.parametrize("start", [b"", code(A)], ids=["data", "image"])
def test_facts(size: int, stored: bool, start: bytes, inflater: Inflater, tmp_path: Path) -> None:
    content = start + text_of(size)
    wheel = opened(tmp_path, {"pkg/a": content}, stored=["pkg/a"] if stored else [])
    entry = wheel.entry("pkg/a")
    found = scan_member(wheel, entry, Wanted(text=True, algorithm="sha512"), inflater)
    assert found.text == content
    assert found.other == RecordHash("sha512", hashlib.sha512(content).digest())
    assert found.member.entry is entry
    assert found.member.sha256 == hashlib.sha256(content).digest()
    assert isinstance(found.member.content, Image) == bool(start)
    if start and not stored:
        assert (found.member.blocks is not None) == inflater.finds_blocks
    plain = scan_member(wheel, entry, Wanted(), inflater)
    assert (plain.member, plain.other, plain.text) == (found.member, None, None)
    chunks = [bytes(chunk) for chunk in content_chunks(wheel, entry, inflater)]
    assert b"".join(chunks) == content
    assert max(map(len, chunks), default=0) <= 1 << 18


EVERYTHING = [Directory(kind=kind, page_bits=bits) for kind, bits in ((1, 14), (2, 0), (4, 12))]


@pytest.mark.parametrize("judged", Judged)
@pytest.mark.parametrize("size", [100, 200_000, (1 << 20) + 77], ids=["small", "medium", "large"])
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "deflated"])
def test_signatures_are_compared_with_the_code(
    judged: Judged, size: int, stored: bool, inflater: Inflater, tmp_path: Path
) -> None:
    """Whatever hashes they have: what is unusual is read a second time."""
    slices = [code(X, text_of(size)), code(A, text_of(size), directories=EVERYTHING)]
    content = universal(slices[0], altered(slices[1], 50))
    wheel = opened(tmp_path, {"pkg/a": content}, stored=["pkg/a"] if stored else [])
    wanted = Wanted(signatures=judged)
    found = scan_member(wheel, wheel.entry("pkg/a"), wanted, inflater).member.content
    assert isinstance(found, Universal)
    x86_64, arm64 = (
        [one.verified and (one.wrong_pages and one.wrong_pages.first) for one in s.directories]
        for piece in found.slices
        if isinstance(piece.content, Image) and isinstance(s := piece.content.signature, Signature)
    )
    assert x86_64 == ([None] if judged is Judged.ALL else [False])
    assert arm64 == ([0, 0, 0] if judged is Judged.ALL else [0, False, False])


@pytest.mark.parametrize(
    ("directories", "times"),
    [
        pytest.param([Directory()], 1, id="as-expected"),
        pytest.param([Directory(page_bits=14)], 1, id="as-its-size-tells"),
        pytest.param([Directory(page_bits=0)], 2, id="other-pages"),
        pytest.param([Directory(limit=9)], 1, id="other-code"),
        pytest.param([Directory(), Directory(kind=1)], 1, id="weaker-ones"),
    ],
)
def test_a_second_reading_is_the_exception(
    directories: list[Directory], times: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = opened(tmp_path, {"pkg/a": code(A, text_of(90_000), directories=directories)})
    entry, inflater, starts = wheel.entry("pkg/a"), best_inflater(), []
    read = RangeFile.read

    def counted(file: RangeFile, offset: int, size: int) -> bytes:
        starts.append(offset)
        return read(file, offset, size)

    monkeypatch.setattr(RangeFile, "read", counted)
    scan_member(wheel, entry, Wanted(), inflater)
    assert starts.count(entry.data_offset) == times


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (code(X), Image),
        (universal(code(X), code(A)), Universal),
        (static(A), StaticLibrary),
        (code(X)[:40], FormatError),
        (code(X)[:3], type(None)),
        (b"!<arch>\n" + b"x" * 60, FormatError),
        (b"\xca\xfe\xba\xbe\0\0\0\x34" + b"x" * 60, type(None)),
        (b"", type(None)),
    ],
    ids=["image", "universal", "archive", "cut", "too short", "no archive", "Java class", "empty"],
)
def test_what_a_member_holds(
    content: bytes, kind: type, inflater: Inflater, tmp_path: Path
) -> None:
    wheel = opened(tmp_path, {"pkg/a": content})
    found = scan_member(wheel, wheel.entry("pkg/a"), Wanted(), inflater).member.content
    assert isinstance(found, kind)


def test_an_image_that_comes_in_drops_is_an_image_all_the_same(
    inflater: Inflater, tmp_path: Path
) -> None:
    content = code(A) + bytes(100_000)
    drop = b"\0" + struct.pack("<2H", 1, 0xFFFE) + content[:1]  # a stored block of one byte
    empty = b"\0" + struct.pack("<2H", 0, 0xFFFF)
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = compressor.compress(content[1:]) + compressor.flush()
    path = make_wheel(tmp_path, PLATFORMS[A], {})
    raw_member(path, "pkg/a.so", drop + empty * 60_000 + rest, content)
    wheel = open_wheel(path)
    found = scan_member(wheel, wheel.entry("pkg/a.so"), Wanted(), inflater)
    assert isinstance(found.member.content, Image)


def deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressor.compress(content) + compressor.flush()


@pytest.mark.parametrize("size", [100, 100_000, (1 << 20) + 5], ids=["small", "medium", "large"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("crc", "has CRC-32 [0-9a-f]{8}, the directory says 00000001; the file is damaged"),
        ("short", "inflates to [0-9]+ bytes, but its declared size is"),
        ("long", "inflates to more than its declared size of"),
        ("left over", "has 3 bytes after the end of its deflate stream"),
        ("cut", "its deflate stream does not end within its"),
        ("broken", "its deflate stream is damaged"),
    ],
)
def test_damage(size: int, damage: str, problem: str, inflater: Inflater, tmp_path: Path) -> None:
    content = code(A) + text_of(size) if size % 2 else text_of(size)
    raw = deflated(content)
    raw = {"left over": raw + b"end", "cut": raw[:-9], "broken": b"\xff" + raw}.get(damage, raw)
    path = make_wheel(tmp_path, PLATFORMS[A], {})
    raw_member(path, DAMAGE, raw, content)
    if damage == "crc":
        tamper(path, DAMAGE, crc=1)
    elif damage in ("short", "long"):
        tamper(path, DAMAGE, size=len(content) + (1 if damage == "short" else -1))
    wheel = open_wheel(path)
    with pytest.raises(WheelError, match=problem) as caught:
        scan_member(wheel, wheel.entry(DAMAGE), Wanted(), inflater)
    assert (caught.value.wheel, caught.value.member) == (path.name, DAMAGE)


def test_a_stored_member_with_a_wrong_crc(inflater: Inflater, tmp_path: Path) -> None:
    path = make_wheel(tmp_path, PLATFORMS[A], {DAMAGE: b"abc"}, stored=[DAMAGE])
    wheel = open_wheel(tamper(path, DAMAGE, crc=1))
    with pytest.raises(WheelError, match="has CRC-32 352441c2, the directory says 00000001"):
        scan_member(wheel, wheel.entry(DAMAGE), Wanted(), inflater)


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "deflated"])
def test_the_head_of_a_member(stored: bool, tmp_path: Path) -> None:
    files = {"long": text_of(100_000), "short": b"abc", "empty": b""}
    wheel = opened(tmp_path, files, stored=files if stored else [])
    for name, content in files.items():
        assert head(wheel, wheel.entry(name)) == content[:32]


def test_the_head_of_a_damaged_member_is_empty(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, PLATFORMS[A], {})
    raw_member(path, DAMAGE, b"\xff" * 9, b"abc")
    wheel = open_wheel(path)
    assert head(wheel, wheel.entry(DAMAGE)) == b""


# ---- two members side by side ----


def pair_of(
    tmp_path: Path, x86_64: bytes | None, arm64: bytes | None, inflater: Inflater, **x: object
) -> PairScan:
    jobs = []
    for arch, content, options in ((X, x86_64, x), (A, arm64, {})):
        files = {} if content is None else {"pkg/a": content}
        wheel = open_wheel(make_wheel(tmp_path, PLATFORMS[arch], files, **options))  # type: ignore[arg-type]
        entry = wheel.entries.get("pkg/a")
        job = None if entry is None else Job(wheel=wheel, entry=entry, wanted=Wanted(text=True))
        jobs.append(job)
    return scan_pair("pkg/a", jobs[0], jobs[1], inflater)


def fused(found: FusedDigest, x86_64: bytes, arm64: bytes) -> bytes:
    """The universal file of this layout."""
    data = bytearray(found.layout.size)
    data[: len(found.layout.header)] = found.layout.header
    for place, content in zip(found.layout.placed, (x86_64, arm64), strict=True):
        data[place.offset : place.offset + len(content)] = content
    return bytes(data)


@pytest.mark.parametrize("size", [10, 100_000, (1 << 20) + 1], ids=["small", "medium", "large"])
def test_the_fused_file_is_hashed_on_the_way(size: int, inflater: Inflater, tmp_path: Path) -> None:
    x86_64, arm64 = code(X) + text_of(size), code(A) + text_of(size + 1)
    found = pair_of(tmp_path, x86_64, arm64, inflater)
    digest = found.members.fused
    assert digest is not None
    assert digest.sha256 == hashlib.sha256(fused(digest, x86_64, arm64)).digest()
    assert found.x86_64 is not None
    assert found.arm64 is not None
    assert (found.x86_64.text, found.arm64.text) == (x86_64, arm64)


@pytest.mark.parametrize("blocks", ["many", "one"])
def test_a_slow_taker_sees_every_piece_as_it_was(
    blocks: str, inflater: Inflater, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces lie in memory that is used again, also where one long block takes a second pass."""
    content = random.Random(2).randbytes(4_000_000)
    if blocks == "one":
        stream = packed("1" + encode_fixed([content]))
    else:
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        stream = compressor.compress(content) + compressor.flush()
    path = make_wheel(tmp_path, PLATFORMS[A], {})
    raw_member(path, DAMAGE, stream, content)
    wheel = open_wheel(path)
    feed = _Reading.feed

    def slowly(self: _Reading, chunk: Chunk) -> None:
        time.sleep(0.02)
        feed(self, chunk)

    monkeypatch.setattr(_Reading, "feed", slowly)
    found = scan_member(wheel, wheel.entry(DAMAGE), Wanted(), inflater)
    assert found.member.sha256 == hashlib.sha256(content).digest()
    assert (found.member.blocks is not None) == inflater.finds_blocks


@pytest.mark.parametrize(
    ("x86_64", "arm64"),
    [
        (code(A), code(X)),
        (code(X), universal(code(A))),
        (code(X), b"text"),
        (code(X), None),
        (None, code(A)),
        (static(X), static(A)),
    ],
    ids=["swapped", "fat", "text", "x86_64 only", "arm64 only", "archives"],
)
def test_what_is_not_two_thin_images_is_hashed_by_itself(
    x86_64: bytes | None, arm64: bytes | None, inflater: Inflater, tmp_path: Path
) -> None:
    found = pair_of(tmp_path, x86_64, arm64, inflater)
    assert found.members.fused is None
    for scanned, content in ((found.x86_64, x86_64), (found.arm64, arm64)):
        assert (scanned and scanned.text) == content
        assert scanned is None or scanned.member.sha256 == hashlib.sha256(content or b"").digest()


@pytest.mark.parametrize("size", [10, 100_000, (1 << 20) + 1], ids=["small", "medium", "large"])
@pytest.mark.parametrize("stored", [True, False], ids=["stored in one", "the very same bytes"])
@pytest.mark.parametrize("start", [b"", universal(code(X), code(A))], ids=["data", "code"])
def test_equal_members(
    size: int, stored: bool, start: bytes, inflater: Inflater, tmp_path: Path
) -> None:
    content = start + text_of(size)
    found = pair_of(tmp_path, content, content, inflater, stored=["pkg/a"] if stored else [])
    x86_64, arm64 = found.members.x86_64, found.members.arm64
    assert x86_64 is not None
    assert arm64 is not None
    assert x86_64.sha256 == arm64.sha256 == hashlib.sha256(content).digest()
    assert (x86_64.entry.method == arm64.entry.method) is not stored
    assert isinstance(x86_64.content, Universal) == isinstance(arm64.content, Universal)
    assert isinstance(x86_64.content, Universal) == bool(start)
    assert found.members.fused is None


def test_equal_facts_of_other_bytes_are_not_taken_for_equal(tmp_path: Path) -> None:
    # The same size and CRC-32, stored: only the bytes tell.
    first = b"\1" + bytes(7)
    wanted = zlib.crc32(first)
    second = next(
        found for found in _with_crc(wanted) if found != first and zlib.crc32(found) == wanted
    )
    found = pair_of(tmp_path, first, second, best_inflater())
    assert found.members.x86_64 is not None
    assert found.members.arm64 is not None
    assert found.members.x86_64.sha256 == hashlib.sha256(first).digest()
    assert found.members.arm64.sha256 == hashlib.sha256(second).digest()


def _with_crc(wanted: int) -> Iterator[bytes]:
    """Eight bytes with this CRC-32: it is linear, so the last four bytes can be solved for."""
    start = b"\2\2\2\2"
    base = zlib.crc32(start + bytes(4))
    rows = []
    for bit in range(32):
        flipped = zlib.crc32(start + struct.pack("<I", 1 << bit)) ^ base
        rows.append((flipped, 1 << bit))
    target, answer = wanted ^ base, 0
    for position in range(32):
        pivot = next(row for row in rows if row[0] >> position & 1)
        rows.remove(pivot)
        rows = [(v ^ pivot[0], m ^ pivot[1]) if v >> position & 1 else (v, m) for v, m in rows]
        if target >> position & 1:
            target, answer = target ^ pivot[0], answer ^ pivot[1]
    yield start + struct.pack("<I", answer)


@pytest.mark.parametrize("side", ["x86_64", "arm64"])
@pytest.mark.parametrize("stored", [True, False])
def test_damage_on_either_side_is_found(
    side: str, stored: bool, inflater: Inflater, tmp_path: Path
) -> None:
    paths = {
        arch.value: make_wheel(
            tmp_path, PLATFORMS[arch], {"pkg/a": b"same"}, stored=["pkg/a"] if stored else []
        )
        for arch in (X, A)
    }
    tamper(paths[side], "pkg/a", crc=1)
    wheels = [open_wheel(path) for path in paths.values()]
    jobs = [Job(wheel=wheel, entry=wheel.entry("pkg/a"), wanted=Wanted()) for wheel in wheels]
    with pytest.raises(WheelError, match="has CRC-32") as caught:
        scan_pair("pkg/a", jobs[0], jobs[1], inflater)
    assert caught.value.wheel == paths[side].name


# ---- files that an engine made ----


def test_a_plain_file(tmp_path: Path) -> None:
    data = universal(code(X), code(A))
    (tmp_path / "f").write_bytes(data)
    with RangeFile(tmp_path / "f") as file:
        digest, content = scan_file(file, "pkg/a.so")
    assert digest == hashlib.sha256(data).digest()
    assert isinstance(content, Universal)


def test_a_plain_file_that_is_none_of_the_kind(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(universal(code(X), code(A))[:4200])
    with (
        RangeFile(tmp_path / "f") as file,
        pytest.raises(ToolError, match=r"the engine made a file that is no Mach-O: pkg/a\.so"),
    ):
        scan_file(file, "pkg/a.so")
