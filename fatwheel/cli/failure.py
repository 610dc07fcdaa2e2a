"""What is said of a build that failed, by the commands and by the backend alike."""

from __future__ import annotations

from fatwheel.building.build import BuildFailedError
from fatwheel.building.reason import compiler_errors
from fatwheel.cli.terminal import print_bytes, say, say_error
from fatwheel.errors import FatwheelError
from fatwheel.fusion.conflicts import conflict_lines
from fatwheel.fusion.fuse import ConflictsError

__all__ = ["say_failure"]


def say_failure(error: FatwheelError | OSError) -> None:
    """Say what is wrong; for a failed compilation the compiler's own error comes last, as it is what to read."""
    if isinstance(error, ConflictsError):
        for line in conflict_lines(error.plan.members):
            say(line)
    say_error(error)
    if isinstance(error, BuildFailedError):
        print_bytes(f"{compiler_errors(error.output, error.arch)}\n".encode())
