"""What the commands share towards the terminal: lines, JSON, errors as text and exit codes, a progress bar.

All that fatwheel prints passes through here, and what may be a stranger's text through `printable`.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import click

from fatwheel.errors import FatwheelError, ToolError, UsageError
from fatwheel.printable import json_printable, printable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from rich.console import RenderableType

__all__ = [
    "PageContext",
    "announce",
    "describe_error",
    "exit_code",
    "is_live",
    "open_closed_streams",
    "print_bytes",
    "print_every_name",
    "print_json",
    "progress_bar",
    "say",
    "say_error",
    "say_own_fault",
    "say_usage_error",
    "shows_progress",
    "tell",
    "tell_drawn",
    "tell_own",
    "tell_path",
    "wants_colour",
]

_WIDEST = 100  # columns of a help page; longer lines are hard to read
_NARROWEST = 30
_WIDEST_DRAWING = 120
_ENDLESS = 10_000  # columns of a pipe
_UNBROKEN = "\u2011"  # a hyphen at which no line ends
_WIDTH_FOR_ALL = 70  # columns, for a progress bar with figures
_STEPS = 1000  # of a progress bar, about
_REDRAWN = 0.1  # seconds
_COLOURS = (  # of the group in a line that begins so; red, yellow, cyan, green
    (r" *(error|conflict|failed|not fused)\b", "1;31"),
    (r" *(warning|mind)\b", "33"),
    (r" *(note|skipped|@@ .* @@$)", "36"),
    (r" {4}(-.*)", "31"),
    (r" {4}(\+.*)", "32"),
)


def _write(stream: TextIO, text: str) -> None:
    """Write at once, in the stream's own encoding: `click.echo` takes UTF-8 where that is ASCII."""
    stream.write(text)
    stream.flush()


def _write_line(stream: TextIO, line: str) -> None:
    """Write a line of a report, safe to look at, with its first word in colour where that is wanted."""
    text = line if _is_text(line) else printable(line)
    _write(stream, f"{_painted(text) if wants_colour(os.environ, stream) else text}\n")


def _is_text(line: str) -> bool:
    """Return whether a line can be printed as it is.

    In the C locale Python takes the bytes of file names for no text (PEP 383). They are written as these bytes, where
    they are printable UTF-8: the user has named them so, and looks at them in that encoding.
    """
    if line.isprintable():
        return True
    try:
        return line.encode("utf-8", "surrogateescape").decode("utf-8").isprintable()
    except UnicodeError:
        return False


def _painted(line: str) -> str:
    """Return a line with colours for what its first word says already (ECMA-48, 8.3.117)."""
    import re

    for pattern, colour in _COLOURS:
        if found := re.match(pattern, line):
            return f"{line[: found.start(1)]}\x1b[{colour}m{found[1]}\x1b[0m{line[found.end(1) :]}"
    return line


def say(line: str = "") -> None:
    """Print a line of a report; reports go to standard error, results to standard output."""
    _write_line(sys.stderr, line)


def announce(line: str) -> None:
    """Print a line of fatwheel's own among those of the programs that it runs."""
    say(f"fatwheel: {line}")


def tell(line: str = "") -> None:
    """Print a line of what was asked for on standard output."""
    _write_line(sys.stdout, line)


def tell_own(text: str) -> None:
    """Print a text of fatwheel's own, a help page or a script, on standard output as it is."""
    _write(sys.stdout, text if text.endswith("\n") else f"{text}\n")


def tell_path(path: Path) -> None:
    """Print the path of a result on standard output: to programs byte for byte, to people so that they see it all."""
    if sys.stdout.isatty() or sys.platform == "win32" or not hasattr(sys.stdout, "buffer"):
        tell(str(path))
    else:
        sys.stdout.buffer.write(os.fsencode(path) + b"\n")
        sys.stdout.buffer.flush()


def say_error(error: FatwheelError | OSError) -> None:
    """Print an error: its sentence, and the details below it."""
    if isinstance(error, OSError):
        announce(describe_error(error))
        return
    announce(error.sentence)
    for line in error.details:
        say(line)


def say_usage_error(error: click.ClickException) -> None:
    """Print what click says of a wrong command line, which it may quote."""
    page = io.StringIO()
    error.show(page)
    for line in page.getvalue().splitlines():
        say(line)


def say_own_fault(
    _kind: type[BaseException], fault: BaseException, _trace: TracebackType | None
) -> None:
    """Print a mistake of fatwheel's own as Python does, which may quote anything (`sys.excepthook`)."""
    import traceback

    for part in traceback.format_exception(fault):
        for line in part.splitlines():
            say(line)


def print_bytes(piece: bytes) -> None:
    """Pass on what a program prints, colours included, to standard error."""
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()


def print_json(document: dict[str, Any]) -> None:
    """Print a document on standard output, in ASCII where that does not take all of Unicode."""
    import json

    text = json.dumps(document, indent=2, ensure_ascii=False)
    tell_own(json_printable(text, ascii_only=not is_unicode(sys.stdout)))


def is_unicode(stream: TextIO) -> bool:
    """Return whether a stream takes every character."""
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def open_closed_streams() -> None:
    """Give standard output and error that were closed at the start somewhere to go."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def print_every_name() -> None:
    """Let both streams take every file name: bytes that are no text as they are, else with backslashes."""
    codecs.register_error("name", _as_bytes_or_escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="name")


def _as_bytes_or_escape(error: UnicodeError) -> tuple[bytes, int]:
    """Encode a byte of a file name (PEP 383) as that byte, and what the encoding lacks as an escape."""
    assert isinstance(error, UnicodeEncodeError)
    characters = error.object[error.start : error.end]
    encoded = (
        bytes([ord(c) - 0xDC00])
        if "\udc80" <= c <= "\udcff"
        else c.encode("ascii", "backslashreplace")
        for c in characters
    )
    return b"".join(encoded), error.end


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


class _Page(click.HelpFormatter):
    """Writes a help page, in which no option's name is broken at its hyphens."""

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write two columns."""
        super().write_dl([(_whole(a), _whole(b)) for a, b in rows], col_max, col_spacing)

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(_whole(text))

    def getvalue(self) -> str:
        """Return the page."""
        return super().getvalue().replace(_UNBROKEN, "-")


def _whole(text: str) -> str:
    """Return a text whose options hold hyphens at which no line ends."""
    import re

    return re.sub(r"(?<![\w-])--?[A-Za-z][\w-]*", lambda m: m[0].replace("-", _UNBROKEN), text)


class PageContext(click.Context):
    """A context whose help pages are as wide as the terminal, within reason."""

    def make_formatter(self) -> click.HelpFormatter:
        """Return what writes a page. click's own is never narrower than 50 columns."""
        import shutil

        columns = self.terminal_width or shutil.get_terminal_size().columns
        width = max(min(columns, _WIDEST) - 2, _NARROWEST)
        return _Page(width=width)


def shows_progress(*, show: bool) -> bool:
    """Return whether a bar that is wanted is shown: on a terminal that somebody looks at."""
    return show and is_live(os.environ, sys.stderr)


@contextlib.contextmanager
def progress_bar(label: str, total: int, *, show: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield what to call with the number of bytes done; None where no terminal would show it."""
    if not shows_progress(show=show):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not wants_colour(os.environ, sys.stderr))
    columns = [TextColumn("{task.description}", markup=False), BarColumn()]
    if console.width >= _WIDTH_FOR_ALL:
        columns += [DownloadColumn(), TimeRemainingColumn()]
    # It has no thread of its own, since a process with several is not copied to share its work.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as bar:
        task = bar.add_task(printable(label), total=total)
        waiting, drawn = 0, time.monotonic()

        def advance(done: int) -> None:  # thousands of times, and by one caller at a time
            nonlocal waiting, drawn
            waiting += done
            if waiting * _STEPS >= total:
                bar.advance(task, waiting)
                waiting = 0
                if (now := time.monotonic()) >= drawn + _REDRAWN:
                    drawn = now
                    bar.refresh()

        yield advance


def tell_drawn(drawing: RenderableType) -> None:
    """Print rich's tables and trees on standard output: as wide as the terminal, in a pipe as wide as they are."""
    import shutil

    from rich.console import Console
    from rich.segment import Segment, Segments

    people = is_live(os.environ, sys.stdout)
    width = min(shutil.get_terminal_size().columns, _WIDEST_DRAWING) if people else _ENDLESS
    console = Console(
        file=sys.stdout,
        width=max(width, _NARROWEST),
        force_terminal=wants_colour(os.environ, sys.stdout),
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )
    for line in console.render_lines(drawing, pad=False):
        shown = [Segment(printable(one.text), one.style) for one in line if not one.control]
        while shown and not shown[-1].text.strip():
            shown.pop()
        if shown:
            shown[-1] = Segment(shown[-1].text.rstrip(), shown[-1].style)
        console.print(Segments([*shown, Segment.line()]), soft_wrap=True, end="")
