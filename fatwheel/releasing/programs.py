"""The programs that a release calls, each started where no module of the project can be taken for one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fatwheel.errors import FatwheelError

__all__ = ["PYTHON", "FailedError", "call", "module", "output", "run"]

PYTHON = sys.executable
_SECONDS = 20  # that a program has to end when it is told to


class FailedError(FatwheelError):
    """A step of a release failed; the message says why, in one sentence."""


def module(name: str) -> list[str]:
    """Return how to start a module of the running Python: isolated, so that neither the current folder nor PYTHONPATH
    has another of that name."""
    return [PYTHON, "-I", "-m", name]


def run(command: Sequence[str], **options: Any) -> None:
    """Run a program; what it prints goes to standard error. Raises `FailedError` where it fails."""
    done = call(command, stdout=sys.stderr, **options)
    if done.returncode:
        raise FailedError(f"{_words(command)} failed with exit code {done.returncode}")


def output(command: Sequence[str], **options: Any) -> str:
    """Run a program and return what it prints, without the last line's end. Raises `FailedError` where it fails."""
    done = call(command, stdout=subprocess.PIPE, **options)
    if done.returncode:
        raise FailedError(f"{_words(command)} failed with exit code {done.returncode}")
    return str(done.stdout).rstrip("\n")


def call(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, or to this one's: whatever stops this program stops that one and all it started."""
    # git may ask for a passphrase at the terminal, which belongs to the session.
    group = os.name == "posix" and command[0] != "git"
    with subprocess.Popen(command, text=True, start_new_session=group, **options) as process:
        try:
            printed, _ = process.communicate()
        except BaseException:
            _stop(process, group)
            raise
    return subprocess.CompletedProcess(command, process.returncode, printed)


def _stop(process: subprocess.Popen[str], group: bool) -> None:
    """End a program; with `group`, what it started as well."""
    for told in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        try:
            if group:
                os.killpg(process.pid, told)
            else:
                process.send_signal(told)
            process.wait(_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _words(command: Sequence[str]) -> str:
    """Return the beginning of a command line, as it is known to people."""
    if command[:3] == [PYTHON, "-I", "-m"]:
        program = list(command[3:5])
    else:
        program, rest = [Path(command[0]).name], list(command[1:])
        while len(rest) > 1 and rest[0] in {"-c", "-C"}:  # git's own options
            del rest[:2]
        program += rest[:2]
    return " ".join(word for word in program if not word.startswith(("/", "-")))
