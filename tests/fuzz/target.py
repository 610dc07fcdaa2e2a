"""What a fuzz target is, and how its inputs are laid out."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fatwheel.errors import FatwheelError
from tests.support.corpus import ROOT

__all__ = [
    "REGRESSIONS",
    "SEPARATOR",
    "BrokenPromiseError",
    "Target",
    "check",
    "inputs",
    "joined",
    "numbers",
    "scratch",
    "split",
    "two_texts",
]

SEPARATOR = b"\n--8<--\n"
"""Stands between the parts of an input that has several: bytes put in or taken out anywhere leave the rest as it is."""

REGRESSIONS = ROOT / "fixtures" / "fuzz"
"""Inputs that once failed, each in the folder of its target."""

_SHARED_MEMORY = Path("/dev/shm")  # files there cost no disk


class BrokenPromiseError(AssertionError):
    """Fatwheel returned something, and it is wrong."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One thing to be fuzzed.

    `run` takes any bytes and raises where a promise is broken: anything but `FatwheelError`, which says that the input
    was refused. `seeds` yields inputs to begin with, `words` are put into inputs (libFuzzer's dictionary),
    `longest` is the most bytes of an input. `runs` is how many inputs
    are tried in the tests: all take about the same time there; `share` is its part of a campaign's time.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    runs: int
    words: Sequence[bytes] = ()
    longest: int = 4096
    share: int = 1

    def __call__(self, data: bytes) -> None:
        """Run it; a refusal is a result like any other."""
        try:
            self.run(data)
        except FatwheelError as error:
            check(bool(str(error).strip()), f"{type(error).__name__} without a message")


def inputs(target: Target) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the inputs to begin with: the seeds, and what once failed."""
    for number, seed in enumerate(target.seeds()):
        yield f"seed-{number}", seed
    for path in sorted((REGRESSIONS / target.name).glob("*")):
        yield path.name, path.read_bytes()


def check(promise: bool, broken: str) -> None:
    """Raise `BrokenPromiseError` unless the promise was kept."""
    if not promise:
        raise BrokenPromiseError(broken)


def split(data: bytes, most: int) -> list[bytes]:
    """Return exactly `most` parts of an input; those that are missing are empty."""
    parts = data.split(SEPARATOR, most - 1)
    return parts + [b""] * (most - len(parts))


def two_texts(data: bytes) -> tuple[bytes, bytes]:
    r"""Return two texts: the parts of an input, or one text and what its changes make of it.

    Each line `@PLACE TEXT` of such a second part puts a text at a byte of the first; `\n` and `\t` are read.
    Texts that differ a little are what mergers are for, and chance alone seldom makes them.
    """
    first, second = split(data, 2)
    if not second.startswith(b"@"):
        return first, second
    changed = first
    for line in second.split(b"\n")[:20]:
        if match := re.fullmatch(rb"@([0-9]{1,6}) (.*)", line, re.DOTALL):
            place = int(match[1]) % (len(changed) + 1)
            text = match[2].replace(rb"\n", b"\n").replace(rb"\t", b"\t")
            changed = changed[:place] + text + changed[place:]
    return first, changed


def joined(*parts: bytes | str) -> bytes:
    """Return an input of these parts, as `split` takes it apart."""
    return SEPARATOR.join(p.encode() if isinstance(p, str) else p for p in parts)


def numbers(text: bytes, count: int) -> list[int]:
    """Return the first `count` decimal numbers in a part; those that are missing are 0."""
    found = [int(digits) for digits in re.findall(rb"[0-9]{1,9}", text)[:count]]
    return found + [0] * (count - len(found))


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards."""
    home = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="fatwheel-fuzz-", dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
