"""Copies of this process that share work with it: they begin at once, with all that it holds.

Reading a wheel of many files is mostly Python, which threads of one process do in turns; copies do it side by side.
Each takes the next task when it is ready, and hands results back through memory that both see. What a copy did not
bring, because its task failed or the copy was lost, is done here: so an error is raised here, and none has to travel.

This takes a system that copies a process and threads that do not mind: Linux, and a process with one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import mmap
import os
import pickle
import select
import signal
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, BinaryIO, Protocol, TypeVar

from fatwheel.deflate.pipeline import core_in_use, shared_cores
from fatwheel.wheels.wheel import OpenWheel

__all__ = ["Task", "called_in_copy", "in_copies"]

T = TypeVar("T")

_END_WITH_PARENT = 1  # prctl(2): PR_SET_PDEATHSIG
_WAIT = 0.1  # seconds


class Task(Protocol[T]):
    """Something to be done once, and how its result travels from a copy of this process."""

    def do(self) -> T:
        """Do it."""

    def pack(self, result: T) -> Any:
        """Return what can be pickled at little cost."""

    def unpack(self, packed: Any) -> T:
        """Return the result that was packed."""


def in_copies(tasks: Sequence[Task[T]], wheels: Collection[OpenWheel], copies: int) -> Iterator[T]:
    """Do tasks that read `wheels` in this process and so many copies of it; return an iterator over their results.

    Where one fails, no further one is begun; the iterator does in their order what was not done, and so raises what
    fails first in that order. Where this is left by an exception (Ctrl-C is one), no copy is left.
    """
    done: dict[int, T] = {}
    failed: dict[int, Exception] = {}
    with contextlib.ExitStack() as stack:
        try:
            queue = stack.enter_context(_Queue(len(tasks)))
            stack.enter_context(shared_cores())
            progress = stack.enter_context(_Progress(wheels, copies))
        except OSError:  # too many open files
            return _in_order(tasks, done, failed)
        works = [_Work(tasks, wheels, queue, progress, number) for number in range(copies)]
        begun = [copy for work in works if (copy := _begun(work, stack)) is not None]
        with core_in_use():
            for index in queue.highest():
                try:
                    done[index] = tasks[index].do()
                except Exception as error:
                    failed[index] = error
                    queue.drain()
        for copy in begun:
            copy.wait(progress.tell)
            for index, packed, changes in copy.results():
                done[index] = tasks[index].unpack(packed)
                for wheel, change in zip(wheels, changes, strict=True):
                    _change(wheel, change)
    return _in_order(tasks, done, failed)


def _begun(work: _Work | _Calling, stack: contextlib.ExitStack) -> _Copy | None:
    """Begin a copy that ends with `stack`, if the system has room for it."""
    try:
        copy = _Copy(work)
        stack.callback(copy.end)  # before it is there: Ctrl-C may come as soon as it is
        copy.begin()
    except (OSError, RuntimeError):  # too many processes or files; an interpreter that may not fork
        return None
    return copy


def _in_order(
    tasks: Sequence[Task[T]], done: dict[int, T], failed: dict[int, Exception]
) -> Iterator[T]:
    for index, task in enumerate(tasks):
        if index in failed:
            raise failed[index]
        if index not in done:
            with core_in_use():
                done[index] = task.do()
        yield done.pop(index)


class _Queue:
    """Numbers from 0 on, each of which one process gets: copies the lowest, the process that began them the highest.

    Results of the first tasks, which are large files, are small and travel well; those of many small files need not.
    """

    def __init__(self, count: int) -> None:
        self._memory = mmap.mmap(-1, 16)  # which all processes see
        self._ends = memoryview(self._memory).cast("Q")  # of what is left
        self._ends[0], self._ends[1] = 0, count
        self._lock = _file_in_memory("queue")

    def __enter__(self) -> _Queue:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.release()
        self._memory.close()
        self._lock.close()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out; the lock of one that was killed is free."""
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def lowest(self) -> Iterator[int]:
        """Yield numbers upwards, for as long as any is left."""
        while (found := self._take(0, 1)) is not None:
            yield found

    def highest(self) -> Iterator[int]:
        """Yield numbers downwards, for as long as any is left."""
        while (found := self._take(1, -1)) is not None:
            yield found - 1

    def _take(self, end: int, step: int) -> int | None:
        with self._locked():
            if self._ends[0] == self._ends[1]:
                return None
            found = self._ends[end]
            self._ends[end] += step
            return found

    def drain(self) -> None:
        """Leave nothing to be begun."""
        with self._locked():
            self._ends[1] = self._ends[0]


def _file_in_memory(name: str) -> BinaryIO:
    return os.fdopen(os.memfd_create(f"fatwheel-{name}"), "r+b")


_Change = tuple[dict[int, int], int]
"""What a task has changed of a wheel: sums of pieces that it read first, and steps that it took."""


def _change(wheel: OpenWheel, change: _Change) -> None:
    sums, steps = change
    wheel.file.join_sums(sums)
    wheel.effort.join(steps)


class _Progress:
    """What copies have read of each wheel, in memory that all see."""

    def __init__(self, wheels: Collection[OpenWheel], copies: int) -> None:
        self._wheels = [wheel for wheel in wheels if wheel.file.progress is not None]
        self._callers = [wheel.file.progress for wheel in self._wheels]
        self._memory = mmap.mmap(-1, 8 * max(1, len(self._wheels) * copies))
        self._read = memoryview(self._memory).cast("Q")
        self._told = [0] * len(self._wheels)

    def __enter__(self) -> _Progress:
        for place, (wheel, caller) in enumerate(zip(self._wheels, self._callers, strict=True)):
            assert caller is not None
            wheel.file.progress = self._with_copies(place, caller)
        return self

    def __exit__(self, *_: object) -> None:
        for wheel, caller in zip(self._wheels, self._callers, strict=True):
            wheel.file.progress = caller
        self._read.release()
        self._memory.close()

    def _with_copies(self, place: int, caller: Callable[[int], None]) -> Callable[[int], None]:
        def progress(size: int) -> None:
            read = sum(self._read[place :: len(self._wheels)])
            new, self._told[place] = read - self._told[place], read
            caller(size + new)

        return progress

    def tell(self) -> None:
        """Tell of what copies have read since it was last told."""
        for wheel in self._wheels:
            assert wheel.file.progress is not None
            wheel.file.progress(0)

    def count(self, copy: int) -> None:
        """In a copy: note what is read."""
        for place, wheel in enumerate(self._wheels, copy * len(self._wheels)):
            wheel.file.progress = self._counting(place)

    def _counting(self, place: int) -> Callable[[int], None]:
        def progress(size: int) -> None:
            self._read[place] += size

        return progress


class _Work:
    """What a copy does."""

    def __init__(
        self,
        tasks: Sequence[Task[Any]],
        wheels: Collection[OpenWheel],
        queue: _Queue,
        progress: _Progress,
        number: int,
    ) -> None:
        self._tasks, self._wheels, self._queue = tasks, wheels, queue
        self._progress, self._number = progress, number

    def do(self, out: BinaryIO) -> None:
        """Do what comes, and write each result to `out`."""
        self._progress.count(self._number)
        with core_in_use():
            for index in self._queue.lowest():
                before = [(wheel.file.known_sums, wheel.effort.left) for wheel in self._wheels]
                task = self._tasks[index]
                try:
                    packed = task.pack(task.do())
                except BaseException:
                    self._queue.drain()
                    break
                changes = [
                    (wheel.file.sums_from(known), left - wheel.effort.left)
                    for wheel, (known, left) in zip(self._wheels, before, strict=True)
                ]
                pickle.dump((index, packed, changes), out, pickle.HIGHEST_PROTOCOL)
        out.flush()


class _Calling:
    """What a copy does that calls a function."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function

    def do(self, out: BinaryIO) -> None:
        """Call it, and write its result to `out`."""
        with core_in_use():
            result = self._function()
        pickle.dump(result, out, pickle.HIGHEST_PROTOCOL)
        out.flush()


@contextlib.contextmanager
def called_in_copy(function: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """Call a function in a copy of this process, and yield what to call for its result.

    What it raises is raised here. When the block is left, the copy is gone.
    """
    with contextlib.ExitStack() as stack:
        copy = _begun(_Calling(function), stack)

        def result() -> T:
            if copy is not None:
                copy.wait()
                if found := list(copy.results()):
                    return found[0]  # type: ignore[no-any-return]
            return function()

        yield result


class _Copy:
    """A copy of this process, which works until nothing is left to be begun."""

    def __init__(self, work: _Work | _Calling) -> None:
        self._work = work
        self._out = _file_in_memory("results")
        self._alive, self._end = os.pipe()
        self._pid = 0

    def begin(self) -> None:
        """Begin; raises `OSError` where the system has no room for another process."""
        with _no_signals() as before:
            parent = os.getpid()
            try:
                self._pid = os.fork()
                if not self._pid:
                    self._run(parent, before)
            finally:
                os.close(self._end)

    def _run(self, parent: int, mask: set[Any]) -> None:
        """Be the copy: never return."""
        try:
            for number in _ending():
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that waits for this ends it
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
            gc.disable()  # what is in the parent's cycles is the parent's
            if os.getppid() == parent:
                self._work.do(self._out)
        finally:
            os._exit(0)

    def wait(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait for its end, and call `meanwhile` ten times a second."""
        while not self._has_ended(_WAIT):
            meanwhile()
        self._reap()
        meanwhile()

    def _has_ended(self, seconds: float) -> bool:
        """Return whether it ends within so many seconds: then nobody writes into its pipe any more."""
        poll = select.poll()  # `select` knows no files above 1,023
        poll.register(self._alive)
        return bool(poll.poll(1000 * seconds))

    def results(self) -> Iterator[Any]:
        """Yield what it has written, value by value, as far as it is complete."""
        self._out.seek(0)
        with contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                yield pickle.load(self._out)  # noqa: S301  (of this very process)

    def end(self) -> None:
        """End it where it still works."""
        with _no_signals():  # a second Ctrl-C must not leave it
            if self._pid:
                if not self._has_ended(0):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(self._pid, signal.SIGKILL)
                self._reap()
            os.close(self._alive)
            self._out.close()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):  # somebody else did
            os.waitpid(self._pid, 0)
        self._pid = 0


def _ending() -> set[signal.Signals]:
    return {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP")}


@contextlib.contextmanager
def _no_signals() -> Iterator[set[Any]]:
    """Let the signals that end a process wait for the end of the block; yield those that waited before."""
    before: set[Any] = signal.pthread_sigmask(signal.SIG_BLOCK, _ending())
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
