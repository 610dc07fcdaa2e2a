"""A sign of life while cargo is silent: one crate may take minutes, and its bar moves only when one is done.

On a terminal the time runs behind cargo's bar; elsewhere a line a minute says what goes on.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["ROOM", "Pulse"]

ROOM = 16
"""Columns that cargo's bar leaves free for it."""

_SILENCE = 60.0  # seconds until a line is printed
_BEGINS = ("building ", "installing ")
_COMPILING = re.compile(rb"Compiling(?:\x1b\[[0-9;]*m)* (\S+) v")


class Pulse:
    """Passes on what is said and what programs print, and speaks where they are silent."""

    def __init__(
        self,
        say: Callable[[str], None],
        output: Callable[[bytes], None],
        *,
        live: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`say` prints a line, `output` bytes; `live` means a terminal, `clock` tells seconds."""
        self._say = say
        self._output = output
        self._live = live
        self._clock = clock
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._what = ""
        self._began = self._heard = clock()
        self._bar = b""
        self._crate = ""

    def __enter__(self) -> Pulse:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """End before anything else is printed."""
        self._ended.set()
        self._thread.join()

    def say(self, line: str) -> None:
        """Print a line; one such as `building arm64 (…)` names what goes on from now on."""
        with self._lock:
            if line.startswith(_BEGINS):
                self._what, self._crate = " ".join(line.split()[:2]).rstrip(","), ""
                self._began = self._clock()
            self._heard = self._clock()
            self._bar = b""
            self._say(line)

    def output(self, piece: bytes) -> None:
        """Pass on a piece of what a program prints."""
        with self._lock:
            self._heard = self._clock()
            if found := _COMPILING.findall(piece):
                self._crate = found[-1].decode("utf-8", "replace")
            # cargo draws its bar anew each time, and ends it with a carriage return.
            self._bar = (
                piece[:-1].rpartition(b"\r")[2].rpartition(b"\n")[2]
                if piece.endswith(b"\r")
                else b""
            )
            self._output(piece)

    def beat(self) -> None:
        """Say what goes on, if it is time."""
        with self._lock:
            now = self._clock()
            spent = f"{int(now - self._began) // 60}:{int(now - self._began) % 60:02}"
            if self._live:
                if self._bar and self._what:
                    arch = self._what.split()[-1]
                    self._output(self._bar + f" {arch} {spent}\r".encode())
            elif self._what and now - self._heard >= _SILENCE:
                last = f"; the last crate begun is {self._crate}" if self._crate else ""
                self._say(f"still {self._what}, {spent} min{last}")
                self._heard = now

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            self.beat()
