"""Processes that fuse, for as long as the index runs: a lost one is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from typing import Any, TypeVar

from fatwheel.errors import FatwheelError
from fatwheel.fusion.many import FailedError
from fatwheel.fusion.workers import processes

__all__ = ["Pool", "pool"]

T = TypeVar("T")
_MEMORY = "it may have run out of memory"


class Pool:
    """Runs functions in processes; any executor of `concurrent.futures` that the factory makes will do."""

    def __init__(self, start: Callable[[], Executor], at_once: int | None = None) -> None:
        """`start` gives a new executor, at the beginning and in place of a broken one.

        It is handed `at_once` things at a time, and of those that wait the heaviest first; None hands it all at once.
        """
        self._start = start
        self._executor = start()
        self._free = at_once
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def run(self, work: Callable[..., T], *arguments: Any, weight: float = math.inf) -> T:
        """Return what `work` returns in another process; raise what it raises on purpose.

        Raises `FailedError` where its process is lost twice, or a cluster gives it up.
        """
        async with self._turn(weight):
            return await self._run(work, *arguments)

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            executor = self._executor
            try:
                return await loop.run_in_executor(executor, work, *arguments)
            except BrokenExecutor:
                if self._executor is executor:  # others may have seen it, too
                    self._executor = self._start()
            except (FatwheelError, OSError):
                raise
            except Exception as failure:
                words = str(failure).partition("\n")[0] or type(failure).__name__
                raise FailedError(f"its worker gave no answer ({words}); {_MEMORY}") from failure
        raise FailedError(f"the process that was to do it ended twice; {_MEMORY}")

    @contextlib.asynccontextmanager
    async def _turn(self, weight: float) -> AsyncIterator[None]:
        """Wait until the executor has room, and make room in the end."""
        if self._free is None:
            yield
            return
        if self._free:
            self._free -= 1
        else:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (-weight, next(self._numbers), turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it came at the same time
                    self._next()
                raise
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        assert self._free is not None
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


@contextlib.contextmanager
def pool(count: int) -> Iterator[Pool]:
    """Yield a pool of `count` processes, which end with the block."""
    with contextlib.ExitStack() as stack:

        def start() -> Executor:
            executor = stack.enter_context(processes(count))
            # Now, while this process has one thread: a copy of it begins at once.
            executor.submit(_nothing).result()
            return executor

        # One more than there are processes, so that none waits for this one.
        yield Pool(start, at_once=count + 1)


def _nothing() -> None:
    pass
