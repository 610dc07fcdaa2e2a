"""Processes that fuse, for as long as the index runs: a lost one is replaced."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
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

    def __init__(self, start: Callable[[], Executor]) -> None:
        """`start` gives a new executor, at the beginning and in place of a broken one."""
        self._start = start
        self._executor = start()

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what `work` returns in another process; raise what it raises on purpose.

        Raises `FailedError` where its process is lost twice, or a cluster gives it up.
        """
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


@contextlib.contextmanager
def pool(count: int) -> Iterator[Pool]:
    """Yield a pool of `count` processes, which end with the block."""
    with contextlib.ExitStack() as stack:

        def start() -> Executor:
            executor = stack.enter_context(processes(count))
            # Now, while this process has one thread: a copy of it begins at once.
            executor.submit(_nothing).result()
            return executor

        yield Pool(start)


def _nothing() -> None:
    pass
