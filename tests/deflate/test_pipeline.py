"""One stream, two threads where a core is free."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from fatwheel.deflate import pipeline
from fatwheel.deflate.pipeline import IN_USE, core_in_use, hand_over, shared_cores


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cores = threading.Semaphore(2)
    monkeypatch.setattr(pipeline, "_cores", cores)
    yield
    assert all(cores.acquire(blocking=False) for _ in range(2)), "a core was not given back"


def reused(count: int) -> Iterator[memoryview]:
    """Yield numbers in memory that is used again as late as `hand_over` asks for."""
    memory = [bytearray(8) for _ in range(IN_USE)]
    for number in range(count):
        chunk = memory[number % IN_USE]
        chunk[:] = number.to_bytes(8, "big")
        yield memoryview(chunk)


def test_chunks_are_taken_in_order_by_a_second_thread() -> None:
    taken: list[tuple[int, int]] = []
    with core_in_use():
        hand_over(
            reused(1000), lambda c: taken.append((int.from_bytes(c, "big"), threading.get_ident()))
        )
    assert [number for number, _ in taken] == list(range(1000))
    (thread,) = {thread for _, thread in taken}
    assert thread != threading.get_ident()


def test_one_thread_does_both_while_no_core_is_free_and_another_helps_from_then_on() -> None:
    threads: list[int] = []

    def chunks() -> Iterator[memoryview]:
        for number, chunk in enumerate(reused(20)):
            if number == 10:
                other.__exit__(None, None, None)
            yield chunk

    other = core_in_use()
    other.__enter__()
    with core_in_use():
        hand_over(chunks(), lambda _: threads.append(threading.get_ident()))
    own = threading.get_ident()
    assert [thread == own for thread in threads] == [True] * 10 + [False] * 10


@pytest.mark.parametrize("free", [True, False])
def test_what_taking_fails_of_ends_making(free: bool) -> None:
    made: list[int] = []

    def chunks() -> Iterator[memoryview]:
        for chunk in reused(1000):
            made.append(len(made))
            yield chunk

    def take(chunk: bytes | memoryview) -> None:
        if int.from_bytes(chunk, "big") == 3:
            raise ValueError("no more")

    others = [core_in_use() for _ in range(0 if free else 2)]
    for other in others:
        other.__enter__()
    with pytest.raises(ValueError, match="no more"):
        hand_over(chunks(), take)
    for other in others:
        other.__exit__(None, None, None)
    assert len(made) <= 3 + 1 + IN_USE


def test_what_making_fails_of_is_raised_when_all_before_was_taken() -> None:
    taken: list[int] = []

    def chunks() -> Iterator[memoryview]:
        yield from reused(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hand_over(chunks(), lambda chunk: taken.append(int.from_bytes(chunk, "big")))
    assert taken == list(range(5))


def test_where_no_thread_can_be_started_one_does_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    taken: list[int] = []
    with core_in_use():
        hand_over(reused(20), lambda chunk: taken.append(int.from_bytes(chunk, "big")))
    assert taken == list(range(20))


def test_cores_that_copies_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a copy of this process takes is not there for this one until it is given back."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    before = pipeline._cores
    with shared_cores():
        cores = pipeline._cores
        assert cores is not before
        assert cores.acquire(blocking=False)
        assert cores.acquire(blocking=False)
        assert not cores.acquire(blocking=False)
        cores.release()
        assert cores.acquire(blocking=False)
    assert pipeline._cores is before
