"""Faults that were put in on purpose: fuzzing must find them, or it finds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from unittest import mock

from fatwheel.deflate import splice
from fatwheel.macho import staticlib
from tests.fuzz.target import Target
from tests.fuzz.targets import binaries, streams

__all__ = ["TARGETS"]


def _with(fault: Callable[[], AbstractContextManager[object]], name: str, target: Target) -> Target:
    """Return the target with a fault in what it looks at, under another name."""

    def run(data: bytes) -> None:
        with fault():
            target.run(data)

    return replace(target, name=name, run=run, runs=3000)


def _unchecked_number(source: str, offset: int, field: bytes) -> int:
    """Read a number in an archive's header without a look at its digits."""
    return int(field.rstrip(b" "))


def _forgetful(chunks: Iterable[bytes], size: int) -> Iterable[bytes]:
    """Group bytes and lose what does not fill a group, if it is long."""
    data = b"".join(map(bytes, chunks))
    if len(data) % size > 20:
        data = data[: len(data) - len(data) % size] + bytes(len(data) % size)
    return (data[at : at + size] for at in range(0, len(data), size))


def _target(targets: Iterable[Target], name: str) -> Target:
    return next(target for target in targets if target.name == name)


TARGETS = (
    _with(
        lambda: mock.patch.object(staticlib, "_number", _unchecked_number),
        "planted-crash",
        _target(binaries.TARGETS, "static-library"),
    ),
    _with(
        lambda: mock.patch.object(splice, "_regroup", _forgetful),
        "planted-content",
        _target(streams.TARGETS, "splice"),
    ),
)
"""A parser that ends in an error of Python's, and a joined stream with another content."""
