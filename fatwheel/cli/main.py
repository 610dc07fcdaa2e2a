"""The command line: the only place where errors become exit codes."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from fatwheel.cli.terminal import (
    PageContext,
    announce,
    exit_code,
    open_closed_streams,
    print_every_name,
    say_error,
    say_own_fault,
    say_usage_error,
)
from fatwheel.errors import FatwheelError
from fatwheel.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["cli", "main"]

_Reaction = Callable[[int, FrameType | None], object] | signal.Handlers

# What each command is, so that neither the page of all commands nor a shell that completes one imports them all.
_COMMANDS = {
    "fuse": ("fatwheel.cli.fuse:fuse_command", "Fuse thin wheels into universal2 wheels."),
    "build": ("fatwheel.cli.build:build_command", "Make a universal2 wheel of a Rust crate."),
    "thin": ("fatwheel.cli.thin:thin_command", "Take one architecture out of a wheel or an app."),
    "check": ("fatwheel.cli.check:check_command", "Check finished wheels."),
    "inspect": ("fatwheel.cli.inspect:inspect_command", "Show what wheels, files and apps hold."),
    "index": ("fatwheel.cli.index:index_command", "Serve an index of universal2 wheels."),
    "wheelhouse": (
        "fatwheel.cli.wheelhouse:wheelhouse_command",
        "Fill a folder with an app's wheels.",
    ),
    "release": ("fatwheel.cli.release:release_command", "Make a project's release, checked."),
    "develop": ("fatwheel.cli.develop:develop_command", "Install a crate for development."),
    "doctor": ("fatwheel.cli.doctor:doctor_command", "Tell what this machine builds, and why."),
    "rules": ("fatwheel.cli.rules:rules_command", "Print the shipped rule book."),
    "lipo": ("fatwheel.cli.lipo:lipo_command", "Do what lipo does, in its own words."),
    "completion": ("fatwheel.cli.shell:completion_command", "Let your shell complete all this."),
}
_TOOLS = 6  # that may follow a program, by their numbers (PEP 669)
_HIDDEN = {"help": "fatwheel.cli.shell:help_command"}  # others have it, so people type it
_EXAMPLES = (
    ("fatwheel fuse a.whl b.whl", "fuse two thin wheels"),
    ("fatwheel build", "from a Rust crate to a universal2 wheel"),
    ("fatwheel check dist/*.whl", "check finished wheels"),
)


class _LazyGroup(click.Group):
    """Commands that are imported when they are called, so that each starts with what it needs."""

    context_class = PageContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of one that there is not, say which it may be, as click does for options."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from None

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS[cmd_name][0] if cmd_name in _COMMANDS else _HIDDEN.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        _react_to_signals(signal.default_int_handler, _terminated)
        return command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and commands, so that the page fits a screen of 80 by 24; options are in its first line."""
        from fatwheel.cli.command import write_section

        write_section(formatter, "Examples", _EXAMPLES)
        write_section(
            formatter, "Commands", [(name, text) for name, (_, text) in _COMMANDS.items()]
        )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=text)
            for name, (_, text) in _COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    options_metavar="[-h | --help | --version]",
)
@click.version_option(__version__, message="fatwheel %(version)s")
def cli() -> None:
    """Make macOS universal2 wheels, on any machine. COMMAND --help says more."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; an error becomes one sentence on standard error and an exit code.

    Without `arguments` it is that of the process, which has nothing else to do.
    """
    open_closed_streams()
    print_every_name()
    sys.excepthook = say_own_fault
    if "_FATWHEEL_COMPLETE" in os.environ:
        import_module("fatwheel.cli.completion")  # in place of click's own
    code = None
    while True:
        try:
            if code is None:
                code = _run(sys.argv[1:] if arguments is None else list(arguments))
            if arguments is None:  # all is done, and what ends now has no place for an exception
                _react_to_signals(signal.SIG_DFL, signal.SIG_DFL)
            break
        except KeyboardInterrupt:  # a second one, while the first was told
            code = 130
    if arguments is None:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End the process without taking apart all that it imported, a tenth of the time that a small wheel takes.

    What others asked to be called at the end is called, and all output is written. Return where Python itself must end
    the process: it tells of output that cannot be written, waits for threads, and gives a profiler its turn.
    """
    threading = sys.modules.get("threading")
    if _is_watched() or (threading and threading.active_count() > 1):
        return
    atexit._run_exitfuncs()  # as `multiprocessing` does
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)


def _is_watched() -> bool:
    """Return whether a debugger, a profiler or the like follows what is done (`sys.monitoring` from Python 3.12 on)."""
    if sys.gettrace() or sys.getprofile():
        return True
    if sys.version_info < (3, 12):
        return False
    return any(sys.monitoring.get_tool(number) for number in range(_TOOLS))


def _react_to_signals(interrupt: _Reaction, terminate: _Reaction) -> None:
    """Set what Ctrl-C does, and what the two other signals do that ask a process to end; what is ignored stays so.

    Before a command is imported there is nothing to clean up, and modules that are half imported are no place for an
    exception: until then a signal ends the process at once.
    """
    for name, reaction in (("SIGINT", interrupt), ("SIGTERM", terminate), ("SIGHUP", terminate)):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # by nohup
            signal.signal(number, reaction)


def _run(arguments: list[str]) -> int:
    try:
        result = cli.main(arguments, prog_name="fatwheel", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        say_usage_error(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except RuntimeError as error:  # how Python tells of an interruption while it makes a class
        if isinstance(error.__cause__, KeyboardInterrupt):
            return _interrupted()
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FatwheelError, OSError) as error:
        say_error(error)
        return exit_code(error)
    return result if isinstance(result, int) else 0


def _interrupted() -> int:
    announce("interrupted; what was not complete is gone")
    return 130


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """End as for Ctrl-C, so that no partial file is left."""
    raise KeyboardInterrupt
