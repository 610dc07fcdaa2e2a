"""Two threads for one stream, where a core is free: one makes the chunks, another takes them.

The digest of a fused file is one chain over both slices, so one large member is one chain, too. Inflating and
hashing both release the interpreter lock; done side by side they take as long as the slower of the two. While other
threads keep the cores busy, handing over only costs: then one thread does both.
"""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator

__all__ = ["IN_USE", "Chunk", "core_in_use", "hand_over", "shared_cores"]

Chunk = bytes | memoryview

_WAITING = 4  # chunks; enough that neither thread waits for the other's hiccups
IN_USE = _WAITING + 1
"""How many chunks must be valid at the same time: those that wait or are being taken, and the one being made."""


class _SharedCores:
    """A semaphore that this process shares with the copies of it: a pipe that holds a byte for each core."""

    def __init__(self, count: int) -> None:
        self._left, self._given = (
            io.FileIO(end, mode) for end, mode in zip(os.pipe(), ("r", "w"), strict=True)
        )
        os.set_blocking(self._left.fileno(), False)
        self._given.write(bytes(count))

    def acquire(self, *, blocking: bool) -> bool:
        """Take one, and return whether there was one; this never waits."""
        assert not blocking
        return self._left.read(1) is not None

    def release(self) -> None:
        """Give it back."""
        self._given.write(bytes(1))

    def close(self) -> None:
        """End this process's part in it."""
        self._left.close()
        self._given.close()


_cores: threading.Semaphore | _SharedCores = threading.Semaphore(os.cpu_count() or 1)
"""One for each core that no thread of this process, or of a copy that shares them, is known to use."""


@contextlib.contextmanager
def shared_cores() -> Iterator[None]:
    """Share the cores of this machine with the copies of this process that are made in the block; it has one thread."""
    global _cores  # noqa: PLW0603  (there is one machine)
    before, shared = _cores, _SharedCores(os.cpu_count() or 1)
    _cores = shared
    try:
        yield
    finally:
        _cores = before
        shared.close()


@contextlib.contextmanager
def core_in_use() -> Iterator[None]:
    """Count this thread, which inflates and hashes in the block, as one that uses a core."""
    counted = _cores.acquire(blocking=False)
    try:
        yield
    finally:
        if counted:
            _cores.release()


def hand_over(chunks: Iterable[Chunk], take: Callable[[Chunk], None]) -> None:
    """Call `take` with every chunk, in order; from when a core is free on, in a second thread, while the next is made.

    A chunk must stay valid while `IN_USE` - 1 more are made. Returns when all were taken. What either side raises
    is raised here, and the other side stops.
    """
    second: _Taking | None = None
    alone = False  # for good
    try:
        for chunk in chunks:
            if second is None and not alone and _cores.acquire(blocking=False):
                try:
                    second = _Taking(take)
                except RuntimeError:  # the system has no room for another thread
                    _cores.release()
                    alone = True
            if second is None:
                take(chunk)
            elif not second.give(chunk):
                break
    finally:
        if second is not None:
            second.finish()
            _cores.release()
    if second is not None and second.failure is not None:
        raise second.failure


class _Taking:
    """A thread that takes chunks in order, and what it failed of."""

    def __init__(self, take: Callable[[Chunk], None]) -> None:
        import queue  # with heapq half a millisecond, which small members do without

        self.failure: BaseException | None = None
        self._take = take
        self._waiting: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_WAITING)
        self._thread = threading.Thread(target=self._run, name="fatwheel-taking", daemon=True)
        self._thread.start()

    def give(self, chunk: Chunk) -> bool:
        """Hand a chunk over, as soon as there is room; return whether there is still any use in it."""
        self._room.acquire()
        if self.failure is None:
            self._waiting.put(chunk)
        return self.failure is None

    def finish(self) -> None:
        """Wait until all was taken."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (chunk := self._waiting.get()) is not None:
            if self.failure is None:
                try:
                    self._take(chunk)
                except BaseException as error:
                    self.failure = error
            self._room.release()
