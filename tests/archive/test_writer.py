"""Written archives are read alike by fatwheel, zipfile, unzip, bsdtar, 7z and Go."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from fatwheel.archive.directory import Method, read_directory
from fatwheel.archive.format import Flag
from fatwheel.archive.ranges import RangeFile
from fatwheel.archive.writer import MemberData, ZipWriter
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.deflate.splice import Literal, copied, join, new_text
from tests.support.corpus import ROOT
from tests.support.required import require_tool
from tests.support.streams import SAMPLES, Piece, Shelf, ends
from tests.support.zeros import crc_of_zeros

TIME = (2025, 6, 15, 12, 30, 42)
GIB = 1 << 30
Facts = list[tuple[str, int, int]]
"""Name, size and CRC-32 of each member."""


def literal(data: bytes) -> tuple[int, MemberData]:
    return zlib.crc32(data), join([Literal(data)])


def written(*members: tuple[str, int, bytes]) -> bytes:
    out = io.BytesIO()
    writer = ZipWriter(out, TIME)
    for name, mode, content in members:
        crc, data = literal(content)
        writer.add(name, mode=mode, crc=crc, data=data)
    assert writer.finish() == len(out.getvalue())
    return out.getvalue()


def test_the_bytes_are_fixed() -> None:
    data = written(("a.py", 0o644, b"x\n"))
    stamp = bytes.fromhex("d563cf5a")
    facts = zlib.crc32(b"x\n").to_bytes(4, "little") + b"\x02\0\0\0\x02\0\0\0\x04\0\0\0"
    local = b"PK\x03\x04\x14\0\0\0\0\0" + stamp + facts + b"a.py" + b"x\n"
    central = b"PK\x01\x02\x14\x03\x14\0\0\0\0\0" + stamp + facts + bytes(6)
    central += b"\0\0\xa4\x81" + bytes(4) + b"a.py"
    end = b"PK\x05\x06" + bytes(4) + b"\x01\0\x01\0\x32\0\0\0\x24\0\0\0\0\0"
    assert data == local + central + end


def test_zipfile_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(written(("p/a.py", 0o644, b"a"), ("p/é", 0o755, b""), ("p/日", 0o600, b"b")))
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None
        infos = wheel.infolist()
        assert [info.filename for info in infos] == ["p/a.py", "p/é", "p/日"]
        assert [info.flag_bits for info in infos] == [0, Flag.UTF8, Flag.UTF8]
        assert [info.external_attr >> 16 for info in infos] == [
            stat.S_IFREG | mode for mode in (0o644, 0o755, 0o600)
        ]
        assert {info.date_time for info in infos} == {TIME}
        assert {(i.create_system, i.create_version, i.extract_version) for i in infos} == {
            (3, 20, 20)
        }
        assert {info.extra for info in infos} == {b""}
    with RangeFile(path) as file:
        entries = read_directory(file, "a.whl")
    assert [(e.name, e.mode, e.method) for e in entries] == [
        ("p/a.py", 0o644, Method.STORED),
        ("p/é", 0o755, Method.STORED),
        ("p/日", 0o600, Method.STORED),
    ]


@pytest.mark.parametrize("year", [1979, 2108])
def test_times_that_dos_cannot_express_are_a_mistake(year: int) -> None:
    with pytest.raises(ValueError, match=f"year out of range for a zip archive: {year}"):
        ZipWriter(io.BytesIO(), (year, 1, 1, 0, 0, 0))


class Lying:
    """A piece that yields less than was promised."""

    def chunks(self) -> Iterator[bytes]:
        yield b"short"


def test_a_broken_promise_is_noticed() -> None:
    pieces = cast("tuple[bytes, ...]", (Lying(),))
    data = MemberData(method=Method.STORED, compressed_size=9, size=9, pieces=pieces)
    writer = ZipWriter(io.BytesIO(), TIME)
    with pytest.raises(AssertionError, match="a: wrote 5 of 9 bytes"):
        writer.add("a", mode=0o644, crc=0, data=data)
    with pytest.raises(AssertionError, match="b: 9 bytes were promised, 5 came"):
        writer.add_recompressed("b", mode=0o644, size=9, chunks=[b"short"])


def test_recompressed_members(tmp_path: Path) -> None:
    content = b"".join(b"%d\n" % n for n in range(100_000))
    path = tmp_path / "a.whl"
    with path.open("wb") as out:
        writer = ZipWriter(out, TIME)
        writer.add_recompressed("empty", mode=0o644, size=0, chunks=[])
        views = [memoryview(content)[:300_000], memoryview(content)[300_000:]]
        writer.add_recompressed("numbers", mode=0o755, size=len(content), chunks=views)
        crc, data = literal(b"after")
        writer.add("after", mode=0o644, crc=crc, data=data)
        writer.finish()
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None
        assert [info.file_size for info in wheel.infolist()] == [0, len(content), 5]
        assert wheel.read("numbers") == content
    with RangeFile(path) as file:
        assert len(read_directory(file, "a.whl")) == 3


# Each reader lists name, size and CRC-32 as far as it tells them, after it verified all contents.


def run(*command: str) -> bytes:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def by_unzip(path: Path, facts: Facts) -> None:
    assert b"No errors detected" in run(require_tool("unzip"), "-t", str(path))
    assert zlib.crc32(run(require_tool("unzip"), "-p", str(path))) == joined_crc(path)
    assert len(facts) == run(require_tool("unzip"), "-Z1", str(path)).count(b"\n")


def by_bsdtar(path: Path, facts: Facts) -> None:
    assert zlib.crc32(run(require_tool("bsdtar"), "-xOf", str(path))) == joined_crc(path)
    assert len(facts) == run(require_tool("bsdtar"), "-tf", str(path)).count(b"\n")


def by_7z(path: Path, facts: Facts) -> None:
    tested = run(require_tool("7z"), "t", str(path))
    assert b"Everything is Ok" in tested
    assert b"Warning" not in tested
    assert zlib.crc32(run(require_tool("7z"), "x", "-so", str(path))) == joined_crc(path)
    assert f"Files: {len(facts)}".encode() in tested


def joined_crc(path: Path) -> int:
    """Return the CRC-32 of all contents, one after the other."""
    crc = 0
    with zipfile.ZipFile(path) as wheel:
        for info in wheel.infolist():
            crc = zlib.crc32(wheel.read(info), crc)
    return crc


@pytest.fixture(scope="session")
def strict_unzip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built once."""
    go = require_tool("go")
    folder = tmp_path_factory.mktemp("go")
    source = ROOT / "tests" / "support" / "strict_unzip.go"
    environment = os.environ | {"GO111MODULE": "off", "GOCACHE": str(folder / "cache")}
    command = [go, "build", "-o", str(folder / "strict_unzip"), str(source)]
    subprocess.run(command, check=True, env=environment)
    return folder / "strict_unzip"


def by_go(path: Path, facts: Facts, strict_unzip: Path) -> None:
    lines = run(str(strict_unzip), str(path)).decode().splitlines()
    assert [(name, int(size), int(crc, 16)) for size, crc, _, name in map(split, lines)] == facts


def split(line: str) -> tuple[str, str, str, str]:
    size, crc, mode, name = line.split(" ", 3)
    return size, crc, mode, name


@pytest.fixture(params=["unzip", "bsdtar", "7z", "go"])
def reader(request: pytest.FixtureRequest) -> Callable[[Path, Facts], None]:
    """One program that reads zip archives."""
    plain = {"unzip": by_unzip, "bsdtar": by_bsdtar, "7z": by_7z}
    if request.param in plain:
        return plain[request.param]
    program: Path = request.getfixturevalue("strict_unzip")
    return lambda path, facts: by_go(path, facts, program)


@pytest.fixture(scope="module")
def spliced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """An archive of many joined members: each end before each start, and random lists of parts."""
    inflater = best_inflater()
    if not inflater.finds_blocks:
        pytest.skip("this machine has no libz that reports block boundaries")
    folder = tmp_path_factory.mktemp("spliced")
    streams = [Piece("deflated", content, stream) for _, content, stream in ends()]
    plain = [Piece("stored", b"s" * 70_000), Piece("literal", b"new" + bytes(999))]
    lists = [[first, second] for first in streams for second in [*streams[::4], *plain]]
    chance = random.Random(11)
    lists += [chance.choices([*streams, *plain], k=chance.randrange(1, 7)) for _ in range(100)]
    path, facts = folder / "a.whl", []
    with path.open("wb") as out:
        writer = ZipWriter(out, TIME)
        for n, pieces in enumerate(lists):
            content = b"".join(piece.content for piece in pieces)
            file, data = Shelf(folder / "parts", inflater).join(pieces)
            with file:
                writer.add(f"m{n:03}", mode=0o644, crc=zlib.crc32(content), data=data)
            facts.append((f"m{n:03}", len(content), zlib.crc32(content)))
        writer.finish()
    return path, facts


def test_every_reader_takes_joined_members(
    spliced: tuple[Path, Facts], reader: Callable[[Path, Facts], None]
) -> None:
    reader(*spliced)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    """An archive of texts that are in neither wheel."""
    path, facts = tmp_path_factory.mktemp("texts") / "a.whl", []
    with path.open("wb") as out:
        writer = ZipWriter(out, TIME)
        for n, content in enumerate(SAMPLES):
            crc = zlib.crc32(content)
            writer.add(f"t{n:02}", mode=0o644, crc=crc, data=new_text(content))
            facts.append((f"t{n:02}", len(content), crc))
        writer.finish()
    return path, facts


def test_every_reader_takes_new_texts(
    texts: tuple[Path, Facts], reader: Callable[[Path, Facts], None]
) -> None:
    reader(*texts)
    assert texts[0].stat().st_size < sum(size for _, size, _ in texts[1]) / 2


def test_fatwheel_takes_joined_members(spliced: tuple[Path, Facts]) -> None:
    path, facts = spliced
    with RangeFile(path) as file:
        entries = read_directory(file, "a.whl")
    assert [(entry.name, entry.size, entry.crc) for entry in entries] == facts
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None


class Sparse(io.RawIOBase):
    """A file that turns zeros into holes."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file = file

    def write(self, data: object) -> int:
        chunk = cast("bytes", data)
        if chunk.count(0) == len(chunk):
            self.file.seek(len(chunk), io.SEEK_CUR)
        else:
            self.file.write(chunk)
        return len(chunk)


class Zeros:
    """A file of zeros that are not there."""

    name = "zeros"

    def steady(self, offset: int, data_size: int, start: int, size: int) -> Iterator[bytes]:
        chunk = 1 << 24
        zeros = bytes(chunk)
        for _ in range(size // chunk):
            yield zeros
        yield zeros[: size % chunk]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[str, int, int]]]:
    """A sparse archive with one member that is larger than 4 GiB and one that begins behind it."""
    path = tmp_path_factory.mktemp("large") / "a.whl"
    size = 4 * GIB + 5
    with path.open("wb") as file:
        writer = ZipWriter(cast("BinaryIO", Sparse(file)), TIME)
        zeros = cast("RangeFile", Zeros())
        data = copied(zeros, offset=0, method=Method.STORED, compressed_size=size, size=size)
        writer.add("large", mode=0o644, crc=crc_of_zeros(size), data=data)
        crc, data = literal(b"behind")
        writer.add("behind", mode=0o644, crc=crc, data=data)
        writer.finish()
    if path.stat().st_blocks * 512 > GIB:
        pytest.skip("this file system has no sparse files")
    return path, [("large", size, crc_of_zeros(size)), ("behind", 6, zlib.crc32(b"behind"))]


def test_zip64_is_used_where_it_is_needed(large: tuple[Path, Facts]) -> None:
    path, facts = large
    with RangeFile(path) as file:
        entries = read_directory(file, "a.whl")
        assert file.read(entries[1].data_offset, 6) == b"behind"
    assert [(entry.name, entry.size, entry.crc) for entry in entries] == facts
    assert entries[1].header_offset > 4 * GIB
    with zipfile.ZipFile(path) as wheel:
        infos = wheel.infolist()
        assert [(info.filename, info.file_size, info.CRC) for info in infos] == facts
        assert [info.extract_version for info in infos] == [45, 45]
        assert wheel.read("behind") == b"behind"


def test_other_readers_find_a_member_behind_four_gigabytes(large: tuple[Path, Facts]) -> None:
    path = str(large[0])
    assert run(require_tool("unzip"), "-p", path, "behind") == b"behind"
    assert run(require_tool("7z"), "x", "-so", path, "behind") == b"behind"
    assert run(require_tool("bsdtar"), "-xOf", path, "behind") == b"behind"


@pytest.mark.parametrize(("count", "zip64"), [(65_534, False), (65_535, True), (65_536, True)])
def test_zip64_for_many_members(
    tmp_path: Path, count: int, zip64: bool, strict_unzip: Path
) -> None:
    path = tmp_path / "a.whl"
    crc, data = literal(b"")
    with path.open("wb") as out:
        writer = ZipWriter(out, TIME)
        for n in range(count):
            writer.add(f"{n:05}", mode=0o644, crc=crc, data=data)
        writer.finish()
    tail = path.read_bytes()[-42:]
    assert tail.startswith(b"PK\x06\x07") == zip64
    with RangeFile(path) as file:
        assert len(read_directory(file, "a.whl")) == count
    with zipfile.ZipFile(path) as wheel:
        assert len(wheel.infolist()) == count
    assert run(str(strict_unzip), str(path)).count(b"\n") == count


def test_a_recompressed_member_that_may_pass_four_gigabytes_has_room(tmp_path: Path) -> None:
    """Only the header is written: the chunks end too soon, which is noticed."""
    out = io.BytesIO()
    writer = ZipWriter(out, TIME)
    with pytest.raises(AssertionError, match=f"{4 * GIB} bytes were promised, 0 came"):
        writer.add_recompressed("a", mode=0o644, size=4 * GIB, chunks=[])
    assert out.getvalue()[4:6] == b"\x2d\0"
    assert out.getvalue()[26:35] == b"\x01\0\x14\0a\x01\0\x10\0"
