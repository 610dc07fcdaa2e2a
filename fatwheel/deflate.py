"""Deflated members (RFC 1951): inflated piece by piece, and joined without deflating anew."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator

from fatwheel.errors import WheelError
from fatwheel.inflaters import (
    Blocks,
    End,
    Inflater,
    load_libz,
    load_zlib_ng,
    python_zlib,
)

__all__ = ["Blocks", "Inflater", "Inflation", "available_inflaters", "best_inflater", "inflate"]


def available_inflaters() -> Iterator[Inflater]:
    """Yield the inflaters of this machine, the fastest first; Python's zlib is always the last."""
    for load in (load_zlib_ng, load_libz):
        if (inflater := load()) is not None:
            yield inflater
    yield python_zlib()


def best_inflater() -> Inflater:
    """Return the fastest inflater of this machine that finds blocks, else Python's zlib."""
    return next(available_inflaters())


class Inflation:
    """The content of one deflated member; iterating yields it once, piece by piece.

    A piece has at most 256 KiB and is valid until the next one is asked for, as its memory is used
    again: hash it or copy it before. After the last piece, size and length are verified, and
    `blocks` says where the stream's last block is (None where the inflater does not find blocks).
    Iterating raises `WheelError` for a stream that is malformed or truncated, that yields more or
    less than the declared size (more is found at most 256 KiB late), or that ends before its
    compressed bytes do.
    """

    def __init__(self, pieces: Generator[memoryview, None, Blocks | None]) -> None:
        """Take over a generator as `inflate` makes it."""
        self._pieces = pieces
        self.blocks: Blocks | None = None

    def __iter__(self) -> Iterator[memoryview]:
        """Yield the content."""
        self.blocks = yield from self._pieces


def inflate(
    inflater: Inflater,
    chunks: Iterable[bytes],
    *,
    compressed_size: int,
    size: int,
    wheel: str,
    member: str,
) -> Inflation:
    """Return the content of a raw deflate stream, which `chunks` are the bytes of.

    `compressed_size` and `size` are what the zip directory says, in bytes; `wheel` and `member`
    stand in messages.
    """
    pieces = _verified(
        inflater.run(chunks),
        compressed_size=compressed_size,
        size=size,
        wheel=wheel,
        member=member,
    )
    return Inflation(pieces)


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
            problem = f"its deflate stream is damaged after {done} bytes of content ({error})"
            raise WheelError(wheel, member, problem) from None
        except EOFError:
            problem = f"its deflate stream does not end within its {compressed_size} bytes"
            raise WheelError(wheel, member, problem) from None
        done += len(piece)
        if done > size:
            pieces.close()
            raise WheelError(
                wheel, member, f"inflates to more than its declared size of {size} bytes"
            )
        yield piece
    if done != size:
        problem = f"inflates to {done} bytes, but its declared size is {size}"
        raise WheelError(wheel, member, problem)
    if end.consumed != compressed_size:
        left = compressed_size - end.consumed
        problem = (
            f"has {left} bytes after the end of its deflate stream, which ends at {end.consumed}"
        )
        raise WheelError(wheel, member, problem)
    return end.blocks
