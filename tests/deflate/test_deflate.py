"""Members are inflated in bounded pieces, and every lie about them is noticed, by each inflater."""

from __future__ import annotations

import ctypes
import itertools
import random
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.archive.directory import Entry, Method
from fatwheel.archive.ranges import RangeFile
from fatwheel.deflate import nativezlib
from fatwheel.deflate.content import Blocks, Inflation, inflate, member_chunks
from fatwheel.deflate.inflaters import (
    Inflater,
    available_inflaters,
    best_inflater,
    load_libz,
    load_zlib_ng,
    python_zlib,
)
from fatwheel.errors import WheelError

AVAILABLE = list(available_inflaters())


@pytest.fixture(params=AVAILABLE, ids=[tool.name.rsplit(" ", 1)[0] for tool in AVAILABLE])
def inflater(request: pytest.FixtureRequest) -> Inflater:
    chosen: Inflater = request.param
    return chosen


def start(inflater: Inflater, stream: bytes, size: int, packed: int | None = None) -> Inflation:
    """Inflate a stream that is given in small chunks."""
    return inflate(
        inflater,
        [stream[at : at + 1000] for at in range(0, len(stream), 1000)],
        compressed_size=len(stream) if packed is None else packed,
        size=size,
        wheel="a.whl",
        member="pkg/m.so",
    )


def read(inflation: Inflation) -> bytes:
    content = b""
    for piece in inflation:
        assert 0 < len(piece) <= 256 * 1024
        content += piece
    return content


def deflate(content: bytes, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    return compressor.compress(content) + compressor.flush()


RANDOM = random.Random(5).randbytes(300_000)
TEXT = b"".join(b"line %d of a text\n" % n for n in range(60_000))


@pytest.mark.parametrize("content", [b"", b"x", RANDOM, TEXT, bytes(5_000_000)], ids=len)
@pytest.mark.parametrize("level", [0, 1, 9])
def test_content_comes_in_bounded_pieces(inflater: Inflater, content: bytes, level: int) -> None:
    inflation = start(inflater, deflate(content, level), len(content))
    assert read(inflation) == content
    assert (inflation.blocks is not None) == inflater.finds_blocks


class Bits:
    """A plain deflate reader (RFC 1951) that only finds blocks, as zlib's puff.c does."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> int:
        value = 0
        for n in range(count):
            value |= (self.data[self.at >> 3] >> (self.at & 7) & 1) << n
            self.at += 1
        return value

    def blocks(self) -> Blocks:
        while True:
            begin = self.at
            final, kind = self.take(1), self.take(2)
            if kind == 0:
                self.at = (self.at + 7) // 8 * 8
                size = self.take(16)
                self.at += 16 + 8 * size
            elif kind == 1:
                lengths = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
                self._skip(self._decoder(lengths), self._decoder([5] * 30))
            else:
                self._skip(*self._tables())
            if final:
                return Blocks(last_block_bit=begin, end_bit=self.at)

    def _decoder(self, lengths: list[int]) -> dict[tuple[int, int], int]:
        codes, code = {}, 0
        for length in range(1, 16):
            code <<= 1
            for symbol, of in enumerate(lengths):
                if of == length:
                    codes[length, code] = symbol
                    code += 1
        return codes

    def _symbol(self, codes: dict[tuple[int, int], int]) -> int:
        code = length = 0
        while (length, code) not in codes:
            code, length = code << 1 | self.take(1), length + 1
            assert length < 16
        return codes[length, code]

    def _tables(self) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int]]:
        literals, distances, count = self.take(5) + 257, self.take(5) + 1, self.take(4) + 4
        order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
        lengths = [0] * 19
        for symbol in order[:count]:
            lengths[symbol] = self.take(3)
        codes, found = self._decoder(lengths), list[int]()
        while len(found) < literals + distances:
            symbol = self._symbol(codes)
            if symbol < 16:
                found.append(symbol)
            elif symbol == 16:
                found += [found[-1]] * (3 + self.take(2))
            else:
                found += [0] * (3 + self.take(3) if symbol == 17 else 11 + self.take(7))
        return self._decoder(found[:literals]), self._decoder(found[literals:])

    def _skip(
        self, literals: dict[tuple[int, int], int], distances: dict[tuple[int, int], int]
    ) -> None:
        while (symbol := self._symbol(literals)) != 256:
            if symbol > 256:
                self.take(max(0, (symbol - 261) // 4) if symbol < 285 else 0)
                self.take(max(0, self._symbol(distances) // 2 - 1))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=400), max_size=4),
    st.integers(0, 9),
    st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE]),
    st.sampled_from([zlib.Z_NO_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH]),
)
def test_the_last_block_is_where_a_plain_reader_finds_it(
    parts: list[bytes], level: int, strategy: int, flush: int
) -> None:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    stream = b"".join(compressor.compress(part) + compressor.flush(flush) for part in parts)
    stream += compressor.flush()
    right = Bits(stream).blocks()
    for inflater in AVAILABLE:
        inflation = start(inflater, stream, sum(map(len, parts)))
        assert read(inflation) == b"".join(parts)
        assert inflation.blocks == (right if inflater.finds_blocks else None)


def test_all_inflaters_tell_the_same_facts() -> None:
    for content in (TEXT, RANDOM, bytes(1_000_000)):
        for level in range(10):
            found = set()
            for inflater in AVAILABLE:
                inflation = start(inflater, deflate(content, level), len(content))
                assert read(inflation) == content
                if inflater.finds_blocks:
                    found.add(inflation.blocks)
            assert len(found) <= 1


STREAM = deflate(TEXT)


@pytest.mark.parametrize(
    ("stream", "size", "packed", "problem"),
    [
        (b"\x07\x00", 9, None, r"its deflate stream is damaged \("),
        (b"\x4b\x04\x12\x00", 9, None, "its deflate stream is damaged .*too far back"),
        (STREAM[:-3], len(TEXT), None, rf"does not end within its {len(STREAM) - 3} bytes"),
        (b"", 0, None, "its deflate stream does not end within its 0 bytes"),
        (STREAM, len(TEXT) - 1, None, f"more than its declared size of {len(TEXT) - 1} bytes"),
        (STREAM, len(TEXT) + 1, None, f"inflates to {len(TEXT)} bytes, but its declared size is "),
        (
            STREAM + b"tail",
            len(TEXT),
            None,
            f"has 4 bytes after the end of .* ends at {len(STREAM)}",
        ),
        (
            STREAM + bytes(5000),
            len(TEXT),
            None,
            "has 5000 bytes after the end of its deflate stream",
        ),
    ],
    ids=["block type", "codes", "cut off", "empty", "more", "less", "tail", "long tail"],
)
def test_damaged_members_are_refused(
    inflater: Inflater, stream: bytes, size: int, packed: int | None, problem: str
) -> None:
    with pytest.raises(WheelError, match=problem) as caught:
        read(start(inflater, stream, size, packed))
    assert (caught.value.wheel, caught.value.member) == ("a.whl", "pkg/m.so")


def test_a_bomb_is_stopped_at_once(inflater: Inflater) -> None:
    """64 MiB of zeros are declared to be 10 bytes; at most one piece of them is inflated."""
    asked = []

    def chunks() -> Iterator[bytes]:
        bomb = deflate(bytes(64 << 20), 9)
        for at in range(0, len(bomb), 300):
            asked.append(at)
            yield bomb[at : at + 300]

    bomb = inflate(
        inflater, chunks(), compressed_size=65_000, size=10, wheel="a.whl", member="bomb"
    )
    with pytest.raises(WheelError, match="more than its declared size of 10 bytes"):
        read(bomb)
    assert len(asked) < 10


def test_many_tiny_blocks_take_linear_time(inflater: Inflater) -> None:
    def seconds(count: int) -> float:
        stream = b"\x00\x00\x00\xff\xff" * count + b"\x03\x00"
        began = time.thread_time()
        assert read(start(inflater, stream, 0)) == b""
        return time.thread_time() - began

    few, many = (min(seconds(count) for _ in range(3)) for count in (5000, 40_000))
    assert many < few * 8 * 4 + 0.05


def test_streams_run_side_by_side(inflater: Inflater) -> None:
    """In one thread, taking turns, and in many threads; buffers are not mixed up."""
    contents = [random.Random(n).randbytes(1000) * 700 for n in range(6)]
    streams = [deflate(content) for content in contents]
    turns = [iter(start(inflater, s, len(c))) for s, c in zip(streams, contents, strict=True)]
    found = [b""] * len(turns)
    for pieces in itertools.zip_longest(*turns, fillvalue=b""):
        found = [content + piece for content, piece in zip(found, map(bytes, pieces), strict=True)]
    assert found == contents

    def job(n: int) -> bytes:
        return read(start(inflater, streams[n % 6], len(contents[n % 6])))

    with ThreadPoolExecutor(4) as pool:
        assert all(c == contents[n % 6] for n, c in enumerate(pool.map(job, range(24))))


def test_a_stream_that_was_left_early_spoils_no_other(inflater: Inflater) -> None:
    for _ in range(3):
        assert next(iter(start(inflater, STREAM, len(TEXT))))
        with pytest.raises(WheelError, match="damaged"):
            read(start(inflater, b"\xff\xff", 5))
        assert read(start(inflater, STREAM, len(TEXT))) == TEXT


def test_crc32_is_zlibs(inflater: Inflater) -> None:
    assert inflater.crc32(b"abc", 0) == zlib.crc32(b"abc")
    assert inflater.crc32(memoryview(TEXT), 77) == zlib.crc32(TEXT, 77)


@pytest.mark.parametrize("method", list(Method))
def test_members_of_both_methods_are_read_alike(
    inflater: Inflater, tmp_path: Path, method: Method
) -> None:
    data = TEXT if method == Method.STORED else STREAM
    path = tmp_path / "a.whl"
    path.write_bytes(b"before" + data + b"after")
    entry = Entry(
        name="text",
        is_dir=False,
        method=method,
        crc=0,
        compressed_size=len(data),
        size=len(TEXT),
        header_offset=0,
        data_offset=6,
        mode=0o644,
        date_time=None,
    )
    with RangeFile(path) as file:
        inflation = member_chunks(file, entry, inflater, "a.whl")
        assert read(inflation) == TEXT
        found = inflater.finds_blocks and method == Method.DEFLATED
        assert (inflation.blocks is not None) == found
        unwatched = member_chunks(file, entry, inflater, "a.whl", watch=False)
        assert read(unwatched) == TEXT
        assert unwatched.blocks is None


def test_python_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert load_libz() is None
    assert load_zlib_ng() is None
    (only,) = available_inflaters()
    assert only.name == python_zlib().name
    assert not only.finds_blocks


def test_the_best_one_is_the_first_and_looked_for_once() -> None:
    assert best_inflater().name == next(available_inflaters()).name
    assert best_inflater() is best_inflater()


def test_a_library_that_answers_otherwise_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it is asked with another flush value, so that it reports no boundaries."""
    if load_libz() is None:
        pytest.skip("this machine has no libz")
    monkeypatch.setattr(nativezlib, "Z_BLOCK", 0)
    assert load_libz() is None


def test_no_foreign_library_is_loaded_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    assert load_libz() is None


@given(st.binary(max_size=300), st.sampled_from(["", "cut", "longer", "changed"]), st.data())
def test_whole_streams_are_taken_or_not(content: bytes, damage: str, data: st.DataObject) -> None:
    """All that is not sound is left to `run`, which says what is wrong; all inflaters agree."""
    compressor = zlib.compressobj(data.draw(st.integers(0, 9)), zlib.DEFLATED, -15)
    stream = compressor.compress(content) + compressor.flush()
    at = data.draw(st.integers(0, len(stream) - 1))
    if damage == "cut":
        stream = stream[:at]
    elif damage == "longer":
        stream += b"\0"
    elif damage == "changed":
        stream = stream[:at] + bytes([stream[at] ^ 255]) + stream[at + 1 :]
    for size in (len(content), len(content) + 1, max(0, len(content) - 1)):
        found = {inflater.whole(stream, size) for inflater in AVAILABLE}
        assert len(found) == 1
        (whole,) = found
        if damage == "changed":
            assert whole is None or len(whole) == size
        else:
            assert whole == (content if not damage and size == len(content) else None)
