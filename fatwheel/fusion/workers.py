"""Processes that fuse for this one: they end when it does, and give up what they do when it is not wanted any more."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from fatwheel.errors import AbandonedError

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.sharedctypes import Synchronized

__all__ = ["Workers", "processes", "safe_path"]

P = ParamSpec("P")
T = TypeVar("T")

_SAFE_PATH = "PYTHONSAFEPATH"
if sys.platform == "win32":
    _STOP = signal.SIGBREAK
else:
    _STOP = signal.SIGUSR1
# It tells a process that its work is not wanted any more. By SIGTERM an executor ends all processes when one is lost:
# none may go on waiting for work then, since the lost one may hold the lock of the queue.


class Workers(ProcessPoolExecutor):
    """An executor of processes; it knows how many bytes of archives all of them have read (`fuse_many`)."""

    def __init__(self, count: int, context: BaseContext) -> None:
        """Nothing is started before there is work."""
        self._read: Synchronized[int] = context.Value("Q", 0)
        self._told, self._stop = context.Pipe(duplex=False)
        super().__init__(
            count, mp_context=context, initializer=_begin, initargs=(self._told, self._read)
        )

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a process call `fn`; it is ended by `give_up`, with what it had not completed gone."""
        return super().submit(_work, functools.partial(fn, *args, **kwargs))

    @property
    def bytes_read(self) -> int:
        """The bytes that `tell_progress` was told of in all processes."""
        return self._read.value

    @staticmethod
    def tell_progress(size: int) -> None:
        """Take note, in a process of these, of `size` more bytes."""
        if _worker is not None and size:
            with _worker.read.get_lock():
                _worker.read.value += size

    def give_up(self) -> None:
        """End what is under way, and cancel what waits; returns when no process is left."""
        with contextlib.suppress(OSError):
            self._stop.send_bytes(b"stop")  # nobody takes it away, so that all see it
        self.shutdown(cancel_futures=True)
        self._stop.close()
        self._told.close()


@contextlib.contextmanager
def processes(count: int) -> Iterator[Workers]:
    """Yield `count` processes, which give up what they still do when the block is left.

    Ctrl-C, which a terminal sends to all of them, is left to the caller.
    """
    # A copy of this process begins at once, a new one in a third of a second; a copy of one with threads may hang.
    alone = sys.platform == "linux" and threading.active_count() == 1
    workers = Workers(count, multiprocessing.get_context("fork" if alone else "spawn"))
    try:
        yield workers
    finally:
        workers.give_up()


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Let processes that `processes` starts meanwhile find no modules in the current folder.

    Where they are no copies of this one, Python would look there first. Python 3.10 has no switch for it.
    """
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[_SAFE_PATH]
        if before is not None:
            os.environ[_SAFE_PATH] = before


class _Worker:
    """What a process of a pool knows of itself."""

    def __init__(self, read: Synchronized[int]) -> None:
        self.read = read
        self.is_busy = False
        self.is_interrupted = False  # its work is ending, and is not to be disturbed again
        self.is_stopped = False  # its work is not wanted any more
        self.is_terminated = False  # somebody wants the process itself to end

    def on_stop(self, _number: int, _frame: object) -> None:
        """Interrupt the work, as Ctrl-C does without processes."""
        self._interrupt()

    def on_terminate(self, _number: int, _frame: object) -> None:
        """End when the work was interrupted; a process that waits for work ends at once."""
        self.is_terminated = True
        self._interrupt()
        if not self.is_busy:
            os._exit(128 + signal.SIGTERM)

    def _interrupt(self) -> None:
        if self.is_busy and not self.is_interrupted:
            self.is_interrupted = True
            raise KeyboardInterrupt

    def watch(self, stop: Connection) -> None:
        """Wait for `stop`, or for the end of the process that began this one, which may have been killed."""
        parent = multiprocessing.parent_process()
        assert parent is not None
        if stop not in wait([parent.sentinel, stop]):
            os._exit(1)
        self.is_stopped = True
        if sys.platform == "win32":
            import _thread

            _thread.interrupt_main(_STOP)
        else:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, _STOP)
        wait([parent.sentinel])
        os._exit(1)


_worker: _Worker | None = None
"""In a process of `Workers`: itself."""


def _begin(stop: Connection, read: Synchronized[int]) -> None:
    global _worker  # noqa: PLW0603  (how a process of a pool is handed what cannot be pickled)
    _worker = _Worker(read)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _worker.on_terminate)
    signal.signal(_STOP, _worker.on_stop)
    threading.Thread(
        target=_worker.watch, args=(stop,), name="fatwheel-parent", daemon=True
    ).start()


def _work(function: Callable[[], T]) -> T:
    """Do what a process of a pool is asked for, unless it is not wanted any more."""
    assert _worker is not None
    try:
        _worker.is_interrupted = False
        _worker.is_busy = True
        if _worker.is_stopped:
            raise AbandonedError("nobody waits for this any more")
        return function()
    except KeyboardInterrupt:
        raise AbandonedError("nobody waits for this any more") from None
    finally:
        _worker.is_busy = False
        if _worker.is_terminated:
            os._exit(128 + signal.SIGTERM)
