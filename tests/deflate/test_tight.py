"""Tightly packed texts inflate to what they were, take no more room than zlib's best, and are the same everywhere."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.deflate.inflaters import Inflater, available_inflaters
from fatwheel.deflate.splice import new_text
from fatwheel.deflate.tight import deflate_tight, tight_text
from tests.support.streams import SAMPLES

INFLATERS = list(available_inflaters())
TEXTS = [content[:12_000] for content in SAMPLES]
WHEEL = b"Wheel-Version: 1.0\nGenerator: fatwheel 1\nRoot-Is-Purelib: false\nTag: cp312-cp312-macosx_11_0_arm64\n"


def best_of_zlib(content: bytes) -> int:
    made = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return len(made.compress(content) + made.flush())


@pytest.mark.parametrize("content", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("inflater", INFLATERS, ids=lambda inflater: inflater.name)
def test_every_inflater_reads_it(inflater: Inflater, content: bytes) -> None:
    assert b"".join(map(bytes, inflater.run([deflate_tight(content)]))) == content


@given(st.binary(max_size=60), st.integers(1, 60), st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes_come_back(data: bytes, times: int, rest: bytes) -> None:
    content = data * times + rest + data[::-1]
    decompressor = zlib.decompressobj(-15)
    assert decompressor.decompress(deflate_tight(content)) == content
    assert decompressor.eof
    assert not decompressor.unused_data


@pytest.mark.parametrize("content", [*TEXTS[:2], WHEEL], ids=("RECORD", "SBOM", "WHEEL"))
def test_texts_of_wheels_are_no_longer_than_zlibs_best(content: bytes) -> None:
    assert len(deflate_tight(content)) <= best_of_zlib(content)
    assert tight_text(content).compressed_size <= best_of_zlib(content)


@pytest.mark.parametrize("content", [*TEXTS, WHEEL, b"", b"x"], ids=range(len(TEXTS) + 3))
def test_a_text_is_never_larger_than_packed_otherwise(content: bytes) -> None:
    packed = tight_text(content)
    assert packed.compressed_size <= new_text(content).compressed_size
    assert (packed.size, sum(map(len, packed.chunks()))) == (len(content), packed.compressed_size)


def test_a_large_text_is_packed_as_others_are() -> None:
    content = b"RECORD,row\n" * 30_000
    assert b"".join(tight_text(content).chunks()) == b"".join(new_text(content).chunks())


def test_the_bytes_are_these() -> None:
    digests = [hashlib.sha256(deflate_tight(one)).hexdigest()[:16] for one in (*TEXTS[:2], WHEEL)]
    assert digests == ["66b975190de63ede", "319de1ef1cd73255", "69fcad2ded9b5c05"]
