"""Starting programs: the one place that does, and the seam at which tests put a fake.

A `Runner` is handed to whoever needs a program. The environment, the folder and the time limit are values of
the `Command`; nothing is inherited unseen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from fatwheel.errors import ToolError
from fatwheel.values import valueclass

__all__ = ["Command", "Completed", "Runner", "SubprocessRunner", "ask"]

_KEPT = 1024 * 1024  # bytes of output that are kept for the report on a failure
_ANSWER = 60.0  # seconds for a program that only says what it is; rustup may load a toolchain first
_GRACE = 5.0  # seconds between asking a program to end and ending it


@valueclass
class Command:
    """One call of a program.

    `program` is a path or a name to be found on the PATH of `env`; `how` is the clause that tells how to get
    it ("install Rust from rustup.rs"). `env` is the whole environment. `timeout` is in seconds, None for no
    limit.
    """

    program: str
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str]
    cwd: Path
    how: str = ""
    timeout: float | None = None


@valueclass
class Completed:
    """What a program left: its exit code (negative: the signal that ended it) and its output as text.

    Bytes that are no UTF-8 are replaced. A streamed program has its whole output in `stdout`, and of that only
    the last mebibyte.
    """

    exit_code: int
    stdout: str = ""
    stderr: str = ""


class Runner(Protocol):
    """Starts programs."""

    def capture(self, command: Command) -> Completed:
        """Run a program to its end and return what it printed, whatever its exit code is.

        Raises `ToolError` where it is missing, cannot be started, or exceeds its time.
        """

    def stream(self, command: Command, output: Callable[[bytes], None] | None) -> Completed:
        """Run a program, handing each piece of its output (both streams, mixed) to `output` as it comes.

        Raises `ToolError` like `capture`.
        """


def ask(
    runner: Runner, program: str, *arguments: str, env: Mapping[str, str], cwd: Path
) -> Completed | None:
    """Return what a program says of itself, within a minute; None where it is missing or fails."""
    command = Command(program=program, arguments=arguments, env=env, cwd=cwd, timeout=_ANSWER)
    try:
        completed = runner.capture(command)
    except ToolError:
        return None
    return completed if completed.exit_code == 0 else None


class SubprocessRunner:
    """Starts real programs, each as the leader of a process group.

    When this process is interrupted (`KeyboardInterrupt`), the whole group is ended first, so that no
    compiler goes on by itself.
    """

    def capture(self, command: Command) -> Completed:
        """Run a program to its end; see `Runner.capture`."""
        with _started(command, stderr=subprocess.PIPE) as process:
            try:
                stdout, stderr = process.communicate(timeout=command.timeout)
            except subprocess.TimeoutExpired:
                raise _too_slow(command) from None
        return Completed(
            exit_code=process.returncode,
            stdout=stdout.decode("utf-8", "replace"),
            stderr=stderr.decode("utf-8", "replace"),
        )

    def stream(self, command: Command, output: Callable[[bytes], None] | None) -> Completed:
        """Run a program and pass its output on; see `Runner.stream`. The time limit is not watched."""
        kept = bytearray()
        with _started(command, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            while piece := os.read(process.stdout.fileno(), 64 * 1024):
                kept += piece
                del kept[:-_KEPT]
                if output is not None:
                    output(piece)
            process.wait()
        return Completed(exit_code=process.returncode, stdout=kept.decode("utf-8", "replace"))


@contextlib.contextmanager
def _started(command: Command, *, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the running program, which is ended with all its children if the block does not end well."""
    # Found here, with the PATH of the command's own environment: on Windows `Popen` would use ours.
    path = shutil.which(command.program, path=command.env.get("PATH", ""))
    if path is None:
        raise _missing(command)
    try:
        process = subprocess.Popen(  # noqa: S603  (no shell; the arguments are the caller's)
            [path, *command.arguments],
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            **_own_group(),
        )
    except OSError as error:
        where = f" in {command.cwd}" if not command.cwd.is_dir() else ""
        reason = error.strerror or error
        raise ToolError(f"{path} cannot be started{where}: {reason}") from error
    with process:
        try:
            yield process
        except BaseException:
            _end(process)
            raise


def _own_group() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the program and its children: politely, then by force."""
    if process.poll() is None:
        _signal(process, force=False)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    # Children that outlive the leader are still members of its group.
    _signal(process, force=True)
    process.wait()


def _signal(process: subprocess.Popen[bytes], *, force: bool) -> None:
    if sys.platform == "win32":
        if process.poll() is None:
            process.kill() if force else process.send_signal(signal.CTRL_BREAK_EVENT)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)


def _missing(command: Command) -> ToolError:
    how = f"; {command.how}" if command.how else ""
    return ToolError(f"{command.program} is not installed, or not on PATH{how}")


def _too_slow(command: Command) -> ToolError:
    words = " ".join([command.program, *command.arguments])
    return ToolError(f"{words} took longer than {command.timeout:g} s and was ended")
