"""Programs on a terminal of their own: what they print when somebody looks, and what keys do to them."""

from __future__ import annotations

import os
import re
import select
import signal
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

NEEDS_TERMINAL = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>()][0-9A-Z]?)")
COLOURS = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was printed on a terminal, escape sequences included, and the exit code."""

    raw: str
    exit_code: int

    @property
    def text(self) -> str:
        """What a person reads."""
        return plain(self.raw)


def plain(raw: str) -> str:
    """Return text without escape sequences."""
    return _ESCAPES.sub("", raw).replace("\r\n", "\n")


def on_terminal(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    steps: Sequence[tuple[str, str]] = (),
    until: str | None = None,
    size: tuple[int, int] = (24, 80),
    seconds: float = 60,
) -> Seen:
    """Run a program on a terminal of `size` (rows, columns).

    Each of `steps` is a pattern and the keys to press once it was printed. The program is killed when `until` was
    printed; without `until` it has to end by itself.
    """
    process, terminal = pty.fork()
    if process == 0:  # the child
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.chdir(cwd)
            os.execvpe(argv[0], list(argv), dict(env))
        finally:
            os._exit(127)
    output, waiting = bytearray(), list(steps)
    deadline = time.monotonic() + seconds
    try:
        while True:
            text = plain(output.decode("utf-8", "replace"))
            if waiting and re.search(waiting[0][0], text):
                os.write(terminal, waiting.pop(0)[1].encode())
                continue
            if until is not None and not waiting and re.search(until, text):
                break
            left = deadline - time.monotonic()
            if left <= 0:
                pytest.fail(f"nothing more came from {argv}: {output.decode('utf-8', 'replace')!r}")
            if select.select([terminal], [], [], left)[0]:
                try:
                    piece = os.read(terminal, 65536)
                except OSError:  # Linux's way to say that the other side is closed
                    piece = b""
                if not piece:
                    break
                output += piece
    finally:
        if until is not None:
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        os.close(terminal)
    return Seen(raw=output.decode("utf-8", "replace"), exit_code=os.waitstatus_to_exitcode(status))
