"""Byte ranges are read exactly, by many threads, with and without pread."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fatwheel.archive.ranges import CHUNK, RangeFile, ReadAhead, Span, SteadyReader, file_sha256
from fatwheel.errors import ChangedError, WheelError
from tests.support.changes import through_memory

CONTENT = random.Random(1).randbytes(1_000_000)


@pytest.fixture(params=["pread", "seek"])
def file(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RangeFile]:
    """A file that is read as POSIX allows it, and as Windows does."""
    if request.param == "seek":
        monkeypatch.delattr(os, "pread", raising=False)
    elif not hasattr(os, "pread"):
        pytest.skip("this system has no pread")
    path = tmp_path / "a.whl"
    path.write_bytes(CONTENT)
    with RangeFile(path) as opened:
        yield opened


def test_ranges_are_exact(file: RangeFile) -> None:
    assert file.size == len(CONTENT)
    assert file.name == "a.whl"
    assert file.read(0, 0) == b""
    assert file.read(7, 100) == CONTENT[7:107]
    assert file.read(0, len(CONTENT)) == CONTENT


def test_chunks_are_bounded(file: RangeFile) -> None:
    chunks = list(file.chunks(5, 999_000))
    assert b"".join(chunks) == CONTENT[5:999_005]
    assert max(map(len, chunks)) == 256 * 1024
    assert list(file.chunks(9, 0)) == []


def test_many_threads_read_at_once(file: RangeFile) -> None:
    places = [(n * 7919 % 900_000, n % 5000) for n in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: file.read(*place), places))
    assert found == [CONTENT[offset : offset + size] for offset, size in places]


@pytest.mark.parametrize(("offset", "size"), [(999_999, 2), (1_000_001, 0), (5_000_000, 10)])
def test_behind_the_end_is_truncated(file: RangeFile, offset: int, size: int) -> None:
    problem = f"a.whl: is truncated at byte 1000000; bytes {offset} to {offset + size} are needed"
    with pytest.raises(WheelError, match=problem):
        file.read(offset, size)


def test_a_file_that_shrinks_has_changed(file: RangeFile, tmp_path: Path) -> None:
    os.truncate(tmp_path / "a.whl", 500)
    with pytest.raises(ChangedError, match=r"changed .* \(it had 1000000 bytes and ends at 500\)"):
        file.read(400, 200)


@pytest.mark.parametrize(("offset", "size"), [(-1, 5), (5, -1)])
def test_negative_ranges_are_a_mistake(file: RangeFile, offset: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"negative range: offset {offset}, size {size}"):
        file.read(offset, size)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "a.whl"
    folder.mkdir()
    with pytest.raises(WheelError, match=r"a\.whl: is not a regular file"):
        RangeFile(folder)
    with pytest.raises(FileNotFoundError):
        RangeFile(tmp_path / "missing.whl")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.whl")
    with pytest.raises(WheelError, match=r"a\.whl: is not a regular file"):
        RangeFile(tmp_path / "a.whl")


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"x")
    with RangeFile(tmp_path / "a.whl") as file:
        file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.read(0, 1)


def test_reading_ahead_changes_nothing(file: RangeFile) -> None:
    chance = random.Random(4)
    ahead, at = ReadAhead(file), 0
    for _ in range(3000):
        size = chance.choice([0, 1, 30, 400, 5000, 40_000])
        if chance.random() < 0.1 or at + size > len(CONTENT):
            at = chance.randrange(len(CONTENT) - size)
        assert ahead.read(at, size) == CONTENT[at : at + size]
        at += size + chance.choice([0, 0, 1, 100, 4095, 4096, 50_000])
    assert ahead.read(len(CONTENT) - 1, 1) == CONTENT[-1:]
    with pytest.raises(WheelError, match="is truncated at byte 1000000"):
        ahead.read(len(CONTENT) - 1, 2)


def test_close_ranges_are_read_at_once(file: RangeFile, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = ReadAhead(file)
    asked = []
    read = file.read

    def noted(offset: int, size: int) -> bytes:
        asked.append((offset, size))
        return read(offset, size)

    monkeypatch.setattr(file, "read", noted)
    for at in (*range(0, 30_000, 100), 900_000, 500_000):
        ahead.read(at, 50)
    assert asked == [(0, 32768), (900_000, 50), (500_000, 50)]


SPANS = (
    Span(30, 0, "empty"),
    Span(60, 100, "small"),
    Span(200, 1, "one byte"),
    Span(300, CHUNK, "a chunk"),
    Span(300 + CHUNK, 10, "close behind"),
    Span(400_000, 2 * CHUNK + 7, "large"),
    Span(999_000, 1000, "the last"),
)


@pytest.mark.parametrize("members", [(), SPANS, SPANS[:1], SPANS[5:]], ids=len)
def test_the_whole_file_comes_piece_by_piece(file: RangeFile, members: tuple[Span, ...]) -> None:
    file.members = members
    pieces = list(file.whole())
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= CHUNK
    assert file_sha256(file) == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize("span", SPANS[1:], ids=lambda span: span.member)
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_change_of_a_member_is_noticed_when_it_is_read_again(
    span: Span, place: float, file: RangeFile, tmp_path: Path
) -> None:
    file.members = SPANS
    assert b"".join(file.steady(span.offset, span.size)) == CONTENT[span.offset : span.end]
    through_memory(tmp_path / "a.whl", span.offset + int(place * (span.size - 1)))
    said = rf"^a\.whl: {span.member}: changed while it was read \(its bytes are others now\)"
    with pytest.raises(ChangedError, match=said):
        list(file.steady(span.offset, span.size))
    with pytest.raises(ChangedError, match=said):
        file_sha256(file)
    with pytest.raises(ChangedError, match=said):
        file.check_content()


def test_bits_of_a_member_are_compared_as_the_whole_is(file: RangeFile, tmp_path: Path) -> None:
    span = SPANS[5]
    reader = SteadyReader(file, span.offset, span.size)
    for start, count in ((0, 9), (CHUNK - 3, 7), (5, 2), (span.size - 2, 9), (span.size + 1, 3)):
        assert reader.read(start, count) == CONTENT[span.offset + start : span.end][:count]
    through_memory(tmp_path / "a.whl", span.offset + CHUNK + 100)
    with pytest.raises(ChangedError, match="its bytes are others now"):
        SteadyReader(file, span.offset, span.size).read(CHUNK, 1)
    assert SteadyReader(file, span.offset, 0).read(0, 5) == b""
