"""The command line: the only place where errors become exit codes."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import NoReturn

import click

from fatwheel import __version__
from fatwheel.errors import FatwheelError
from fatwheel.terminal import (
    EXIT_CODES,
    describe_error,
    exit_code,
    open_closed_streams,
    print_every_name,
)

__all__ = ["cli", "main"]

_COMMANDS = {
    "build": "fatwheel.cli_build:build_command",
    "fuse": "fatwheel.cli_fuse:fuse_command",
    "check": "fatwheel.cli_check:check_command",
    "rules": "fatwheel.cli_check:rules_command",
    "develop": "fatwheel.cli_develop:develop_command",
    "lipo": "fatwheel.cli_lipo:lipo_command",
    "doctor": "fatwheel.cli_doctor:doctor_command",
}


class _LazyGroup(click.Group):
    """Commands that are imported when they are called, so that each starts with what it needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, message="fatwheel %(version)s")
def cli() -> None:
    """Make macOS universal2 wheels, on any machine.

    \b
    fatwheel build                      from a Rust crate to a universal2 wheel
    fatwheel fuse a.whl b.whl           fuse two thin wheels
    fatwheel fuse intel/ arm/ -o dist/  fuse all that match
    fatwheel check dist/*.whl           check finished wheels
    fatwheel doctor                     tell what this machine builds for, and why
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit; an error becomes one sentence on standard error and an exit code.

    Without `arguments` it is that of the process, which has nothing else to do.
    """
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, _terminated)
    open_closed_streams()
    print_every_name()
    if arguments is not None:
        sys.exit(_run(list(arguments)))
    with _little_garbage():
        code = _run(sys.argv[1:])
    sys.exit(code)


@contextlib.contextmanager
def _little_garbage() -> Iterator[None]:
    """Look for garbage seldom, and not at the end, in a process that ends with what is done in the block.

    What a command imports stays until its end. CPython would look through it 50 times, and once more before it
    exits: a tenth of the time that a small wheel takes.
    """
    if sys.implementation.name == "cpython":
        gc.set_threshold(50_000)
    try:
        yield
    finally:
        if sys.implementation.name == "cpython":
            gc.freeze()


def _run(arguments: list[str]) -> int:
    try:
        result = cli.main(arguments, prog_name="fatwheel", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("fatwheel: interrupted; what was not complete is gone", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (FatwheelError, OSError) as error:
        click.echo(f"fatwheel: {describe_error(error)}", err=True)
        return exit_code(error)
    return result if isinstance(result, int) else 0


def _terminated(_signal: int, _frame: object) -> NoReturn:
    """End as for Ctrl-C, so that no partial file is left."""
    raise KeyboardInterrupt
