"""Copies of this process that share the reading: the same results, errors and progress as without, and nothing left."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from fatwheel.arch import Arch
from fatwheel.archive.ranges import file_sha256
from fatwheel.check.finding import Finding
from fatwheel.check.verdict import check_wheel
from fatwheel.deflate import pipeline
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import ChangedError, WheelError
from fatwheel.fusion.fuse import FuseOptions, fuse_wheels
from fatwheel.fusion.pairing import inspect, match
from fatwheel.fusion.readpair import Reading, read_pair
from fatwheel.wheels import sharing
from fatwheel.wheels.copies import called_in_copy, in_copies
from fatwheel.wheels.read import read_wheel
from fatwheel.wheels.sharing import BATCH, FileDigest, Readers, readers
from fatwheel.wheels.wheel import Wheel, open_wheel
from tests.support.alone import Calling, alone
from tests.support.corpus import ROOT, SMALL_PAIR
from tests.support.wheels import (
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    make_pair,
    make_wheel,
    record_of,
    tamper,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies are made on Linux alone")

MANY = {f"pkg/{n}.txt": os.urandom(50) * n for n in range(300)}
LARGE = {**MANY, "pkg/large.bin": os.urandom(BATCH), NATIVE: code(A)}


def open_files() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def run(function: Callable[[Any], Any], count: int, copies: int = 2) -> list[Any]:
    """Call a function with the numbers up to `count` in copies; none is left afterwards, and no file open."""
    before, cores = open_files(), pipeline._cores
    try:
        return list(in_copies([Calling(function, n) for n in range(count)], [], copies))
    finally:
        assert open_files() == before
        assert pipeline._cores is cores
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, 0)


def who(number: int) -> tuple[int, int]:
    time.sleep(0.01)
    return number, os.getpid()


def test_all_take_part_and_results_come_in_order() -> None:
    found = alone(run, who, 60)
    assert [number for number, _ in found] == list(range(60))
    processes = [pid for _, pid in found]
    assert len(set(processes)) == 3
    assert processes[0] != processes[-1]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_tasks(count: int) -> None:
    assert [number for number, _ in alone(run, who, count)] == list(range(count))


def noted(path: Path) -> int:
    def work(number: int) -> int:
        with path.open("ab", buffering=0) as file:
            file.write(b".")
        return number

    assert run(work, 3000, copies=3) == list(range(3000))
    return path.stat().st_size


def test_each_task_is_done_once(tmp_path: Path) -> None:
    assert alone(noted, tmp_path / "done") == 3000


def fail(number: int) -> int:
    time.sleep(0.005)
    if number in (3, 17, 50):
        raise WheelError("w", str(number), "is damaged")
    return number


def fail_late(number: int) -> int:
    return fail(number + 20)


def fail_early(number: int) -> int:
    return fail(number - 45)


@pytest.mark.parametrize(("function", "first"), [(fail, "3"), (fail_late, "50"), (fail_early, "3")])
def test_the_error_is_that_of_the_task_that_fails_first_in_order(
    function: Callable[[int], int], first: str
) -> None:
    with pytest.raises(WheelError, match=rf"^w: {first}: is damaged"):
        alone(run, function, 60)


def fail_and_note(folder: Path) -> int:
    def work(number: int) -> int:
        (folder / str(number)).touch()
        time.sleep(0.02)
        raise WheelError("w", str(number), "is damaged")

    with contextlib.suppress(WheelError):
        run(work, 100)
    return len(list(folder.iterdir()))


def test_after_a_failure_nothing_more_is_begun(tmp_path: Path) -> None:
    assert alone(fail_and_note, tmp_path) <= 3  # one in each process


def lost(_: object) -> list[int]:
    own = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != own and number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        return number

    return run(work, 30)


def test_what_a_lost_copy_did_not_bring_is_done_here() -> None:
    assert alone(lost, None) == list(range(30))


def crowded(_: object) -> list[Any]:
    with mock.patch("os.fork", side_effect=OSError(errno.EAGAIN, "no room")):
        return run(who, 10)


def test_where_no_process_can_be_begun_this_one_does_all() -> None:
    assert len({pid for _, pid in alone(crowded, None)}) == 1


def unpicklable(number: int) -> Any:
    return (lambda: number) if number < 3 else number


def test_what_cannot_travel_is_done_here() -> None:
    found = alone(called, unpicklable)
    assert found == list(range(20))


def called(function: Callable[[int], Any]) -> list[Any]:
    return [found() if callable(found) else found for found in run(function, 20)]


def interrupted(_: object) -> str:
    own = os.getpid()

    def work(_number: int) -> None:
        if os.getpid() == own:
            raise KeyboardInterrupt
        time.sleep(120)

    try:
        run(work, 10)
    except KeyboardInterrupt:
        return "at once"
    return "never"


def test_ctrl_c_leaves_no_copy() -> None:
    start = time.monotonic()
    assert alone(interrupted, None) == "at once"
    assert time.monotonic() - start < 60


ORPHAN = """\
import os, sys, time
from fatwheel.wheels.copies import called_in_copy, in_copies
from tests.support.alone import Calling

def work(number):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(0.2)

list(in_copies([Calling(work, n) for n in range(1000)], [], 1))
"""


@pytest.mark.parametrize("how", ["shared", "beside"])
def test_a_copy_ends_with_its_process(how: str) -> None:
    """What kills that leaves it no time for anything."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, how], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        (copy,) = {int(process.stdout.readline()) for _ in range(2)} - {process.pid}
        process.kill()
        assert not process.stdout.read()  # to its end: nobody has it open any more
    while Path(f"/proc/{copy}").exists():  # as long as the system needs to bury it
        time.sleep(0.05)


def interrupted_at_once(_: object) -> str:
    os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        run(lambda _: time.sleep(120), 10)
    except KeyboardInterrupt:
        pass
    else:
        return "never"
    try:
        with called_in_copy(partial(time.sleep, 120)):
            return "never"
    except KeyboardInterrupt:
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, 0)
    return "at once"


def test_ctrl_c_leaves_no_copy_that_has_just_begun() -> None:
    assert alone(interrupted_at_once, None) == "at once"


def short_of_files(spare: int) -> list[int]:
    """Share work where only so many more files may be open."""
    import resource  # not on Windows

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(Path("/dev/null").open()) for _ in range(100)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(f.fileno() for f in free) + 1, limits[1]))
        for file in free[:spare]:
            file.close()
        done = list(in_copies([Calling(int, n) for n in range(20)], [], 2))
        with called_in_copy(os.getpid) as result:
            assert result()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    return done


def with_many_files(count: int) -> list[int]:
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 100)), hard))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(Path("/dev/null").open())
        own = os.getpid()
        with called_in_copy(os.getpid) as result:
            assert result() != own
        return list(in_copies([Calling(int, n) for n in range(20)], [], 2))


def test_among_many_open_files() -> None:
    assert alone(with_many_files, 1100) == list(range(20))


@pytest.mark.parametrize("spare", range(12))
def test_where_files_are_short_this_process_does_all(spare: int) -> None:
    assert alone(short_of_files, spare) == list(range(20))


# ---- one call beside ----


def beside(function: Callable[[], Any]) -> tuple[Any, bool]:
    """Return what a function returns in a copy, and whether it was one; no copy is left."""
    own = os.getpid()
    with called_in_copy(lambda: (function(), os.getpid())) as result:
        found, pid = result()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, 0)
    return found, pid != own


def test_a_call_beside() -> None:
    assert alone(beside, os.getcwd) == (str(Path.cwd()), True)


def refuse() -> None:
    raise WheelError("w", None, "is damaged")


def test_what_a_call_beside_raises_is_raised_here() -> None:
    with pytest.raises(WheelError, match="w: is damaged"):
        alone(beside, refuse)


def end() -> int:
    if "COPIED" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def ended(_: object) -> int:
    os.environ["COPIED"] = "yes"
    with called_in_copy(end) as result:
        del os.environ["COPIED"]
        return result()


def test_a_call_whose_copy_is_lost_is_made_here() -> None:
    assert alone(ended, None) == 1


def left(_: object) -> bool:
    with contextlib.suppress(KeyboardInterrupt), called_in_copy(partial(time.sleep, 120)):
        raise KeyboardInterrupt
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, 0)
    return True


def test_a_call_that_nobody_waits_for_is_ended() -> None:
    start = time.monotonic()
    assert alone(left, None)
    assert time.monotonic() - start < 60


# ---- wheels ----


def read_with(copies: int, path: Path) -> tuple[Wheel, str, int, int, int]:
    """Return a wheel, its file's digest, what progress told, the effort that is left, and how many sums are known."""
    told: list[int] = []
    with contextlib.closing(open_wheel(path)) as wheel:
        wheel.file.progress = told.append
        readers = Readers([wheel], copies=copies)
        read = read_wheel(wheel, readers, inflater=best_inflater())
        (digest,) = readers.run([FileDigest(wheel.file)])
        return read, digest, sum(told), wheel.effort.left, wheel.file.known_sums


@pytest.mark.parametrize("path", [SMALL_PAIR[1], None])
def test_a_wheel_is_the_same_whoever_reads_it(path: Path | None, tmp_path: Path) -> None:
    path = path or make_wheel(tmp_path, PLATFORMS[A], LARGE)
    one, *facts = alone(read_with, 0, path)
    other, *others = alone(read_with, 2, path)
    assert one == other
    assert facts[0] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts == others


def read_both(copies: int, paths: Collection[Path]) -> Reading:
    candidates = dict(zip(Arch, match(*map(inspect, paths)), strict=True))
    opened = {arch: open_wheel(candidate.path) for arch, candidate in candidates.items()}
    readers = Readers(opened.values(), copies=copies)
    return read_pair(candidates, opened, readers, inflater=best_inflater())


def test_a_pair_is_the_same_whoever_reads_it(tmp_path: Path) -> None:
    differing = {"pkg/m.py": b"a = 1\n"}, {"pkg/m.py": b"a = 2\n", "pkg/own.py": b""}
    made = make_pair(tmp_path, MANY, *differing)
    for pair in (SMALL_PAIR, made):
        assert alone(read_both, 2, pair) == alone(read_both, 0, pair)


def read_damaged(copies: int, path: Path) -> str:
    try:
        read_with(copies, path)
    except WheelError as error:
        return str(error)
    return ""


def test_damage_is_told_in_the_same_words(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, PLATFORMS[A], LARGE)
    for name in ("pkg/299.txt", "pkg/large.bin", "pkg/7.txt"):
        tamper(path, name, crc=1)
    found = alone(read_damaged, 0, path)
    assert "pkg/" in found
    assert alone(read_damaged, 1, path) == found
    assert alone(read_damaged, 3, path) == found


def read_and_change(path: Path) -> bool:
    """Return whether it is noticed that a member changed after a copy has read it."""
    with contextlib.closing(open_wheel(path)) as wheel:
        read_wheel(wheel, Readers([wheel], copies=1), inflater=best_inflater())
        entry = wheel.entries["pkg/large.bin"]
        with path.open("r+b") as file:
            file.seek(entry.data_offset + 1000)
            file.write(b"changed")
        try:
            file_sha256(wheel.file)
        except ChangedError:
            return True
        return False


def test_what_a_copy_read_may_not_change_afterwards(tmp_path: Path) -> None:
    assert alone(read_and_change, make_wheel(tmp_path, PLATFORMS[A], LARGE))


def fuse(x86_64: Path, arm64: Path, folder: Path, copy: bool) -> tuple[bytes, int]:
    """Return the fused wheel, and how many copies of this process there were."""
    forks = []
    fork = os.fork

    def counted() -> int:
        forks.append(1)
        return fork()

    with mock.patch.object(os, "fork", counted), contextlib.ExitStack() as stack:
        if not copy:
            stack.enter_context(mock.patch.object(sharing, "_can_copy", return_value=False))
        fused = fuse_wheels(x86_64, arm64, folder, FuseOptions())
    return fused.path.read_bytes(), len(forks)


def test_a_fused_wheel_is_the_same_whoever_reads(tmp_path: Path) -> None:
    both = {"pkg/large.bin": LARGE["pkg/large.bin"], **MANY}
    made = make_pair(tmp_path, both, {NATIVE: code(X)}, {NATIVE: code(A)})
    threads, none = alone(fuse, *made, tmp_path / "threads", False)
    copies, one = alone(fuse, *made, tmp_path / "copies", True)
    assert threads == copies
    assert (none, one) == (0, 1)


def checked(path: Path, copy: bool) -> tuple[Finding, ...]:
    with contextlib.ExitStack() as stack:
        if not copy:
            stack.enter_context(mock.patch.object(sharing, "_can_copy", return_value=False))
        return check_wheel(path)


def test_a_check_finds_the_same_whoever_reads(tmp_path: Path) -> None:
    path = make_wheel(
        tmp_path,
        PLATFORMS[A],
        LARGE,
        record=lambda files: record_of(files).replace("pkg/7.txt", "7"),
    )
    found = alone(checked, path, True)
    assert found == alone(checked, path, False)
    assert "FW002" in {finding.code for finding in found}  # it comes of the second reader


def kinds(path: Path) -> Iterator[str]:
    with contextlib.closing(open_wheel(path)) as wheel, readers(2, [wheel]) as found:
        yield "copies" if found._copies else "threads" if found._executor else "alone"


def kind(path: Path, without: str = "") -> str:
    with contextlib.ExitStack() as stack:
        if without:
            stack.enter_context(mock.patch.object(os, without, side_effect=OSError(38, "none")))
        return next(kinds(path))


def kind_beside_a_foreign_thread(path: Path) -> str:
    """Say who reads while there is a thread that Python has not started and does not list."""
    import _thread

    done = _thread.allocate_lock()
    done.acquire()
    _thread.start_new_thread(done.acquire, ())
    assert threading.active_count() == 1
    found = kind(path)
    done.release()
    return found


def test_a_process_with_threads_is_not_copied(tmp_path: Path) -> None:
    """A test's process may have some; where it has none, it is alone."""
    path = make_wheel(tmp_path, PLATFORMS[A], LARGE)
    assert alone(kind, path) == "copies"
    assert alone(kind_beside_a_foreign_thread, path) == "threads"
    assert alone(kind, path, "memfd_create") == "threads"
    assert alone(kind, make_wheel(tmp_path / "small", PLATFORMS[A], {})) == "alone"
    go_on = threading.Event()
    thread = threading.Thread(target=go_on.wait)
    thread.start()
    assert kind(path) == "threads"
    go_on.set()
    thread.join()
