"""`fatwheel lipo`: every word after it is lipo's own."""

from __future__ import annotations

import sys

import click

from fatwheel.lipo import main as lipo

__all__ = ["lipo_command"]


@click.command(
    "lipo",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    short_help="Do what lipo does, in its own words.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lipo_command(arguments: tuple[str, ...]) -> None:
    """Do what lipo does, in lipo's own words: -create, -thin, -extract, -info, ...

    \b
    fatwheel lipo -create a.so b.so -output c.so
    """
    if arguments in [("--help",), ("-h",)]:
        click.echo(click.get_current_context().get_help())
        return
    raise click.exceptions.Exit(lipo(list(arguments), sys.stdout, sys.stderr))
