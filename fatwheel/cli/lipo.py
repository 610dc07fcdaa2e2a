"""`fatwheel lipo`: every word after it is lipo's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from fatwheel.cli.command import CommandWithPage
from fatwheel.cli.terminal import tell_own
from fatwheel.lipo.args import WORDS
from fatwheel.lipo.run import main as lipo

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["lipo_command"]


class _Lipo(CommandWithPage):
    """A command whose words begin with one hyphen."""

    def shell_complete(self, _ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        words = [f"-{word}" for word in WORDS]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


@click.command(
    "lipo",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    cls=_Lipo,
    options_metavar="",
    sections={
        "Words": (
            ("-create FILE... -output FILE", "one universal file of several"),
            ("-thin ARCH FILE -output FILE", "one architecture of a universal file, by itself"),
            ("-extract ARCH FILE -output FILE", "the same, still as a universal file"),
            ("-remove ARCH FILE -output FILE", "all but that one"),
            ("-replace ARCH FILE FILE -output FILE", "with another file in its place"),
            ("-info, -detailed_info FILE...", "what a file holds"),
            ("-archs FILE", "the names of its architectures"),
            ("FILE -verify_arch ARCH...", "exit code 0 if it holds all of these"),
        ),
        "Exit codes": (("0", "done; -verify_arch: yes"), ("1", "not done; -verify_arch: no")),
        "Examples": (
            ("fatwheel lipo -create a.so b.so -output c.so", ""),
            ("fatwheel lipo -info c.so", ""),
            ("fatwheel lipo c.so -thin arm64 -output a.so", ""),
        ),
        "More": "Apple's lipo(1). What is written is, byte for byte, what llvm-lipo writes.",
    },
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, shell_complete=_files)
def lipo_command(arguments: tuple[str, ...]) -> None:
    """Do what Apple's lipo does, in its own words, on any machine.

    ARGUMENTS are lipo's. Files are Mach-O, universal files and static libraries.
    """
    if arguments in [("--help",), ("-h",)]:
        tell_own(click.get_current_context().get_help())
        return
    raise click.exceptions.Exit(lipo(list(arguments), sys.stdout, sys.stderr))
