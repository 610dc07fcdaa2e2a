"""Two threads for one stream: one makes the chunks, another takes them.

The digest of a fused file is one chain over both slices, so one large member is one chain, too. Inflating and
hashing both release the interpreter lock; done side by side they take as long as the slower of the two.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

__all__ = ["IN_USE", "Chunk", "hand_over"]

Chunk = bytes | memoryview

_WAITING = 4  # chunks; enough that neither thread waits for the other's hiccups
IN_USE = _WAITING + 1
"""How many chunks must be valid at the same time: those that wait or are being taken, and the one being made."""


def hand_over(chunks: Iterable[Chunk], take: Callable[[Chunk], None]) -> None:
    """Call `take` with every chunk, in order, in a second thread, while the next one is made here.

    A chunk must stay valid while `IN_USE` - 1 more are made. Returns when all were taken. What either side raises
    is raised here, and the other side stops.
    """
    import queue  # with heapq half a millisecond, which small members do without

    waiting: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()
    room = threading.Semaphore(_WAITING)
    failures: list[BaseException] = []

    def taking() -> None:
        while (chunk := waiting.get()) is not None:
            if not failures:
                try:
                    take(chunk)
                except BaseException as error:
                    failures.append(error)
            room.release()

    thread = threading.Thread(target=taking, name="fatwheel-taking", daemon=True)
    thread.start()
    try:
        for chunk in chunks:
            room.acquire()
            if failures:
                break
            waiting.put(chunk)
    finally:
        waiting.put(None)
        thread.join()
    if failures:
        raise failures[0]
