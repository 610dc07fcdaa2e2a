"""MemberData members inflate to the joined contents, whatever the parts are and whoever reads them."""

from __future__ import annotations

import itertools
import random
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.archive.format import Method
from fatwheel.archive.ranges import RangeFile
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.fixedcodes import encode_fixed, packed
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.deflate.splice import Cut, Deflated, Literal, copied, join
from fatwheel.deflate.stream import Blocks
from tests.support.streams import STRATEGIES, Piece, Shelf, deflated, ends, facts

UNIVERSAL_HEADER = bytes.fromhex(
    "cafebabe00000002"
    "0100000700000003000010000000c3500000000c"
    "0100000c00000000000100000000b2a40000000e"
)


@pytest.fixture
def shelf(tmp_path: Path, inflater: Inflater) -> Shelf:
    return Shelf(tmp_path / "parts", inflater)


def joined_bytes(joined: MemberData) -> bytes:
    chunks = list(joined.chunks())
    assert max(map(len, chunks), default=0) <= 256 * 1024
    data = b"".join(chunks)
    assert len(data) == joined.compressed_size
    return data


def content_of(joined: MemberData) -> bytes:
    data = joined_bytes(joined)
    if joined.method == Method.STORED:
        return data
    stream = zlib.decompressobj(-15)
    content = stream.decompress(data)
    assert stream.eof
    assert not stream.unused_data
    return content


contents = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda data, n: data * n, st.binary(max_size=40), st.integers(0, 3000)),
    st.builds(bytes, st.integers(0, 70_000)),
    st.builds(lambda seed, n: random.Random(seed).randbytes(n), st.integers(), st.just(66_000)),
)


@st.composite
def streams(draw: st.DrawFn) -> Piece:
    """A deflated piece, of several blocks where it is flushed on the way."""
    compressor = zlib.compressobj(
        draw(st.integers(0, 9)),
        zlib.DEFLATED,
        -draw(st.integers(9, 15)),
        draw(st.integers(1, 9)),
        draw(st.sampled_from(STRATEGIES)),
    )
    content, stream = b"", b""
    for data in draw(st.lists(contents, max_size=3)):
        content += data
        stream += compressor.compress(data)
        flush = draw(st.sampled_from([None, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH]))
        if flush is not None:
            stream += compressor.flush(flush)
    return Piece("deflated", content, stream + compressor.flush())


def piece_lists() -> st.SearchStrategy[list[Piece]]:
    plain = st.builds(Piece, st.sampled_from(["stored", "literal"]), contents)
    return st.lists(st.one_of(streams(), plain), max_size=5)


@settings(max_examples=150, deadline=None)
@given(pieces=piece_lists())
def test_joined_parts_inflate_to_their_joined_contents(
    inflater: Inflater, pieces: list[Piece]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, joined = Shelf(Path(folder) / "parts", inflater).join(pieces)
        with file:
            content = b"".join(piece.content for piece in pieces)
            assert joined.size == len(content)
            assert content_of(joined) == content
            assert joined_bytes(joined) == joined_bytes(joined)


def test_every_end_is_followed_by_every_start(shelf: Shelf) -> None:
    pieces = [Piece("deflated", content, stream) for _, content, stream in ends()]
    assert len(pieces) == 21
    plain = [Piece("stored", b"s" * 70_000), Piece("literal", UNIVERSAL_HEADER)]
    for first, second in itertools.product(pieces, [*pieces, *plain]):
        file, joined = shelf.join([first, second])
        with file:
            assert content_of(joined) == first.content + second.content


def test_bits_behind_a_streams_end_are_not_carried_over(shelf: Shelf) -> None:
    """Writers may leave anything in the last byte's unused bits; here they are all ones."""
    stream = deflated(b"abc")
    end = facts(best_inflater(), stream, 3).end_bit
    assert end % 8 == 2
    stream = stream[:-1] + bytes([stream[-1] | 0xFC])
    piece = Piece("deflated", b"abc", stream)
    file, joined = shelf.join([piece, piece])
    with file:
        assert content_of(joined) == b"abcabc"
    file, alone = shelf.join([piece])
    with file:
        assert joined_bytes(alone) == stream  # as it is


def test_stored_parts_stay_stored(shelf: Shelf) -> None:
    pieces = [Piece("literal", UNIVERSAL_HEADER), Piece("stored", b"x" * 9), Piece("stored", b"y")]
    file, joined = shelf.join(pieces)
    with file:
        assert joined.method == Method.STORED
        assert joined.compressed_size == joined.size == len(UNIVERSAL_HEADER) + 10
        assert joined_bytes(joined) == UNIVERSAL_HEADER + b"x" * 9 + b"y"


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [Piece("literal", b"")],
        [Piece("stored", b"")],
        [Piece("literal", b""), Piece("deflated", b"", b"\x03\x00")],
        [Piece("deflated", b"", b"\x03\x00"), Piece("deflated", b"", b"\x03\x00")],
        [Piece("deflated", b"", b"\x01\x00\x00\xff\xff"), Piece("literal", b"")],
    ],
)
def test_nothing_joined_is_nothing(shelf: Shelf, pieces: list[Piece]) -> None:
    file, joined = shelf.join(pieces)
    with file:
        assert joined.size == 0
        assert content_of(joined) == b""


def test_a_literal_starts_at_the_bit_where_the_part_before_it_ends(shelf: Shelf) -> None:
    stream = deflated(b"abc")
    pieces = [
        Piece("literal", UNIVERSAL_HEADER + bytes(4096 - len(UNIVERSAL_HEADER))),
        Piece("deflated", b"abc", stream),
        Piece("literal", bytes(16_381)),
        Piece("deflated", b"abc", stream),
    ]
    file, joined = shelf.join(pieces)
    with file:
        assert len(content_of(joined)) == 4096 + 3 + 16_381 + 3
        assert joined.compressed_size - 2 * len(stream) < 200


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 131_070, 131_071, 700_001])
@pytest.mark.parametrize("last", [True, False], ids=["last", "between"])
def test_stored_parts_become_stored_blocks(shelf: Shelf, size: int, last: bool) -> None:
    stored = Piece("stored", random.Random(size).randbytes(size))
    stream = Piece("deflated", b"abc", deflated(b"abc"))
    pieces = [stream, stored] if last else [stream, stored, stream]
    file, joined = shelf.join(pieces)
    with file:
        assert joined.method == Method.DEFLATED
        assert content_of(joined) == b"".join(piece.content for piece in pieces)


def test_long_literals_without_runs_are_stored_blocks(shelf: Shelf) -> None:
    literal = Piece("literal", random.Random(3).randbytes(100_000))
    file, joined = shelf.join([literal, Piece("deflated", b"abc", deflated(b"abc"))])
    with file:
        assert content_of(joined) == literal.content + b"abc"
        assert joined.compressed_size < 100_000 + 20


@given(st.one_of(contents, st.binary().map(lambda data: data + bytes(600) + data)))
@settings(max_examples=60, deadline=None)
def test_fixed_codes_inflate_to_what_was_encoded(data: bytes) -> None:
    stream = packed("1" + encode_fixed([data[:5000]]))  # the first bit is BFINAL
    assert zlib.decompress(stream, -15) == data[:5000]


def test_new_bytes_do_not_depend_on_zlib() -> None:
    """The encoding of a header and zeros is part of what makes wheels reproducible."""
    expected = (
        "10",  # the two bits of BTYPE, the lower one first
        "111001010",
        "111111110",
        "00110000",
        "11000101" + "00000",  # 258 bytes at distance 1
        "0010001" + "011" + "00000",  # 41: 35 and 6 more
        "0000000",
    )
    assert encode_fixed([b"\xca\xfe" + bytes(300)]) == "".join(expected)


def test_long_runs_of_zeros_are_many_matches() -> None:
    one = "11000101" + "00000"
    assert encode_fixed([bytes(1 + 60 * 258)]) == "10" + "00110000" + 60 * one + "0000000"


@pytest.mark.parametrize("size", [0, 1, 1000, 300_000, 699_999, 700_000])
@pytest.mark.parametrize("start", [0, 1, 262_144, 300_001])
def test_a_cut_is_a_part_of_a_members_content(
    tmp_path: Path, inflater: Inflater, start: int, size: int
) -> None:
    content = random.Random(7).randbytes(350_000) * 3
    stream = deflated(content, level=1)
    path = tmp_path / "w.whl"
    path.write_bytes(b"??" + stream)
    with RangeFile(path) as file:
        cut = Cut(
            file=file,
            member="libomp.dylib",
            offset=2,
            compressed_size=len(stream),
            content_size=len(content),
            start=start,
            size=size,
            inflater=inflater,
        )
        assert content_of(join([cut])) == content[start : start + size]
        joined = join([Literal(b"<"), cut, Literal(b">")])
        assert content_of(joined) == b"<" + content[start : start + size] + b">"


def test_copied_data_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.whl"
    path.write_bytes(b"anything")
    with RangeFile(path) as file:
        data = copied(file, offset=3, method=Method.DEFLATED, compressed_size=4, size=9)
        assert joined_bytes(data) == b"thin"


def test_blocks_of_another_stream_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "w.whl"
    path.write_bytes(bytes(20))
    with RangeFile(path) as file:
        part = Deflated(
            file=file,
            offset=0,
            compressed_size=10,
            size=30,
            blocks=Blocks(last_block_bit=17, end_bit=80),
        )
        joined = join([part, Literal(b"x")])
        with pytest.raises(AssertionError, match="bit 17 is not that of a last block"):
            list(joined.chunks())
