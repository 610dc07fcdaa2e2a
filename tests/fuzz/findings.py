"""What fuzzing found: each kind of fault once, with the input that shows it, made as small as it gets."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.target import Target

__all__ = ["Findings", "fault", "fault_of", "minimised"]

_MOST = 30  # kinds of faults that are kept for one target
_OURS = ("engine.py", "target.py")  # stand between a fault and whoever tells it
_ROOT = Path(__file__).parents[2]


def fault(error: BaseException) -> str:
    """Return what tells one kind of fault from another: the error's type, and where it comes from.

    That is the innermost place in fatwheel, and where there is none, the innermost place in the project.
    """
    places = []
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(_ROOT) and path.name not in _OURS:
            places.append(path.relative_to(_ROOT).as_posix() + f":{frame.name}:{frame.lineno}")
    own = [place for place in places if place.startswith("fatwheel/")]
    return f"{type(error).__name__} at {[*places[-1:], *own[-1:]][-1] if places else '?'}"


def fault_of(target: Target, data: bytes) -> str:
    """Return the kind of fault that an input shows, empty where it shows none."""
    try:
        target(data)
    except Exception as error:
        return fault(error)
    return ""


class Findings:
    """A folder for what was found of one target."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; what is in it stays."""
        self._folder = folder
        self._known: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, data: bytes, error: BaseException) -> None:
        """Keep an input and its traceback, if it is the first of its kind."""
        kind = fault(error)
        if kind in self._known or len(self._known) >= _MOST:
            return
        self._known.add(kind)
        path = self._folder / f"fault-{hashlib.sha256(kind.encode()).hexdigest()[:10]}"
        if not path.exists() or path.stat().st_size > len(data):
            path.write_bytes(data)
            text = "".join(traceback.format_exception(error))
            path.with_suffix(".txt").write_text(f"{kind}\n\n{text}", "utf-8", "backslashreplace")


def minimised(target: Target, data: bytes, seconds: float) -> bytes:
    """Return a shorter input with the same kind of fault, or `data` itself where it has none."""
    end = time.monotonic() + seconds
    kind = fault_of(target, data)
    if not kind:
        return data

    def fails(shorter: bytes) -> bool:
        return fault_of(target, shorter) == kind

    size = len(data) // 2
    while size:
        data = _without_blocks(data, size, fails, end)
        size //= 2
    return data


def _without_blocks(data: bytes, size: int, fails: Callable[[bytes], bool], end: float) -> bytes:
    """Leave out all blocks of this size that do not matter."""
    at = 0
    while at < len(data) and time.monotonic() < end:
        shorter = data[:at] + data[at + size :]
        if fails(shorter):
            data = shorter
        else:
            at += size
    return data
