"""Programs are started with the environment given, and never outlive the interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fatwheel.errors import ToolError
from fatwheel.process import Command, SubprocessRunner

RUNNER = SubprocessRunner()


def python(code: str, tmp_path: Path, *, timeout: float | None = 20, **env: str) -> Command:
    return Command(
        program=sys.executable, arguments=("-c", code), env=env, cwd=tmp_path, timeout=timeout
    )


def test_output_and_exit_code(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    completed = RUNNER.capture(python(code, tmp_path))
    assert (completed.exit_code, completed.stdout, completed.stderr) == (7, "out\n", "err\n")


def test_the_environment_is_the_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FATWHEEL_LEAK", "1")
    code = "import os; print(os.environ.get('FATWHEEL_LEAK'), os.environ['MINE'], os.getcwd())"
    completed = RUNNER.capture(python(code, tmp_path, MINE="2"))
    assert completed.stdout.split() == ["None", "2", str(tmp_path)]


def test_streaming_passes_pieces_on_as_they_come(tmp_path: Path) -> None:
    """The program goes on only when its first line has come."""
    code = (
        "import pathlib, sys, time; print('one', flush=True); end = time.monotonic() + 60\n"
        "while not pathlib.Path('come').exists(): time.sleep(0.01); assert time.monotonic() < end\n"
        "print('two', file=sys.stderr, flush=True); sys.exit(3)"
    )
    pieces: list[bytes] = []

    def take(piece: bytes) -> None:
        pieces.append(piece)
        (tmp_path / "come").touch()

    completed = RUNNER.stream(python(code, tmp_path), take)
    assert completed.exit_code == 3
    assert completed.stdout == b"".join(pieces).decode() == "one\ntwo\n"


def test_of_a_long_output_the_end_is_kept(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.write('x' * 3_000_000 + 'the end')"
    completed = RUNNER.stream(python(code, tmp_path), None)
    assert len(completed.stdout) == 1024 * 1024
    assert completed.stdout.endswith("the end")


def test_a_missing_program_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    command = Command(program="no-such", env={"PATH": "/bin"}, cwd=tmp_path, how="install it")
    with pytest.raises(ToolError, match=r"^no-such is not installed, or not on PATH; install it$"):
        RUNNER.capture(command)


def test_programs_are_found_on_the_given_path(tmp_path: Path) -> None:
    command = Command(program="ls", env={"PATH": str(tmp_path)}, cwd=tmp_path)
    with pytest.raises(ToolError, match="ls is not installed"):
        RUNNER.capture(command)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    command = Command(program=sys.executable, env={}, cwd=tmp_path / "gone")
    with pytest.raises(ToolError, match=r"cannot be started in .*gone: No such file"):
        RUNNER.capture(command)


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"took longer than 0\.3 s and was ended"):
        RUNNER.capture(python("import time; time.sleep(600)", tmp_path, timeout=0.3))
    assert time.monotonic() - started < 300


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX's")
def test_an_interruption_ends_the_children_too(tmp_path: Path) -> None:
    pids: list[int] = []

    def interrupt(piece: bytes) -> None:
        pids.append(int(piece))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RUNNER.stream(python(PARENT, tmp_path), interrupt)
    assert soon(lambda: not is_running(pids[0]))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_ctrl_c_in_the_terminal(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from fatwheel.process import *\n"
        f"command = Command(program=sys.executable, arguments=('-c', {PARENT!r}), env={{}}, cwd=Path())\n"
        "SubprocessRunner().stream(command, lambda piece: print(piece.decode(), flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert b"KeyboardInterrupt" in stderr
    assert soon(lambda: not is_running(child))


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # an orphan that nobody waits for stays as a zombie
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
