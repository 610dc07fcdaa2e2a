"""The content of a wheel's members, inflated piece by piece and verified against their directory."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator

from fatwheel.archive.directory import Entry
from fatwheel.archive.format import Method
from fatwheel.archive.ranges import RangeFile
from fatwheel.deflate.inflaters import Inflater, python_zlib
from fatwheel.deflate.stream import Blocks, Buffers, End
from fatwheel.errors import WheelError
from fatwheel.printable import counted

__all__ = ["Blocks", "Inflation", "inflate", "inflate_whole", "member_chunks"]

_TAIL = 128 * 1024
"""Bytes at a stream's end in which its last block is looked for first; zlib's are 64 KiB at most."""


class Inflation:
    """The content of one member; iterating yields it once, piece by piece.

    A piece has at most 256 KiB and is valid until the next one is asked for, as its memory is used
    again: hash it or copy it before. After the last piece, size and length are verified, and
    `blocks` says where the stream's last block is (None for a stored member and where the
    inflater finds none). Iterating raises `WheelError` for a stream that is malformed or
    truncated, that yields more or less than the declared size (more is found at most 256 KiB
    late), or that ends before its compressed bytes do.
    """

    def __init__(self, pieces: Generator[memoryview, None, Blocks | None]) -> None:
        """Take over a generator as `inflate` makes it."""
        self._pieces = pieces
        self.blocks: Blocks | None = None

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the content."""
        self.blocks = yield from self._pieces


def member_chunks(
    file: RangeFile,
    entry: Entry,
    inflater: Inflater,
    wheel: str,
    buffers: Buffers | None = None,
    *,
    watch: bool = True,
) -> Inflation:
    """Return the content of the member `entry` of the open wheel `file`, named `wheel` in messages.

    With `buffers`, a piece is valid until all of them were used. Without `watch`, no blocks are looked for.
    """
    chunks = file.steady(entry.data_offset, entry.compressed_size)
    if entry.method == Method.STORED:
        return Inflation(_stored(chunks))
    if not watch:
        return inflate(
            inflater,
            chunks,
            compressed_size=entry.compressed_size,
            size=entry.size,
            wheel=wheel,
            member=entry.name,
            watch=False,
        )
    return Inflation(_watched(file, entry, inflater, wheel, buffers))


def inflate_whole(raw: bytes, entry: Entry, inflater: Inflater, wheel: str) -> bytes:
    """Return the content of a small deflated member, whose compressed bytes are `raw`, in one call.

    Raises `WheelError` as iterating an `Inflation` does.
    """
    content = inflater.whole(raw, entry.size)
    if content is not None:
        return content
    # Something is wrong: the careful way says what.
    careful = inflate(
        python_zlib(),
        [raw],
        compressed_size=entry.compressed_size,
        size=entry.size,
        wheel=wheel,
        member=entry.name,
    )
    return b"".join(careful)


def inflate(
    inflater: Inflater,
    chunks: Iterable[bytes],
    *,
    compressed_size: int,
    size: int,
    wheel: str,
    member: str,
    watch: bool = True,
) -> Inflation:
    """Return the content of a raw deflate stream, which `chunks` are the bytes of.

    `compressed_size` and `size` are what the zip directory says, in bytes; `wheel` and `member`
    stand in messages. Without `watch`, no blocks are looked for, of which there may be very many.
    """
    pieces = _verified(
        inflater.run(chunks, watch_from=0 if watch else compressed_size),
        compressed_size=compressed_size,
        size=size,
        wheel=wheel,
        member=member,
    )
    return Inflation(pieces)


def _watched(
    file: RangeFile, entry: Entry, inflater: Inflater, wheel: str, buffers: Buffers | None
) -> Generator[memoryview, None, Blocks | None]:
    """Inflate a member and find its last block; where that is unusually long, in a second pass."""

    def run(watch_from: int, buffers: Buffers | None) -> Generator[memoryview, None, Blocks | None]:
        return _verified(
            inflater.run(
                file.steady(entry.data_offset, entry.compressed_size),
                watch_from=watch_from,
                buffers=buffers,
            ),
            compressed_size=entry.compressed_size,
            size=entry.size,
            wheel=wheel,
            member=entry.name,
        )

    watch_from = max(0, entry.compressed_size - _TAIL)
    blocks = yield from run(watch_from, buffers)
    if blocks is not None or not watch_from or not inflater.finds_blocks:
        return blocks
    # In other memory: the last pieces may not be taken yet.
    again = Inflation(run(0, None))
    for _ in again:
        pass
    return again.blocks


def _stored(chunks: Iterable[bytes]) -> Generator[memoryview, None, Blocks | None]:
    for chunk in chunks:
        yield memoryview(chunk)
    return None


def _verified(
    pieces: Generator[memoryview, None, End],
    *,
    compressed_size: int,
    size: int,
    wheel: str,
    member: str,
) -> Generator[memoryview, None, Blocks | None]:
    done = 0
    while True:
        try:
            piece = next(pieces)
        except StopIteration as stop:
            end: End = stop.value
            break
        except zlib.error as error:
            problem = f"its deflate stream is damaged ({error})"
            raise WheelError(wheel, member, problem) from None
        except EOFError:
            problem = (
                f"its deflate stream does not end within its {counted(compressed_size, 'byte')}"
            )
            raise WheelError(wheel, member, problem) from None
        done += len(piece)
        if done > size:
            pieces.close()
            raise WheelError(
                wheel, member, f"inflates to more than its declared size of {counted(size, 'byte')}"
            )
        yield piece
    if done != size:
        problem = f"inflates to {counted(done, 'byte')}, but its declared size is {size}"
        raise WheelError(wheel, member, problem)
    if end.consumed != compressed_size:
        left = compressed_size - end.consumed
        problem = f"has {counted(left, 'byte')} after the end of its deflate stream, which ends at {end.consumed}"
        raise WheelError(wheel, member, problem)
    return end.blocks
