"""A runner that starts nothing: what programs would say is written down beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath

from fatwheel.errors import ToolError
from fatwheel.process import Command, Completed

Answer = Completed | Callable[[Command], Completed]


@dataclass
class FakeRunner:
    """Answers by the command line's words, the program by its base name; the longest beginning wins."""

    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[Command] = field(default_factory=list)

    def capture(self, command: Command) -> Completed:
        self.calls.append(command)
        line = " ".join([PurePath(command.program).name, *command.arguments])
        matching = [words for words in self.answers if f"{line} ".startswith(f"{words} ")]
        if not matching:
            raise ToolError(f"{command.program} is not installed, or not on PATH; {command.how}")
        answer = self.answers[max(matching, key=len)]
        return answer if isinstance(answer, Completed) else answer(command)

    def stream(self, command: Command, output: Callable[[bytes], None] | None) -> Completed:
        completed = self.capture(command)
        if output is not None:
            output(completed.stdout.encode())
        return completed


def says(text: str, exit_code: int = 0) -> Completed:
    return Completed(exit_code=exit_code, stdout=text)
