"""Texts that fatwheel encodes itself inflate to what they were, and are the same on every machine."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fatwheel.deflate.inflaters import Inflater, available_inflaters
from fatwheel.deflate.textcodes import deflate_text


def record(rows: int) -> bytes:
    """Return a RECORD as wheels have it."""
    chance = random.Random(rows)
    lines = []
    for n in range(rows):
        digest = base64.urlsafe_b64encode(chance.randbytes(32)).rstrip(b"=").decode()
        lines.append(f"pkg/include/part_{n // 40}/ops/op_{n}_dispatch.h,sha256={digest},{n * n}\n")
    return "".join(lines).encode()


def sbom(components: int) -> bytes:
    document = [
        {
            "type": "library",
            "bom-ref": f"registry+https://example.org/index#crate-{n % 97}@{n}.0.{n % 7}",
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(b"%d" % n).hexdigest()}],
            "licenses": [{"expression": "MIT OR Apache-2.0"}],
        }
        for n in range(components)
    ]
    return json.dumps(document, separators=(",", ":")).encode()


def samples() -> Iterator[bytes]:
    """Yield texts, and what nobody expects in one."""
    chance = random.Random(5)
    yield record(3000)
    yield sbom(2000)
    yield "Übergröße, 日本語 и ещё. ".encode() * 30_000
    yield b"x" * 700_000
    yield b" " * 700_000
    yield b"\n".join(b"%d" % n for n in range(100_000))
    yield bytes(300_000)
    yield chance.randbytes(300_000)
    yield bytes(chance.choices(b"ab ", k=300_000))
    yield bytes(range(256)) * 2000
    # Fibonacci's weights make Huffman's codes as long as they get, longer than deflate allows.
    a, b, rare = 1, 1, bytearray()
    for byte in range(24):
        rare += bytes([byte]) * a
        a, b = b, a + b
    yield bytes(chance.sample(rare, len(rare)))


SAMPLES = list(samples())
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


def test_a_match_ends_with_the_text() -> None:
    """Zeros behind the end would be equal, too."""
    content = b" beginning of a line\0\0\0" + bytes(range(1, 255)) * 3 + b" beginning of a line\0"
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
