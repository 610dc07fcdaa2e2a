"""Calling a function in a new process that has one thread, as a program's usually has and a test's has not."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, ParamSpec, TypeVar

__all__ = ["Calling", "alone"]

P = ParamSpec("P")
T = TypeVar("T")


def alone(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function`, which some module has, returns in a process of its own, or raise what it raises."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        return executor.submit(function, *args, **kwargs).result(120)


class Calling:
    """The task of calling a function with one argument."""

    def __init__(self, function: Callable[[Any], Any], argument: Any) -> None:
        self._function, self._argument = function, argument

    def do(self) -> Any:
        return self._function(self._argument)

    def pack(self, result: Any) -> Any:
        return ["packed", result]

    def unpack(self, packed: Any) -> Any:
        word, result = packed
        assert word == "packed"
        return result
