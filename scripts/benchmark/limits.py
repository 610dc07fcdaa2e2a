"""What fusing a pair cannot do without on this machine: inflating, hashing and summing, each as fast as it goes."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fatwheel.archive.directory import Entry, Method
from fatwheel.archive.ranges import CHUNK, RangeFile
from fatwheel.deflate.inflaters import Inflater, best_inflater
from fatwheel.wheels.wheel import OpenWheel, open_wheel

__all__ = ["Speeds", "Work", "measure_speeds", "pair_work"]

_THIN = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")  # how Mach-O files for one architecture begin
_SMALL = 1 << 16  # bytes; streams up to here are inflated in one call
_TIMES, _READINGS = 5, 3


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """What one core of this machine does in a second, in bytes."""

    inflater: str
    sha256: float
    crc32: float


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every way to fuse a pair, verified, has to do.

    `content` are the bytes of all members, those that are equal in both wheels counted once; `inflating` the
    seconds that one core takes to inflate them. `hashed` are the bytes that go through SHA-256: the content for both
    RECORDs, the fused files for the new one, both archives for `fatwheel.json`. `summed` are those that go through
    CRC-32: the content, and both archives once for each time they are read (verified, hashed, copied), which is how
    what is copied is known to be what was verified. `chain` is the largest fused file: one digest, whose bytes wait
    for each other.
    """

    content: int
    inflating: float
    hashed: int
    summed: int
    chain: int

    def seconds(self, speeds: Speeds, cores: int) -> float:
        """Return the least time with `cores` that share the work without loss."""
        total = self.inflating + self.hashed / speeds.sha256 + self.summed / speeds.crc32
        return max(total / cores, self.chain / speeds.sha256)


def measure_speeds() -> Speeds:
    """Measure SHA-256 and CRC-32 on pieces of the size that fatwheel works in; the best of some tries."""
    inflater = best_inflater()
    return Speeds(
        inflater=inflater.name,
        sha256=_speed(hashlib.sha256),
        crc32=_speed(lambda piece: inflater.crc32(piece, 0)),
    )


def _speed(work: Callable[[bytes], object]) -> float:
    piece, count = os.urandom(CHUNK), 256
    best = float("inf")
    for _ in range(_TIMES):
        started = time.perf_counter()
        for _ in range(count):
            work(piece)
        best = min(best, time.perf_counter() - started)
    return CHUNK * count / best


def pair_work(x86_64: Path, arm64: Path) -> Work:
    """Return what is to be done for a pair; its members are really inflated, in this one thread."""
    wheels = [open_wheel(path) for path in (x86_64, arm64)]
    try:
        return _work(*wheels)
    finally:
        for wheel in wheels:
            wheel.close()


def _work(x86_64: OpenWheel, arm64: OpenWheel) -> Work:
    inflater = best_inflater()
    todo = [(arm64, entry) for entry in arm64.entries.values()]
    fused = []
    for name, entry in x86_64.entries.items():
        other = arm64.entries.get(name)
        if other is not None and _facts(entry) == _facts(other):
            continue
        todo.append((x86_64, entry))
        if other is not None and _is_thin(x86_64, name) and _is_thin(arm64, name):
            fused.append(entry.size + other.size)
    content = sum(entry.size for _, entry in todo)
    archives = sum(wheel.file.size for wheel in (x86_64, arm64))
    return Work(
        content=content,
        inflating=min(_inflating(todo, inflater) for _ in range(2)),
        hashed=content + sum(fused) + archives,
        summed=content + _READINGS * archives,
        chain=max(fused, default=0),
    )


def _facts(entry: Entry) -> tuple[int, int, int]:
    return entry.crc, entry.size, entry.compressed_size


def _is_thin(wheel: OpenWheel, name: str) -> bool:
    with zipfile.ZipFile(wheel.path) as archive, archive.open(name) as stream:
        return stream.read(4) in _THIN


def _inflating(todo: list[tuple[OpenWheel, Entry]], inflater: Inflater) -> float:
    started = time.perf_counter()
    for wheel, entry in todo:
        if entry.method is Method.DEFLATED:
            for _ in _inflated(wheel.file, entry, inflater):
                pass
    return time.perf_counter() - started


def _inflated(file: RangeFile, entry: Entry, inflater: Inflater) -> Iterator[bytes | memoryview]:
    if entry.compressed_size <= _SMALL:
        yield zlib.decompress(file.read(entry.data_offset, entry.compressed_size), -zlib.MAX_WBITS)
    else:
        yield from inflater.run(file.chunks(entry.data_offset, entry.compressed_size))
