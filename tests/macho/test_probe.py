from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.macho.probe import LARGEST_RANGE, Parser, Probe, Range, Watch, pieces, run, take
from tests.support.macho import parsed, reader


def script(ranges: list[Range]) -> Parser[list[bytes]]:
    """A parser that asks for these ranges and returns what it got."""
    got: list[bytes] = []
    for wanted in ranges:
        got += [(yield wanted)]
    return got


def test_take_joins_pieces() -> None:
    data = bytes(range(256)) * 1000
    assert run(take(3, 200_000), reader(data)) == data[3:200_003]


def test_take_is_short_only_at_the_end() -> None:
    assert run(take(2, 200_000), reader(b"abcdef")) == b"cdef"


@pytest.mark.parametrize(
    ("size", "unit", "sizes"),
    [
        pytest.param(0, 1, [], id="nothing"),
        pytest.param(10, 1, [10], id="one"),
        pytest.param(LARGEST_RANGE + 1, 1, [LARGEST_RANGE, 1], id="two"),
        pytest.param(LARGEST_RANGE + 8, 12, [65532, 12], id="whole-units"),
    ],
)
def test_pieces(size: int, unit: int, sizes: list[int]) -> None:
    cut = list(pieces(7, size, unit=unit))
    assert [one.size for one in cut] == sizes
    assert [one.offset for one in cut] == [7 + sum(sizes[:index]) for index in range(len(sizes))]


@pytest.mark.parametrize(
    "ranges",
    [
        pytest.param([Range(5, 3), Range(7, 1)], id="backwards"),
        pytest.param([Range(0, LARGEST_RANGE + 1)], id="too-large"),
        pytest.param([Range(0, -1)], id="negative"),
    ],
)
@pytest.mark.parametrize("forward", [False, True], ids=["run", "probe"])
def test_a_parser_that_breaks_the_rules_is_our_own_bug(ranges: list[Range], forward: bool) -> None:
    with pytest.raises(AssertionError, match="asked for Range"):
        parsed(lambda: script(ranges), bytes(100), 100 if forward else 0)


def test_done_as_soon_as_the_parser_returned() -> None:
    probe = Probe(script([Range(1, 2)]))
    probe.feed(b"ab")
    assert not probe.done
    probe.feed(b"cd")
    assert probe.done
    probe.feed(b"ef")
    assert probe.finish() == [b"bc"]


def test_errors_surface_from_feed_and_finish() -> None:
    def failing() -> Parser[None]:
        yield Range(0, 1)
        raise ValueError("seen")

    with pytest.raises(ValueError, match="seen"):
        Probe(failing()).feed(b"x")
    with pytest.raises(ValueError, match="seen"):
        Probe(failing()).finish()


@given(
    data=st.binary(max_size=300),
    gaps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=12),
    cuts=st.lists(st.integers(0, 300), max_size=12),
)
def test_forward_equals_random_access(
    data: bytes, gaps: list[tuple[int, int]], cuts: list[int]
) -> None:
    ranges, position = [], 0
    for skip, size in gaps:
        ranges.append(Range(position + skip, size))
        position += skip + size
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    probe = Probe(script(ranges))
    for start, end in pairwise(edges):
        probe.feed(memoryview(data)[start:end])
    assert probe.finish() == run(script(ranges), reader(data))


def watching(
    first: int, watched: Watch, behind: int, seen: bytearray
) -> Parser[tuple[bytes, bytes, bytes]]:
    """A parser that watches an area, asks for ranges in it, and looks at what was seen behind its end."""
    yield Range(0, first)
    assert (yield watched) == b""
    inside = yield Range(watched.offset, min(watched.size // 2, LARGEST_RANGE))
    last = yield Range(watched.offset + watched.size + behind, 1)
    return inside, last, bytes(seen)


@given(
    length=st.integers(1, 400),
    first=st.integers(0, 40),
    skip=st.integers(0, 40),
    size=st.integers(1, 300),
    behind=st.integers(0, 20),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_what_is_watched_is_seen_once_and_in_order(
    *, length: int, first: int, skip: int, size: int, behind: int, cuts: list[int]
) -> None:
    data = bytes(at % 251 for at in range(length))
    seen = bytearray()
    watched = Watch(first + skip, size, seen.extend)
    found = run(watching(first, watched, behind, seen), reader(data))
    area = data[watched.offset : watched.offset + size]
    last = data[watched.offset + size + behind :][:1]
    assert found == (area[: size // 2], last, area)
    seen.clear()
    probe = Probe(watching(first, watched, behind, seen))
    edges = [0, *sorted(min(cut, length) for cut in cuts), length]
    for start, end in pairwise(edges):
        memory = bytearray(data[start:end])
        probe.feed(memoryview(memory))
        memory[:] = bytes(len(memory))  # a piece is valid during the call only
    assert probe.finish() == found


def test_what_has_passed_by_cannot_be_watched() -> None:
    def late() -> Parser[None]:
        yield Range(4, 4)
        yield Watch(2, 8, bytearray().extend)
        yield Range(20, 1)

    probe = Probe(late())
    probe.feed(b"abcd")
    with pytest.raises(AssertionError, match="asked for Watch"):
        probe.feed(b"efghijkl")
