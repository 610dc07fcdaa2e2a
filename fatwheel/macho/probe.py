"""Parsers that ask for byte ranges, and the two ways to feed them.

A parser is a generator. It yields a `Range`, is sent exactly these bytes, and returns its value. It
never opens a file, so the same parser serves a file that can be read anywhere (`run`) and a stream
that only goes forward, such as a member of a wheel while it is being inflated (`Probe`).

Three rules keep both cheap: a range starts at or after the end of the one before; it asks for at
most `LARGEST_RANGE` bytes; and fewer bytes than asked for are sent only where the data ends, which
the parser must check for.

A parser that needs to see all bytes of an area, to hash them, yields a `Watch`; everything else goes
on beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Generic, NamedTuple, TypeVar

__all__ = ["LARGEST_RANGE", "Parser", "Probe", "Range", "Watch", "pieces", "run", "take"]

T = TypeVar("T")

LARGEST_RANGE = 64 * 1024
"""The most bytes that one `Range` may ask for."""


class Range(NamedTuple):
    """The `size` bytes from byte `offset` on."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.offset + self.size


class Watch(NamedTuple):
    """The `size` bytes from byte `offset` on, which `sink` is to be called with, piece by piece, in order.

    It is answered at once, with nothing. The bytes are not kept back: ranges within the area may be
    asked for as well. When a range at or behind its end is answered, `sink` has had them all, as far
    as the data go. A piece is valid during the call. `offset` is at or after the end of the last
    range, and a second one begins where the first has ended.
    """

    offset: int
    size: int
    sink: Callable[[bytes | memoryview], object]


Parser = Generator[Range | Watch, bytes, T]


def take(offset: int, size: int) -> Parser[bytes]:
    """Ask for `size` bytes from `offset` on in ranges of bounded size and return them in one piece.

    The result is shorter than `size` only where the data ends.
    """
    if size <= LARGEST_RANGE:
        return (yield Range(offset, size))
    parts = []
    for piece in pieces(offset, size):
        part = yield piece
        parts.append(part)
        if len(part) < piece.size:
            break
    return b"".join(parts)


def pieces(offset: int, size: int, *, unit: int = 1) -> Iterator[Range]:
    """Cut the `size` bytes from `offset` on into ranges of bounded size, each a multiple of `unit`
    bytes.

    Only the last one may be shorter.
    """
    step = LARGEST_RANGE // unit * unit
    end = offset + size
    return (Range(start, min(step, end - start)) for start in range(offset, end, step))


def run(parser: Parser[T], read: Callable[[int, int], bytes]) -> T:
    """Run `parser` over data that can be read anywhere.

    `read(offset, size)` returns the bytes there, fewer only at the end of the data.
    """
    position = 0
    try:
        wanted = next(parser)
        while True:
            if isinstance(wanted, Watch):
                for piece in pieces(wanted.offset, wanted.size):
                    wanted.sink(read(*piece))
                wanted = parser.send(b"")
                continue
            _check(wanted, position)
            position = wanted.end
            wanted = parser.send(read(wanted.offset, wanted.size))
    except StopIteration as stop:
        value: T = stop.value
        return value


class Probe(Generic[T]):
    """Run a parser over data that arrives once, in chunks, from the first byte to the last.

    An exception that the parser raises surfaces from the call of `feed` or `finish` that made it go
    on.
    """

    __slots__ = ("_ask", "_held", "_parser", "_position", "_value", "_wanted", "_watch")

    def __init__(self, parser: Parser[T], ask: Callable[[int], object] = int) -> None:
        """Start `parser`; `ask` is told the size of each range that it asks for, and may raise."""
        self._parser = parser
        self._ask = ask
        self._position = 0  # of the first byte that was not fed yet
        self._held = bytearray()  # the first bytes of the range that is wanted
        self._value: list[T] = []  # empty until the parser returned
        self._wanted: Range | None = None
        self._watch: Watch | None = None  # what is left of it
        self._resume(None)

    @property
    def done(self) -> bool:
        """Whether the parser has returned, so that no more bytes matter to it."""
        return bool(self._value)

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes of the data."""
        start = self._position
        self._position += len(chunk)
        self._show(chunk, start)
        while (wanted := self._wanted) is not None and wanted.offset < self._position:
            first = wanted.offset + len(self._held) - start
            self._held += chunk[first : wanted.end - start]
            if len(self._held) < wanted.size:
                return
            self._resume(bytes(self._held))
            self._show(chunk, start)

    def finish(self) -> T:
        """Say that the data has ended, and return the parser's value."""
        while not self._value:
            self._resume(bytes(self._held))
        return self._value[0]

    def _show(self, chunk: bytes | memoryview, start: int) -> None:
        """Pass on what is watched of the chunk at byte `start`, as far as that was not done yet."""
        if (watch := self._watch) is None:
            return
        first, end = watch.offset - start, watch.offset + watch.size
        if first < 0:
            raise AssertionError(f"a parser at byte {start} asked for {watch}")
        if (piece := chunk[first : end - start]) and first < len(chunk):
            watch.sink(piece)
            at = watch.offset + len(piece)
            self._watch = watch._replace(offset=at, size=end - at) if at < end else None

    def _resume(self, answer: bytes | None) -> None:
        """Send `answer` and whatever empty ranges ask for, until bytes to come are wanted."""
        end = self._wanted.end if self._wanted is not None else 0
        self._wanted = None
        self._held.clear()
        try:
            while True:
                wanted = next(self._parser) if answer is None else self._parser.send(answer)
                if isinstance(wanted, Watch):
                    self._watch, answer = wanted, b""
                    continue
                _check(wanted, end)
                self._ask(wanted.size)
                if wanted.size:
                    self._wanted = wanted
                    return
                end, answer = wanted.end, b""
        except StopIteration as stop:
            self._value.append(stop.value)


def _check(wanted: Range, position: int) -> None:
    if wanted.offset < position or not 0 <= wanted.size <= LARGEST_RANGE:
        raise AssertionError(f"a parser at byte {position} asked for {wanted}")
