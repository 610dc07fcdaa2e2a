"""What the commands share towards the terminal: JSON, errors as text and exit codes, a progress bar."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import click

from fatwheel.errors import FatwheelError, ToolError, UsageError

__all__ = [
    "PageContext",
    "describe_error",
    "exit_code",
    "is_live",
    "open_closed_streams",
    "print_bytes",
    "print_every_name",
    "print_json",
    "progress_bar",
    "say",
    "wants_colour",
]

_WIDEST = 100  # columns of a help page; longer lines are hard to read
_NARROWEST = 30
_WIDTH_FOR_ALL = 70  # columns, for a progress bar with figures


def say(line: str = "") -> None:
    """Print a line of a report; reports go to standard error, results to standard output."""
    click.echo(line, err=True)


def print_bytes(piece: bytes) -> None:
    """Pass on what a program prints, colours included, to standard error."""
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


def print_json(document: dict[str, Any]) -> None:
    """Print a document on standard output, in ASCII where that does not take all of Unicode."""
    import json

    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode("utf-8")
        ascii_only = not is_unicode(sys.stdout)
    except UnicodeEncodeError:  # a file name that is no text
        ascii_only = True
    click.echo(json.dumps(document, indent=2) if ascii_only else text)


def is_unicode(stream: TextIO) -> bool:
    """Return whether a stream takes every character."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def open_closed_streams() -> None:
    """Give standard output and error that were closed at the start somewhere to go."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def print_every_name() -> None:
    """Let standard output take every file name: bytes that are no text as they are, else with backslashes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        unicode = is_unicode(sys.stdout)
        sys.stdout.reconfigure(errors="surrogateescape" if unicode else "backslashreplace")


def describe_error(error: FatwheelError | OSError) -> str:
    """Return an error as one sentence."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return f"{error.filename}: {reason}" if error.filename is not None else reason
    return str(error)


def exit_code(error: FatwheelError | OSError) -> int:
    """Return the exit code that an error leads to."""
    if isinstance(error, UsageError):
        return 2
    return 3 if isinstance(error, ToolError) else 1


def is_live(environ: Mapping[str, str], stream: TextIO | None) -> bool:
    """Return whether lines that were printed on `stream` can be overwritten: a terminal that is not dumb."""
    return stream is not None and stream.isatty() and environ.get("TERM") != "dumb"


def wants_colour(environ: Mapping[str, str], stream: TextIO | None) -> bool:
    """Return whether to colour what goes to `stream`.

    NO_COLOR says no, then FORCE_COLOR or CLICOLOR_FORCE says yes (no-color.org, force-color.org, bixense.com); else a
    terminal gets colours unless it is dumb or CLICOLOR is 0. Empty variables count as not set.
    """
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_live(environ, stream) and environ.get("CLICOLOR") != "0"


class PageContext(click.Context):
    """A context whose help pages are as wide as the terminal, within reason."""

    def make_formatter(self) -> click.HelpFormatter:
        """Return what writes a page. click's own is never narrower than 50 columns."""
        import shutil

        columns = self.terminal_width or shutil.get_terminal_size().columns
        width = max(min(columns, _WIDEST) - 2, _NARROWEST)
        return click.HelpFormatter(width=width)


@contextlib.contextmanager
def progress_bar(label: str, total: int, *, show: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield what to call with the number of bytes done; None where no terminal would show it."""
    if not show or not is_live(os.environ, sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not wants_colour(os.environ, sys.stderr))
    columns = [TextColumn("{task.description}"), BarColumn()]
    if console.width >= _WIDTH_FOR_ALL:
        columns += [DownloadColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)
