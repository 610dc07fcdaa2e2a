"""Texts that fatwheel encodes itself inflate to what they were, and are the same on every machine."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.deflate.inflaters import Inflater, available_inflaters
from fatwheel.deflate.textcodes import deflate_text
from tests.support.streams import SAMPLES

INFLATERS = list(available_inflaters())


@pytest.mark.parametrize("content", SAMPLES, ids=range(len(SAMPLES)))
@pytest.mark.parametrize("inflater", INFLATERS, ids=lambda inflater: inflater.name)
def test_every_inflater_reads_it(inflater: Inflater, content: bytes) -> None:
    stream = deflate_text(content)
    if stream is None:
        assert content == SAMPLES[7], "only random bytes cannot be made shorter"
        return
    assert len(stream) < len(content)
    assert b"".join(map(bytes, inflater.run([stream]))) == content


words = st.lists(
    st.one_of(
        st.sampled_from([b"pkg/", b"sha256=", b"\n", b",", b'"name":"', b"include/", b"_", b" "]),
        st.binary(max_size=12),
        st.integers(0, 300).map(lambda n: b" word" * n),
    ),
    max_size=400,
).map(b"".join)


@pytest.mark.parametrize("length", [*range(8), 20, 21, 22])
def test_a_match_ends_with_the_text(length: int) -> None:
    """Zeros behind the end would be equal, too; and what is left may be too short for a match."""
    line = b" ab\0\0\0 beginning of a line\0\0\0"
    content = line + bytes(range(1, 255)) * 3 + line[:length]
    stream = deflate_text(content)
    assert stream is not None
    assert zlib.decompress(stream, -15) == content


@given(st.one_of(words, st.binary(min_size=250, max_size=2000)), st.integers(1, 200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_come_back(data: bytes, times: int) -> None:
    content = (data * times)[:600_000]
    stream = deflate_text(content)
    if stream is not None:
        assert len(stream) < len(content)
        decompressor = zlib.decompressobj(-15)
        assert decompressor.decompress(stream) == content
        assert decompressor.eof
        assert not decompressor.unused_data


@pytest.mark.parametrize("content", [SAMPLES[0], SAMPLES[1]], ids=("RECORD", "SBOM"))
def test_texts_of_wheels_come_near_zlib(content: bytes) -> None:
    stream = deflate_text(content)
    assert stream is not None
    assert len(stream) < 1.25 * len(zlib.compress(content, 6))


def test_what_is_short_stays_as_it_is() -> None:
    assert deflate_text(b"") is None
    assert deflate_text(b"Wheel-Version: 1.0\n" * 5) is None
    assert deflate_text(random.Random(1).randbytes(5000)) is None


@given(st.one_of(words, st.binary(min_size=250, max_size=2000)), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_any_code_comes_back(data: bytes, times: int) -> None:
    content = (data * times)[:300_000]
    stream = deflate_text(content, words=False)
    if stream is not None:
        assert len(stream) < len(content)
        assert zlib.decompress(stream, -15) == content


def test_code_comes_near_zlib() -> None:
    """Tables whose rows differ in a few bytes have no words in which they begin."""
    chance = random.Random(3)
    rows = [bytes(chance.choices(range(200, 256), k=11)) for _ in range(40)]
    content = b"".join(chance.choice(rows) + chance.randbytes(2) for _ in range(3000))
    stream = deflate_text(content, words=False)
    assert stream is not None
    assert len(stream) < 1.25 * len(zlib.compress(content, 6))


def test_the_bytes_of_code_are_these() -> None:
    digests = [
        hashlib.sha256(deflate_text(one[:60_000], words=False) or b"").hexdigest()[:16]
        for one in SAMPLES
    ]
    assert digests == [
        "147e022804f8f194",
        "e5b36e97cf7e9499",
        "f9b22a3a9c58953e",
        "81ed1d78356ceb9f",
        "d9775c9624b45798",
        "01481409875f43be",
        "a44d371b40a95f94",
        "e3b0c44298fc1c14",
        "e91a3189e6ee927c",
        "ab3f84ccb07ce834",
        "9684de83cc31c006",
    ]


def test_the_bytes_are_these() -> None:
    """They are part of what makes wheels reproducible: who changes them says so in the change log."""
    digests = [hashlib.sha256(deflate_text(one) or b"").hexdigest()[:16] for one in SAMPLES]
    assert digests == [
        "93d8c822f4fec668",
        "8253d71218a7aae9",
        "797126bf7e7c5a6e",
        "9680d59ddc43d24a",
        "4b2e39d69c4172ec",
        "1b6d2010fe85c2d9",
        "c05b0fa3f2ebdeff",
        "e3b0c44298fc1c14",
        "93fbbff0d3f285aa",
        "31d9a499da4c2707",
        "b99abe66901289d5",
    ]


def test_neither_the_order_of_sets_nor_the_hash_of_bytes_shows() -> None:
    code = (
        "import hashlib, sys; from fatwheel.deflate.textcodes import deflate_text as d;"
        "print(hashlib.sha256(d(sys.stdin.buffer.read())).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            input=SAMPLES[1],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert found == {hashlib.sha256(deflate_text(SAMPLES[1]) or b"").hexdigest().encode() + b"\n"}


@pytest.mark.parametrize(
    "content",
    [b" " * 4_000_000, b"a" * 4_000_000, b" a" * 2_000_000, b"abcdef " * 600_000],
    ids=["blanks", "one word", "short words", "one word again and again"],
)
def test_no_text_takes_more_than_linear_time(content: bytes) -> None:
    def seconds(data: bytes) -> float:
        started = time.process_time()
        deflate_text(data)
        return time.process_time() - started

    assert seconds(content) < 60 * seconds(content[: len(content) // 8]) + 0.5
