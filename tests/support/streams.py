"""Deflate streams of every kind, files that pieces of them lie in, and texts to deflate."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fatwheel.archive.ranges import RangeFile
from fatwheel.archive.writer import MemberData
from fatwheel.deflate.content import inflate
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.deflate.splice import Deflated, Literal, Part, Stored, join
from fatwheel.deflate.stream import Blocks


@dataclass(frozen=True)
class Piece:
    """One part before it lies in a file: how it is encoded, and what it holds."""

    kind: str  # "deflated", "stored", "literal" or "cut"
    content: bytes
    stream: bytes = b""


def deflated(content: bytes, level: int = 6, wbits: int = 15, mem: int = 8, how: int = 0) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -wbits, mem, how)
    return compressor.compress(content) + compressor.flush()


def facts(inflater: Inflater, stream: bytes, size: int) -> Blocks:
    content = inflate(
        inflater,
        [stream],
        compressed_size=len(stream),
        size=size,
        wheel="w.whl",
        member="m",
    )
    for _ in content:
        pass
    assert content.blocks is not None
    return content.blocks


class Shelf:
    """A file that pieces are put into, so that parts can point at them."""

    def __init__(self, path: Path, inflater: Inflater) -> None:
        self._path = path
        self._inflater = inflater

    def join(self, pieces: list[Piece]) -> tuple[RangeFile, MemberData]:
        data = b"".join(b"?" + (piece.stream or piece.content) for piece in pieces)
        self._path.write_bytes(data)
        file = RangeFile(self._path)
        return file, join(list(self._parts(file, pieces)))

    def _parts(self, file: RangeFile, pieces: list[Piece]) -> Iterator[Part]:
        offset = 0
        for piece in pieces:
            offset += 1
            size, packed = len(piece.content), len(piece.stream)
            if piece.kind == "literal":
                yield Literal(piece.content)
            elif piece.kind == "stored":
                yield Stored(file=file, offset=offset, data_size=size, start=0, size=size)
            elif piece.kind == "deflated":
                yield Deflated(
                    file=file,
                    offset=offset,
                    compressed_size=packed,
                    size=size,
                    blocks=facts(self._inflater, piece.stream, size),
                )
            offset += packed or size


STRATEGIES = [
    zlib.Z_DEFAULT_STRATEGY,
    zlib.Z_FILTERED,
    zlib.Z_HUFFMAN_ONLY,
    zlib.Z_RLE,
    zlib.Z_FIXED,
]


def ends() -> Iterator[tuple[str, bytes, bytes]]:
    """Streams with each way a last block can look, and each bit it can end at."""
    wanted = set(itertools.product(("fixed", "dynamic"), range(8)))
    random_bytes = random.Random(4)
    tool = best_inflater()
    for n in itertools.count(1):
        for kind, how, letters in (
            ("fixed", zlib.Z_FIXED, range(256)),
            ("dynamic", zlib.Z_HUFFMAN_ONLY, b"aaaaaaab"),
        ):
            content = bytes(random_bytes.choices(letters, k=n))
            stream = deflated(content, how=how)
            bit = facts(tool, stream, len(content)).end_bit % 8
            if (kind, bit) in wanted and stream[0] >> 1 & 3 == {"fixed": 1, "dynamic": 2}[kind]:
                wanted.remove((kind, bit))
                yield f"{kind}, {bit} bits", content, stream
        if not wanted or n > 2000:
            break
    assert not wanted
    yield "stored", b"plain" * 30, deflated(b"plain" * 30, level=0)
    yield "nothing", b"", b"\x03\x00"
    for flush, mode in (("sync", zlib.Z_SYNC_FLUSH), ("partial", zlib.Z_PARTIAL_FLUSH)):
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        stream = compressor.compress(b"text " * 9) + compressor.flush(mode)
        yield f"empty after {flush}", b"text " * 9, stream + compressor.flush()
    blocks = random.Random(1).randbytes(200_000)
    yield "many blocks", blocks, deflated(blocks, mem=1, how=zlib.Z_HUFFMAN_ONLY)


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
