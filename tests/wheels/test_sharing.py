"""Who reads wheels: groups of members, threads, and what a failure or an interruption leaves."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fatwheel.archive.ranges import CHUNK
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import AbandonedError, WheelError
from fatwheel.wheels import sharing
from fatwheel.wheels.scan import Wanted, scan_member
from fatwheel.wheels.sharing import BATCH, Readers, batches, readers
from fatwheel.wheels.wheel import open_wheel
from tests.support.alone import Calling
from tests.support.wheels import PLATFORMS, A, make_wheel


def test_what_is_left_by_an_exception_is_given_up_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads in the middle of a member stop there, and what waits is never begun."""
    monkeypatch.setattr(sharing, "_can_copy", lambda: False)
    files = {f"pkg/{n}.bin": random.Random(n).randbytes(5 << 20) for n in range(6)}
    opened = open_wheel(make_wheel(tmp_path, PLATFORMS[A], files))
    begun, go_on = threading.Event(), threading.Event()
    pieces: list[int] = []

    def progress(size: int) -> None:
        pieces.append(size)
        if sum(pieces) > 1 << 20:
            begun.set()
            assert go_on.wait(120)

    def read_member(name: str) -> None:
        scan_member(opened, opened.entries[name], Wanted(), best_inflater())

    given_up = opened.file.abandon

    def abandon() -> None:
        given_up()
        go_on.set()

    opened.file.progress = progress
    monkeypatch.setattr(opened.file, "abandon", abandon)
    results: Iterator[None] = iter(())
    with contextlib.suppress(KeyboardInterrupt), readers(2, [opened]) as threads:
        results = threads.run([Calling(read_member, name) for name in files])
        assert begun.wait(120)
        raise KeyboardInterrupt
    assert sum(pieces) <= (1 << 20) + 2 * CHUNK
    for expected in (*[AbandonedError] * 2, *[CancelledError] * 4):
        with pytest.raises(expected):
            next(results)


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 6 << 20), max_size=40))
def test_law_batches_hold_every_name_once_and_no_batch_is_much_too_heavy(
    sizes: dict[str, int],
) -> None:
    found = batches(sizes)
    assert sorted(name for batch in found for name in batch) == sorted(sizes)
    assert all(found)
    small = [name for name, size in sizes.items() if size <= 16 << 10]
    assert not small or found.count(small) == 1
    for batch in found:
        assert len(batch) == 1 or batch == small or sum(sizes[name] for name in batch) <= 4 << 20
    again = batches(dict(reversed(list(sizes.items()))))
    assert [sorted(batch) for batch in found] == [sorted(batch) for batch in again]


def test_what_takes_longest_begins_first() -> None:
    sizes = {"b": 1, "a": 2, "large": 20 << 10, "huge": 5 << 20}
    assert batches(sizes) == [["huge"], ["large"], ["b", "a"]]
    many = {str(n): 1 for n in range(2000)}
    assert batches(sizes | many) == [["b", "a", *many], ["huge"], ["large"]]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 6 << 20), max_size=40))
def test_law_copies_get_smaller_batches_in_the_same_order(sizes: dict[str, int]) -> None:
    """So that what fails first does not depend on who reads."""
    found = Readers([], copies=1).batches(sizes)
    assert all(found)
    assert list(chain(*found)) == list(chain(*batches(sizes)))
    most = sum(size + (5 << 10) for size in sizes.values()) / 16
    assert all(sum(sizes[name] for name in batch[:-1]) <= most for batch in found)
    assert Readers([]).batches(sizes) == batches(sizes)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_results_come_in_order(threads: int) -> None:
    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(threads)) if threads else None
        results = Readers([], executor=executor).run([Calling(str, n) for n in range(20)])
        assert list(results) == [str(n) for n in range(20)]


@pytest.mark.parametrize("threads", [0, 1])
def test_after_a_failure_nothing_more_is_begun(threads: int) -> None:
    begun: list[int] = []
    gate = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if threads:
            gate.wait(120)
        raise WheelError("w", str(number), "is damaged")

    with contextlib.ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(threads)) if threads else None
        results = Readers([], executor=executor).run([Calling(work, n) for n in range(20)])
        gate.set()  # the failing one cancels the others itself, wherever its result is waited for
        with pytest.raises(WheelError, match="w: 0: is damaged"):
            list(results)
    assert begun == [0]


def test_threads_take_turns_quickly_while_any_of_them_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes back from inflating waits for the interpreter; afterwards all is as it was before."""
    monkeypatch.setattr(sharing, "_can_copy", lambda: False)
    path = make_wheel(tmp_path, PLATFORMS[A], {"a.bin": os.urandom(BATCH + 1)})
    before = sys.getswitchinterval()
    with contextlib.closing(open_wheel(path)) as opened:
        with readers(2, [opened]):
            during = sys.getswitchinterval()
            with readers(2, [opened]):
                assert sys.getswitchinterval() == during < before
            assert sys.getswitchinterval() == during
        assert sys.getswitchinterval() == before
