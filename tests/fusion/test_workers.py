"""Processes that fuse side by side, and what becomes of them when the one that began them is killed."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from fatwheel.atomic import new_file
from fatwheel.errors import AbandonedError
from fatwheel.fusion.workers import processes
from tests.support.corpus import ROOT

PROGRAM = """\
import os, sys, time
from fatwheel.fusion.workers import processes

def work(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

if __name__ == "__main__":
    if sys.argv[2] == "spawn":
        import threading
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    with processes(2) as executor:
        tasks = [executor.submit(work, sys.argv[1]) for _ in range(2)]
        print("ready", flush=True)
        tasks[0].result()
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_end_with_a_parent_that_was_killed(start: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    pids = tmp_path / "pids"
    pids.mkdir()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, str(program), str(pids), start]
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wait_for(pids, 2)
    workers = [int(path.name) for path in pids.iterdir()]
    process.kill()
    process.communicate(timeout=120)  # they do not keep its streams open
    deadline = time.monotonic() + 120
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in workers if alive(pid)] == []


def wait_for(folder: Path, count: int) -> None:
    """Wait until so many files are there."""
    deadline = time.monotonic() + 120
    while len(list(folder.iterdir())) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(list(folder.iterdir())) == count


def hold_a_file(folder: Path, number: int) -> None:
    """Write a file as fatwheel does, and take very long."""
    with new_file(folder / f"{number}.whl", replace=False):
        time.sleep(600)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_is_under_way_is_given_up_when_the_block_is_left(start: str, tmp_path: Path) -> None:
    """A process that waits in the middle of its work is interrupted there, and cleans up."""
    with contextlib.ExitStack() as stack:
        if start == "spawn":  # a copy of a process with threads may hang
            ended = threading.Event()
            thread = threading.Thread(target=ended.wait)
            thread.start()
            stack.callback(thread.join)
            stack.callback(ended.set)
        with contextlib.suppress(KeyboardInterrupt), processes(2) as executor:
            futures = [executor.submit(hold_a_file, tmp_path, number) for number in range(8)]
            wait_for(tmp_path, 2)
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    assert multiprocessing.active_children() == []
    kinds = [None if f.cancelled() else type(f.exception()) for f in futures]
    assert kinds[:2] == [AbandonedError, AbandonedError]
    # Others are cancelled while they wait, or refused by a process that has just been interrupted.
    assert set(kinds) <= {AbandonedError, None}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is no signal there")
def test_a_worker_that_is_terminated_cleans_up_and_is_lost(tmp_path: Path) -> None:
    with processes(2) as executor:
        busy = executor.submit(hold_a_file, tmp_path, 1)
        wait_for(tmp_path, 1)
        for process in multiprocessing.active_children():  # one is busy, one waits for work
            os.kill(process.pid or 0, signal.SIGTERM)
        with pytest.raises(BrokenProcessPool):
            busy.result(120)
    assert list(tmp_path.iterdir()) == []
    assert multiprocessing.active_children() == []


def clean_up_slowly(folder: Path) -> None:
    """Take very long, and a while for what is to be done in the end."""
    (folder / "begun").touch()
    try:
        time.sleep(600)
    finally:
        (folder / "cleaning").touch()
        time.sleep(0.5)
        (folder / "clean").touch()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is no signal there")
def test_cleaning_up_is_not_disturbed_by_more_signals(tmp_path: Path) -> None:
    """Whoever is terminated ends, although its work is given up meanwhile, too."""
    with processes(1) as executor:
        busy = executor.submit(clean_up_slowly, tmp_path)
        wait_for(tmp_path, 1)
        (process,) = multiprocessing.active_children()
        os.kill(process.pid or 0, signal.SIGTERM)
        wait_for(tmp_path, 2)
        os.kill(process.pid or 0, signal.SIGTERM)
    assert isinstance(busy.exception(30), BrokenProcessPool)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "clean", "cleaning"]
    assert multiprocessing.active_children() == []
