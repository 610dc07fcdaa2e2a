"""Processes that fuse side by side, and what becomes of them when the one that began them is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.corpus import ROOT

PROGRAM = """\
import os, sys, time
from fatwheel.fusion import many

def work(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(60)

if __name__ == "__main__":
    if sys.argv[2] == "spawn":
        import threading
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    with many.processes(2) as executor:
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
    deadline = time.monotonic() + 30
    while len(list(pids.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [int(path.name) for path in pids.iterdir()]
    assert len(workers) == 2
    process.kill()
    process.communicate(timeout=10)  # they do not keep its streams open
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in workers if alive(pid)] == []
