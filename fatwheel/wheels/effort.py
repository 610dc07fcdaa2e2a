"""What reading the code of one wheel may cost, so that a small wheel cannot take hours.

Load commands, slices, members of archives and export tries are read one by one, in Python. A megabyte of a zip archive
can hold millions of each, and real code has a few dozens to a file of some kilobytes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from fatwheel.errors import WheelError

__all__ = ["Effort"]

_LEAST = 1_000_000
_BY_SLICE, _BY_TEXT, _CHARACTERS = 100, 8, 8


class Effort:
    """How much may still be read of one wheel, in steps of about a microsecond; several threads share it.

    A wheel has a million steps, and as many more as it has bytes. Real ones take less than a twentieth of that.
    """

    def __init__(self, wheel: str, size: int) -> None:
        """Allow what a wheel of `size` bytes may take; `wheel` stands in messages."""
        self._wheel = wheel
        self.left = _LEAST + size
        self._lock = threading.Lock()

    def ask(self, member: str, size: int) -> None:
        """Count a range of `size` bytes that a parser asked for; raises `WheelError` when all steps are used up."""
        # Small ranges hold headers, commands and names, the large ones tables that are looked at in bulk.
        steps = 16 + min(size, 1 << 12) // 4 + min(size, 1 << 15) // 16 + size // 64
        self._take(member, steps)

    def keep(self, member: str, slices: int, texts: Sequence[str | bytes]) -> None:
        """Count what is looked at again: slices that may be cut out, paths and symbols that code looks for."""
        steps = _BY_SLICE * slices + _BY_TEXT * len(texts) + sum(map(len, texts)) // _CHARACTERS
        if steps:
            self._take(member, steps)

    def join(self, steps: int) -> None:
        """Count the steps that a copy of this process took; raises `WheelError` as `ask` does."""
        self._take(None, steps)

    def _take(self, member: str | None, steps: int) -> None:
        with self._lock:
            self.left -= steps
        if self.left < 0:
            problem = (
                "holds, with the wheel's other code, more load commands, slices, symbols or archive members "
                "than a wheel of this size has"
            )
            raise WheelError(self._wheel, member, problem)
