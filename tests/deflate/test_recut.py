"""A cut out of a member's stream inflates to the cut of its content, whatever the stream looks like."""

from __future__ import annotations

import hashlib
import random
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.archive.format import Method
from fatwheel.archive.ranges import RangeFile
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.cut import Allowance, Cut
from fatwheel.deflate.fixedcodes import encode_fixed, fixed_block, packed
from fatwheel.deflate.inflaters import Inflater, available_inflaters, python_zlib
from fatwheel.deflate.recut import (
    MAX_EDGE,
    WINDOW,
    Boundary,
    Edge,
    Plan,
    matches,
    plan_recut,
    recode,
)
from fatwheel.deflate.splice import Literal, Part, join
from fatwheel.deflate.textcodes import deflate_text
from tests.support.streams import STRATEGIES, deflated


def program(size: int, seed: int = 1) -> bytes:
    """Return bytes that deflate like a program: near and far repetitions, runs and noise."""
    chance = random.Random(seed)
    data = bytearray(chance.randbytes(200))
    while len(data) < size:
        kind = chance.random()
        if kind < 0.3:
            data += chance.randbytes(chance.randrange(1, 30))
        elif kind < 0.4:
            data += bytes(chance.randrange(1, 400))
        else:
            back = chance.randrange(1, min(len(data), 40_000) + 1)
            at = len(data) - back
            data += data[at : at + chance.randrange(1, 80)]
    return bytes(data[:size])


PROGRAM = program(400_000)


def inflated(joined: MemberData) -> bytes:
    stream = b"".join(joined.chunks())
    assert len(stream) == joined.compressed_size
    if joined.method == Method.STORED:
        return stream
    decoder = zlib.decompressobj(-15)
    content = decoder.decompress(stream)
    assert decoder.eof
    assert not decoder.unused_data
    return content


class Source:
    """A file with one deflated member in it."""

    def __init__(self, file: RangeFile, stream: bytes, content: bytes, inflater: Inflater) -> None:
        self.file, self.stream, self.content, self.inflater = file, stream, content, inflater

    def cut(self, start: int, size: int, *, dynamic: bool = False) -> Cut:
        return Cut(
            file=self.file,
            member="libomp.dylib",
            offset=3,
            compressed_size=len(self.stream),
            content_size=len(self.content),
            start=start,
            size=size,
            inflater=self.inflater,
            dynamic=dynamic,
        )

    def check(self, start: int, size: int) -> None:
        """Join the cut first, last, alone and twice; and alone with edges that have codes of their own."""
        cut, dynamic = (self.cut(start, size, dynamic=kind) for kind in (False, True))
        expected = self.content[start : start + size]
        lists: list[list[Part]] = [
            [cut],
            [Literal(b"<"), cut],
            [cut, Literal(b">>>")],
            [Literal(b"<"), cut, cut],
        ]
        for parts in lists:
            content = [p.data if isinstance(p, Literal) else expected for p in parts]
            assert inflated(join(parts)) == b"".join(content)
        smaller = join([dynamic])
        assert inflated(smaller) == expected
        assert smaller.compressed_size <= join([cut]).compressed_size


def source(folder: Path, stream: bytes, content: bytes, inflater: Inflater) -> Source:
    path = folder / "a.whl"
    path.write_bytes(b"???" + stream + b"!")
    return Source(RangeFile(path), stream, content, inflater)


def test_cuts_beyond_the_allowance_are_stored(tmp_path: Path, inflater: Inflater) -> None:
    content = b"".join(b"%d " % n for n in range(200_000))
    made = source(tmp_path, deflated(content), content, inflater)
    allowance = Allowance(0)
    cut = replace(made.cut(1000, 300_000), allowance=allowance)
    assert join([Literal(b"<"), cut]).compressed_size < 200_000
    assert not allowance.take(80_000_000)
    joined = join([Literal(b"<"), cut])
    assert joined.compressed_size > 300_000
    assert inflated(joined) == b"<" + content[1000:301_000]


@settings(max_examples=120, deadline=None)
@given(
    places=st.tuples(st.integers(0, 400_000), st.integers(0, 400_000)),
    level=st.sampled_from([1, 6, 9]),
    strategy=st.sampled_from(STRATEGIES),
    memory=st.integers(1, 9),
)
def test_a_cut_inflates_to_the_cut_of_the_content(
    inflater: Inflater, places: tuple[int, int], level: int, strategy: int, memory: int
) -> None:
    stream = deflated(PROGRAM, level, mem=memory, how=strategy)
    start, end = sorted(places)
    with tempfile.TemporaryDirectory() as folder:
        made = source(Path(folder), stream, PROGRAM, inflater)
        with made.file:
            made.check(start, end - start)


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize(
    ("start", "size"), [(0, 400_000), (0, 5), (4096, 395_904), (399_999, 1), (16_384, 300_000)]
)
def test_cuts_at_either_end(
    tmp_path: Path, inflater: Inflater, *, level: int, start: int, size: int
) -> None:
    made = source(tmp_path, deflated(PROGRAM, level), PROGRAM, inflater)
    with made.file:
        made.check(start, size)


def test_a_cut_is_hardly_larger_than_its_share_of_the_stream(
    tmp_path: Path, inflater: Inflater
) -> None:
    """The slice of a universal file with one architecture: all but the header and its padding."""
    content = bytes.fromhex("cafebabe") + bytes(16_380) + PROGRAM
    stream = deflated(content)
    made = source(tmp_path, stream, content, inflater)
    with made.file:
        joined = join([made.cut(16_384, len(PROGRAM))])
        assert inflated(joined) == PROGRAM
        assert joined.compressed_size < 1.05 * len(stream)
        assert join([made.cut(16_384, len(PROGRAM))]).compressed_size == joined.compressed_size


def test_the_bytes_do_not_depend_on_the_inflater(tmp_path: Path) -> None:
    found = set()
    for tool in available_inflaters():
        if tool.finds_blocks:
            made = source(tmp_path, deflated(PROGRAM), PROGRAM, tool)
            with made.file:
                found.add(b"".join(join([made.cut(16_384, 300_000)]).chunks()))
    assert len(found) <= 1


def test_matches_that_reach_back_behind_the_start_become_literals(
    tmp_path: Path, inflater: Inflater
) -> None:
    """Everything is one repetition of what lies before the cut."""
    block = random.Random(3).randbytes(9000)
    content = block * 12
    made = source(tmp_path, deflated(content), content, inflater)
    with made.file:
        for start in (1, 8_999, 9_000, 9_001, 50_000):
            made.check(start, 20_000)


def test_stored_blocks_between_others(tmp_path: Path, inflater: Inflater) -> None:
    """Their data start at a byte, so they are moved by themselves, and the blocks around them by bits."""
    noise = random.Random(4).randbytes(150_000)
    content = PROGRAM[:120_000] + noise + PROGRAM[:120_000]
    made = source(tmp_path, deflated(content), content, inflater)
    with made.file:
        made.check(5_000, 380_000)
        made.check(130_000, 100_000)
        if inflater.finds_blocks:
            joined = join([made.cut(5_000, 380_000)])
            assert joined.compressed_size < len(made.stream) + 2_000


@pytest.mark.parametrize("last", [b"", PROGRAM[:50_000]], ids=["last", "not last"])
def test_stored_blocks_at_the_ends(tmp_path: Path, inflater: Inflater, last: bytes) -> None:
    noise = random.Random(5).randbytes(200_000)
    content = noise + PROGRAM[:90_000] + noise[::-1] + last
    made = source(tmp_path, deflated(content), content, inflater)
    with made.file:
        for start in (0, 1, 60_000, 240_000):
            made.check(start, len(content) - start)
            made.check(start, 480_000 - start)


def test_empty_blocks_between_others(tmp_path: Path, inflater: Inflater) -> None:
    for flush in (zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_FULL_FLUSH):
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        pieces = [PROGRAM[at : at + 20_000] for at in range(0, len(PROGRAM), 20_000)]
        stream = b"".join(compressor.compress(p) + compressor.flush(flush) for p in pieces)
        made = source(tmp_path, stream + compressor.flush(), PROGRAM, inflater)
        with made.file:
            made.check(40_000, 200_000)
            made.check(33_333, len(PROGRAM) - 33_333)


def test_one_huge_block_is_not_decoded_in_python(tmp_path: Path, inflater: Inflater) -> None:
    content = bytes(30_000_000)
    made = source(tmp_path, deflated(content, 9), content, inflater)
    with made.file:
        joined = join([made.cut(4096, 20_000_000)])
        assert joined.compressed_size > 20_000_000  # stored blocks
        assert inflated(joined) == content[:20_000_000]


def test_without_block_positions_a_cut_is_stored(tmp_path: Path) -> None:
    made = source(tmp_path, deflated(PROGRAM), PROGRAM, python_zlib())
    with made.file:
        made.check(5000, 100_000)
        assert join([made.cut(5000, 100_000)]).compressed_size > 100_000


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 9),
    st.sampled_from(STRATEGIES),
    st.lists(st.one_of(st.binary(max_size=200), st.integers(0, 5000).map(bytes)), max_size=5),
)
def test_matches_give_the_content_back(level: int, strategy: int, parts: list[bytes]) -> None:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    stream = b"".join(compressor.compress(p) + compressor.flush(zlib.Z_SYNC_FLUSH) for p in parts)
    stream += compressor.flush()
    content = b"".join(parts)
    found = bytearray()
    for at, length, distance in matches(stream, 0, 0, len(content) + 1):
        found += content[len(found) : at]
        assert len(found) == at
        for _ in range(length):
            found.append(found[-distance])
    assert content.startswith(found)


@pytest.mark.parametrize("level", range(1, 10))
def test_fixed_codes_of_zlib_are_written_again_as_they_are(level: int) -> None:
    """zlib finds the same matches whatever the codes are, so that both streams become the same."""
    content = PROGRAM[:20_000]
    fixed = deflated(content, level, mem=9, how=zlib.Z_FIXED)
    for stream in (fixed, deflated(content, level, mem=9)):
        whole = Edge(first_bit=0, end_bit=8 * len(stream), origin=0, start=0, end=len(content))
        numbers = recode(whole, stream, content, 0, bytes)
        assert packed("1" + fixed_block(numbers)) == fixed


@pytest.mark.parametrize(
    ("start", "size", "digests"),
    [
        (16_384, 300_000, ("e33b6f3b75658962", "5010ecbc7acfaefd")),
        (200_000, 190_000, ("c6a828a4d8e2fadc", "c6a828a4d8e2fadc")),
        (5, 150, ("52489f6016fae632", "52489f6016fae632")),
    ],
)
def test_the_bytes_are_these(
    tmp_path: Path, inflater: Inflater, start: int, size: int, digests: tuple[str, str]
) -> None:
    """They are part of what makes wheels reproducible: who changes them says so in the change log."""
    stream = deflate_text(PROGRAM, words=False)
    assert stream is not None
    made = source(tmp_path, stream, PROGRAM, inflater)
    with made.file:
        made.check(start, size)
        cuts = [join([made.cut(start, size, dynamic=kind)]) for kind in (False, True)]
        found = [hashlib.sha256(b"".join(cut.chunks())).hexdigest()[:16] for cut in cuts]
    if inflater.finds_blocks:
        assert tuple(found) == digests


@given(st.binary(min_size=1, max_size=9), st.integers(3, 258), st.integers(1, 32_768))
@settings(max_examples=100, deadline=None)
def test_every_match_is_encoded(data: bytes, length: int, distance: int) -> None:
    before = (data * distance)[:distance]
    stream = packed("1" + encode_fixed([before, (length, distance), b"end"]))
    content = zlib.decompress(stream, -15)
    assert content == before + (before * 258)[:length] + b"end"


def test_a_stream_that_ends_early_is_an_index_error() -> None:
    stream = deflated(PROGRAM[:1000])
    with pytest.raises(IndexError, match="the stream's data ends"):
        list(matches(stream[:-5], 0, 0, 1001))


A, B, C, D, E = (
    Boundary(0, 0),
    Boundary(1000, 50_000),
    Boundary(2000, 100_000),
    Boundary(3000, 150_000),
    Boundary(4000, 200_000),
)


def edge(first: Boundary, last: Boundary, start: int, end: int) -> Edge:
    return Edge(first_bit=first.bit, end_bit=last.bit, origin=first.at, start=start, end=end)


@pytest.mark.parametrize(
    ("start", "end", "plan"),
    [
        (0, 10, Plan(head=edge(A, B, 0, 10))),
        (60_000, 90_000, Plan(head=edge(B, C, 60_000, 90_000))),
        (60_000, 140_000, Plan(head=edge(B, D, 60_000, 140_000))),
        (10_000, 200_000, Plan(head=edge(A, B, 10_000, 50_000), kept=(B, E))),
        (50_000 - WINDOW, 150_000, Plan(head=edge(A, B, 17_232, 50_000), kept=(B, D))),
        (50_001 - WINDOW, 150_000, Plan(head=edge(A, C, 17_233, 100_000), kept=(C, D))),
        (
            100_000,
            199_999,
            Plan(head=edge(C, E, 100_000, 199_999)),
        ),
        (
            10_000,
            160_000,
            Plan(head=edge(A, B, 10_000, 50_000), kept=(B, D), tail=edge(D, E, 150_000, 160_000)),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_plans(start: int, end: int, plan: Plan) -> None:
    assert plan_recut([A, B, C, D, E], start, end) == plan


def test_long_edges_have_no_plan() -> None:
    far = Boundary(9999, MAX_EDGE + 2)
    assert plan_recut([A, far], 1, MAX_EDGE + 1) is None
    assert plan_recut([A, far], 1, MAX_EDGE) is not None
    slow = Boundary(8 * MAX_EDGE + 1, 10)
    assert plan_recut([A, slow], 1, 5) is None
