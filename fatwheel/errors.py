"""The errors that fatwheel raises on purpose.

Each class stands for one thing that the reader of the message would do differently. The message is one
sentence that names the file, the place in it, the values that disagree, and the next step. A mistake of
fatwheel's own raises `ValueError` or `AssertionError` instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fatwheel.printable import printable

__all__ = [
    "AbandonedError",
    "ChangedError",
    "FatwheelError",
    "FormatError",
    "OutputExistsError",
    "RefusedError",
    "ToolError",
    "UsageError",
    "WheelError",
]


class FatwheelError(Exception):
    """Base of all errors that are not fatwheel's own fault.

    `details` are lines that a report puts below the sentence: a list, or what a program said.
    """

    def __init__(self, sentence: str, details: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.details = tuple(details)

    def __str__(self) -> str:
        """Return the sentence, and the details below it, as they can be printed; the fields hold what was read."""
        return "\n".join(map(printable, (self.sentence, *self.details)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes as message and fields: a class that builds its message takes other arguments."""
        return _remade, (type(self), self.args), self.__dict__

    @property
    def sentence(self) -> str:
        """The message without the details."""
        return str(self.args[0])


def _remade(kind: type[FatwheelError], args: tuple[object, ...]) -> FatwheelError:
    return kind.__new__(kind, *args)


class UsageError(FatwheelError):
    """The command line, an option or a setting in pyproject.toml is wrong."""


class ToolError(FatwheelError):
    """A program that fatwheel started is missing or failed."""


class _PlacedError(FatwheelError):
    """An error whose sentence begins with the place; `problem` is the rest of it."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.problem = problem


class FormatError(_PlacedError):
    """A Mach-O file, universal file or static archive is malformed.

    `source` names the file (for a member of a wheel: the wheel and the member), `offset` is the byte in it
    at which the problem shows, or None where no byte stands for it.
    """

    def __init__(self, source: str, offset: int | None, problem: str) -> None:
        super().__init__(source if offset is None else f"{source}, byte {offset}", problem)
        self.source = source
        self.offset = offset


class WheelError(_PlacedError):
    """A wheel is unsafe, damaged or contradicts itself. `member` is None where the whole file is meant."""

    def __init__(self, wheel: str, member: str | None, problem: str) -> None:
        super().__init__(wheel if member is None else f"{wheel}: {member}", problem)
        self.wheel = wheel
        self.member = member


class ChangedError(WheelError):
    """A wheel became another while it was read, so that what was verified is not what would be written."""

    def __init__(
        self, wheel: str, member: str | None, how: str = "its bytes are others now"
    ) -> None:
        problem = f"changed while it was read ({how}); try again when nothing writes to the file"
        super().__init__(wheel, member, problem)
        self.how = how


class AbandonedError(FatwheelError):
    """Ends work in another thread whose result nobody waits for any more; no user ever sees it."""


class RefusedError(FatwheelError):
    """Two sound wheels that must not be fused with each other."""


class OutputExistsError(FatwheelError):
    """The output's name is taken, and nothing allows to replace that file."""
