"""In which order work is handed to the processes."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from fatwheel.fusion.many import FailedError
from fatwheel.index.pool import Pool


def order_of(at_once: int | None, weights: list[float | None]) -> list[int]:
    """Return the order in which an executor was handed work, all of which was there from the beginning."""
    begun: list[int] = []

    async def all_of() -> None:
        with ThreadPoolExecutor(1) as executor:
            pool = Pool(lambda: executor, at_once)
            tasks = [
                pool.run(begun.append, number, **({} if weight is None else {"weight": weight}))
                for number, weight in enumerate(weights)
            ]
            await asyncio.gather(*tasks)
        assert not pool._waiting

    asyncio.run(all_of())
    return begun


def test_the_heaviest_comes_first() -> None:
    assert order_of(None, [1, 3, 2]) == [0, 1, 2]
    assert order_of(1, [1, 3, 2, 5, 3]) == [0, 3, 1, 4, 2]
    assert order_of(2, [1, 3, None, 5]) == [0, 1, 2, 3]  # without a weight: a short one


def test_who_gives_up_waiting_leaves_room_for_the_next() -> None:
    async def use() -> list[str]:
        done: list[str] = []
        goes_on = threading.Event()
        with ThreadPoolExecutor(1) as executor:
            pool = Pool(lambda: executor, 1)
            first = asyncio.create_task(pool.run(goes_on.wait, 30))
            waiting = [
                asyncio.create_task(pool.run(done.append, word, weight=weight))
                for word, weight in (("light", 1), ("heavy", 9), ("middle", 5))
            ]
            await asyncio.sleep(0.01)
            waiting[1].cancel()
            await asyncio.sleep(0.01)
            goes_on.set()
            await first
            await asyncio.gather(*waiting, return_exceptions=True)
            await pool.run(done.append, "last")
        return done

    assert asyncio.run(use()) == ["middle", "light", "last"]


def test_what_fails_leaves_room_for_the_next() -> None:
    class Lost(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(RuntimeError())
            return future

    async def use() -> None:
        pool = Pool(Lost, 1)
        for _ in range(3):
            with pytest.raises(FailedError, match=r"gave no answer \(RuntimeError\)"):
                await pool.run(print)

    asyncio.run(use())
