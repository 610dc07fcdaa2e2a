"""Progress through bytes that are read more than once, told as if each pass were a part of them."""

from __future__ import annotations

import threading

from fatwheel.archive.ranges import Progress

__all__ = ["InPasses"]


class InPasses:
    """Tells `progress` of `total` bytes while they are read about `passes` times, by any threads.

    Something may be read once more or not be needed again, so what is told never passes `total`, and `finish` tells of
    the rest.
    """

    def __init__(self, progress: Progress, total: int, passes: int) -> None:
        """Nothing is read yet."""
        self._progress, self._total, self._passes = progress, total, passes
        self._read = self._told = 0
        self._lock = threading.Lock()

    def __call__(self, size: int) -> None:
        """Take note of `size` more bytes."""
        with self._lock:
            self._read += size
            self._tell(min(self._read // self._passes, self._total))

    def finish(self) -> None:
        """Tell of all that was not told of."""
        with self._lock:
            self._tell(self._total)

    def _tell(self, done: int) -> None:
        if done > self._told:
            self._progress(done - self._told)
            self._told = done
