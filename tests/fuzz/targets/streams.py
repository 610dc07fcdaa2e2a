"""Deflate streams: every inflater against Python's zlib, and what is joined, cut and encoded here inflated again."""

from __future__ import annotations

import functools
import random
import zlib
from collections.abc import Iterator

from fatwheel.archive.format import Method
from fatwheel.archive.ranges import RangeFile
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.content import inflate
from fatwheel.deflate.inflaters import Inflater, available_inflaters
from fatwheel.deflate.splice import Cut, Deflated, Literal, Part, Stored, join
from fatwheel.deflate.stream import Blocks, End
from fatwheel.deflate.textcodes import deflate_text
from fatwheel.deflate.tight import deflate_tight
from tests.fuzz.target import SEPARATOR, Target, check, joined, numbers, scratch, split

__all__ = ["TARGETS"]

_MOST = (
    1 << 20
)  # bytes of content that are looked at; a stream of 4 KiB can hold four times as many


def _deflated(content: bytes, level: int = 6, strategy: int = 0, flush: int | None = None) -> bytes:
    made = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    half = len(content) // 2
    stream = made.compress(content[:half])
    if flush is not None:
        stream += made.flush(flush)
    return stream + made.compress(content[half:]) + made.flush()


def _contents() -> Iterator[bytes]:
    noise = random.Random(1).randbytes(300)
    yield from (b"", b"a", noise, bytes(2000), b"the same and the same and other " * 30, noise * 3)


def _streams() -> Iterator[bytes]:
    for content in _contents():
        for level, strategy in ((6, 0), (0, 0), (9, zlib.Z_FIXED), (1, zlib.Z_HUFFMAN_ONLY)):
            yield _deflated(content, level, strategy)
    text = b"Name: pkg\nVersion: 1.0\n" * 20
    for flush in (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH):
        yield _deflated(text, flush=flush)


@functools.cache
def _inflaters() -> tuple[Inflater, ...]:
    return tuple(available_inflaters())


def _told(
    inflater: Inflater, stream: bytes, chunk: int
) -> tuple[bytes, End | None, list[tuple[int, int]]]:
    """Return the content, what was known at the end (None where it is damaged), and the blocks."""
    content, notes = bytearray(), list[tuple[int, int]]()
    chunks = (stream[at : at + chunk] for at in range(0, len(stream), chunk))
    pieces = inflater.run(chunks, note=lambda bit, at: notes.append((bit, at)))
    try:
        while len(content) < _MOST:
            content += next(pieces)
    except StopIteration as stop:
        return bytes(content), stop.value, notes
    except (zlib.error, EOFError):
        return bytes(content), None, notes
    pieces.close()
    return bytes(content[:_MOST]), None, notes


def _inflate(stream: bytes) -> None:
    """All inflaters tell the same, in whatever pieces the stream comes."""
    judge = zlib.decompressobj(-15)
    try:
        expected = judge.decompress(stream, _MOST)
        sound = judge.eof
    except zlib.error:
        expected, sound = b"", False
    found: set[tuple[object, ...]] = set()
    for inflater in _inflaters():
        for chunk in (1 << 16, 7):
            content, end, notes = _told(inflater, stream, chunk)
            if len(content) >= _MOST:
                continue
            check((end is not None) == sound, f"{inflater.name}: sound is {end is not None}")
            if end is None:
                continue
            check(content == expected, f"{inflater.name}: another content")
            used = len(stream) - len(judge.unused_data)
            check(end.consumed == used, f"{inflater.name}: ends at {end.consumed}, not {used}")
            whole = inflater.whole(stream, len(expected))
            wanted = None if judge.unused_data else expected
            check(whole == wanted, f"{inflater.name}: whole() tells another content")
            if inflater.finds_blocks:
                assert end.blocks is not None
                found.add((end.blocks.last_block_bit, end.blocks.end_bit, *notes))
    check(len(found) <= 1, f"the inflaters see different blocks: {found}")


def _blocks(inflater: Inflater, stream: bytes, size: int) -> Blocks:
    content = inflate(
        inflater, [stream], compressed_size=len(stream), size=size, wheel="w", member="m"
    )
    for _ in content:
        pass
    assert content.blocks is not None
    return content.blocks


def _content(made: MemberData) -> bytes:
    data = b"".join(bytes(chunk) for chunk in made.chunks())
    check(len(data) == made.compressed_size, f"{made.compressed_size} promised, {len(data)} made")
    if made.method == Method.STORED:
        return data
    stream = zlib.decompressobj(-15)
    content = stream.decompress(data)
    check(stream.eof and not stream.unused_data, "the joined stream does not end where it must")
    return content


def _splice(data: bytes) -> None:
    """Parts in a row: `d` a stream, `s` stored, `l` new, `c` a part of a stream's content; by their first byte."""
    finder = next((one for one in _inflaters() if one.finds_blocks), None)
    if finder is None:
        return
    pieces = data.split(SEPARATOR)[:6]
    with scratch() as folder:
        path = folder / "parts"
        path.write_bytes(b"?".join(pieces))
        with RangeFile(path) as file:
            parts, expected = list[Part](), b""
            at = 0
            for piece in pieces:
                part, content = _part(piece, at, file, finder)
                if part is not None:
                    parts.append(part)
                    expected += content
                at += len(piece) + 1
            made = join(parts)
            check(made.size == len(expected), f"has size {made.size}, not {len(expected)}")
            check(_content(made) == expected, "the joined stream has another content")


def _part(piece: bytes, at: int, file: RangeFile, finder: Inflater) -> tuple[Part | None, bytes]:
    kind, body = piece[:1], piece[1:]
    if kind == b"l":
        return Literal(body), body
    if kind == b"s":
        return Stored(file=file, offset=at + 1, data_size=len(body), start=0, size=len(body)), body
    if kind not in (b"d", b"c"):
        return None, b""
    places, body = (body[:8], body[8:]) if kind == b"c" else (b"", body)
    judge = zlib.decompressobj(-15)
    try:
        content = judge.decompress(body, _MOST)
    except zlib.error:
        return None, b""
    if not judge.eof or judge.unused_data:
        return None, b""
    offset = at + len(piece) - len(body)
    if kind == b"d":
        blocks = _blocks(finder, body, len(content))
        return Deflated(
            file=file, offset=offset, compressed_size=len(body), size=len(content), blocks=blocks
        ), content
    start, end = sorted(
        int.from_bytes(places[i : i + 4], "little") % (len(content) + 1) for i in (0, 4)
    )
    return Cut(
        file=file,
        member="m",
        offset=offset,
        compressed_size=len(body),
        content_size=len(content),
        start=start,
        size=end - start,
        inflater=finder,
    ), content[start:end]


def _splice_seeds() -> Iterator[bytes]:
    streams = list(_streams())
    for one, other in zip(streams, reversed(streams), strict=True):
        places = (3).to_bytes(4, "little") + (1900).to_bytes(4, "little")
        yield joined(b"lheader", b"d" + one, b"l" + bytes(50), b"d" + other)
        yield joined(b"c" + places + one, b"sstored")
        yield joined(b"sstored", b"c" + places + other, b"d" + one)
    noise = random.Random(2).randbytes(3000)
    long = _deflated(noise + bytes(33_000) + noise + bytes(40_000), flush=zlib.Z_FULL_FLUSH)
    yield joined(
        b"c" + (9).to_bytes(4, "little") + (80_000).to_bytes(4, "little") + long, b"d" + long
    )


def _text(content: bytes) -> None:
    """What is encoded inflates to itself, and is smaller. The first number repeats the rest, for long texts."""
    head, rest = split(content, 2)
    text = rest * (numbers(head, 1)[0] % 200) or head
    stream = deflate_text(text)
    if stream is not None:
        check(len(stream) < len(text), "is not smaller than the text")
        _check_stream(stream, text)
    _check_stream(deflate_tight(text[:300]), text[:300])


def _check_stream(stream: bytes, content: bytes) -> None:
    judge = zlib.decompressobj(-15)
    check(judge.decompress(stream) == content, "inflates to another text")
    check(judge.eof and not judge.unused_data, "the stream does not end where it must")


def _text_seeds() -> Iterator[bytes]:
    yield from _contents()
    yield joined("150", b"pkg/module.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,1234\n")
    yield joined("199", random.Random(3).randbytes(1500))


TARGETS = (
    Target(name="inflate", run=_inflate, seeds=_streams, runs=3000, longest=4096, share=2),
    Target(name="splice", run=_splice, seeds=_splice_seeds, runs=1400, longest=16384, share=4),
    Target(name="textcodes", run=_text, seeds=_text_seeds, runs=1200, longest=4096, share=2),
)
