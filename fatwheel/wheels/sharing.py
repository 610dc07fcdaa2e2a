"""Who reads wheels: this process alone, copies of it besides, or threads, where it cannot be copied."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fatwheel.archive.ranges import RangeFile, file_sha256
from fatwheel.deflate.pipeline import core_in_use
from fatwheel.wheels.wheel import OpenWheel

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    from fatwheel.wheels.copies import Task

__all__ = ["BATCH", "FileDigest", "Readers", "batches", "readers", "result_of"]

T = TypeVar("T")

BATCH = 4 << 20
"""Compressed bytes that are handed to a thread at once."""

_SMALL = 16 << 10  # compressed bytes
_OVERHEAD = 5 << 10  # compressed bytes that take as long to read as what each member costs besides
_SHARES = 16  # of a wheel's members, which several processes take one by one
_THREADS = Path("/proc/self/task")
_TURN, _WAIT = 0.0002, 0.1  # seconds


class Readers:
    """What shares the reading of some wheels."""

    def __init__(
        self,
        wheels: Collection[OpenWheel],
        *,
        executor: Executor | None = None,
        copies: int = 0,
    ) -> None:
        """Read in threads of `executor`, in so many copies of this process besides, or in this process alone."""
        self._wheels, self._executor, self._copies = tuple(wheels), executor, copies

    def batches(self, sizes: Mapping[str, int]) -> list[list[str]]:
        """Group names by their weights in bytes; see `batches`. Copies get smaller groups, in the same order."""
        groups = batches(sizes)
        if not self._copies:
            return groups
        share = sum(map(_weight, sizes.values())) // _SHARES
        return [part for group in groups for part in _parts(group, sizes, share)]

    def run(self, tasks: Sequence[Task[T]]) -> Iterator[T]:
        """Begin all tasks, and return their results in order; alone, each is done when its result is asked for.

        Where one fails, those not yet begun are not begun any more.
        """
        if self._copies:
            from fatwheel.wheels.copies import in_copies  # with pickle 3 ms

            return in_copies(tasks, self._wheels, self._copies)
        if self._executor is None:
            return map(_counted, tasks)
        futures = [self._executor.submit(_counted, task) for task in tasks]

        def cancel_others(done: Future[T]) -> None:
            if not done.cancelled() and done.exception() is not None:
                for future in futures:
                    future.cancel()

        for future in futures:
            future.add_done_callback(cancel_others)
        return map(result_of, futures)

    @contextlib.contextmanager
    def beside(self, function: Callable[[], T]) -> Iterator[Callable[[], T]]:
        """Yield what returns the result of `function`, which a copy of this process calls, or this one in the end.

        Threads would only take turns. What it raises is raised where the result is asked for.
        """
        if not self._copies:
            yield function
            return
        from fatwheel.wheels.copies import called_in_copy

        with called_in_copy(function) as result:
            yield result


def _counted(task: Task[T]) -> T:
    with core_in_use():
        return task.do()


@contextlib.contextmanager
def readers(count: int, wheels: Collection[OpenWheel]) -> Iterator[Readers]:
    """Yield so many readers of `wheels`; one where they are one batch.

    When the block is left by an exception (Ctrl-C is one), all that is under way and all that waits is given up.
    """
    if count < 2 or sum(wheel.file.size for wheel in wheels) <= BATCH:
        yield Readers(wheels)
        return
    if _can_copy():
        yield Readers(wheels, copies=count - 1)
        return
    from concurrent.futures import ThreadPoolExecutor  # with logging 4 ms

    with ThreadPoolExecutor(count) as executor, _short_turns:
        try:
            yield Readers(wheels, executor=executor)
        except BaseException:
            for wheel in wheels:
                wheel.file.abandon()
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _can_copy() -> bool:
    """Return whether copies of this process can help: on Linux, and while no other thread may hold a lock.

    All threads count, those that Python does not know of, too.
    """
    if sys.platform != "linux":
        return False
    try:
        os.close(os.memfd_create("fatwheel"))
        return len(list(_THREADS.iterdir())) == 1
    except (AttributeError, OSError):  # a Python for old systems, or an old system
        return False


class FileDigest:
    """The task of taking the SHA-256 of a whole file; its result is in hexadecimal."""

    def __init__(self, file: RangeFile) -> None:
        """`file` is one of a wheel that is read."""
        self._file = file

    def do(self) -> str:
        """Take it; raises `ChangedError` as `RangeFile.whole` does."""
        return file_sha256(self._file)

    def pack(self, result: str) -> str:
        """Return it."""
        return result

    def unpack(self, packed: str) -> str:
        """Return it."""
        return packed


def result_of(future: Future[T], meanwhile: Callable[[], None] | None = None) -> T:
    """Wait for a result, and call `meanwhile` ten times a second.

    No wait is long, since Python sees Ctrl-C on Windows only between them.
    """
    from concurrent.futures import TimeoutError as NotYetError  # Python's own from 3.11 on

    while True:
        try:
            return future.result(_WAIT)
        except NotYetError:
            if future.done():  # it is what the work itself raised, or has come by now
                return future.result()
        if meanwhile is not None:
            meanwhile()


def batches(sizes: Mapping[str, int]) -> list[list[str]]:
    """Group names by their weights in bytes, the group that takes longest first.

    Large ones are grouped so that handing over a group costs little beside working on it. Small ones are mostly
    work that holds the interpreter lock: two threads would only wait for each other. So they are one group,
    in the order given, which may be the one in which they lie in a file.
    """
    groups: list[list[str]] = []
    room = 0
    small = [name for name, size in sizes.items() if size <= _SMALL]
    large = [name for name, size in sizes.items() if size > _SMALL]
    for name in sorted(large, key=lambda name: (-sizes[name], name)):
        if room < sizes[name] or not groups:
            groups.append([])
            room = BATCH
        groups[-1].append(name)
        room -= sizes[name]
    if small:
        weight = sum(_weight(sizes[name]) for name in small)
        heavier = [group for group in groups if sum(sizes[name] for name in group) > weight]
        groups.insert(len(heavier), small)
    return groups


def _weight(size: int) -> int:
    return size + _OVERHEAD


def _parts(group: Sequence[str], sizes: Mapping[str, int], share: int) -> Iterator[list[str]]:
    """Yield a group's names in groups of up to about `share` bytes."""
    part, weight = list[str](), 0
    for name in group:
        part.append(name)
        weight += _weight(sizes[name])
        if weight >= share:
            yield part
            part, weight = [], 0
    if part:
        yield part


class _ShortTurns:
    """Lets threads that come back from inflating or hashing wait for the interpreter no longer than `_TURN`.

    Python lets a thread that does not give it away have it for 5 ms, in which ten pieces can be inflated. The setting
    is the process's, so it lasts from the first of those that read side by side to the last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users, self._before = 0, 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(min(_TURN, self._before))
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                sys.setswitchinterval(self._before)


_short_turns = _ShortTurns()
