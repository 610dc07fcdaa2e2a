"""`fatwheel completion` and `fatwheel help`: what is about the command line itself."""

from __future__ import annotations

import click

from fatwheel.cli.command import CommandWithPage, exit_codes
from fatwheel.cli.terminal import tell_own

__all__ = ["completion_command", "help_command"]


@click.command(
    "completion",
    cls=CommandWithPage,
    sections={
        "To switch it on": (
            ("zsh", 'eval "$(fatwheel completion zsh)"  at the end of ~/.zshrc'),
            ("bash", 'eval "$(fatwheel completion bash)"  in ~/.bashrc'),
            ("fish", "fatwheel completion fish > ~/.config/fish/completions/fatwheel.fish"),
        ),
        "Exit codes": exit_codes({}),
    },
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the script that makes your shell complete commands, options, their values, and wheels.

    bash must be 4.4 or later. macOS's own bash is 3.2, where completion does not work; zsh, which is the default
    there, and fish do it.
    """
    from fatwheel.cli.completion import script

    tell_own(script(shell))


@click.command("help", cls=CommandWithPage, hidden=True)
@click.argument("name", required=False, metavar="[COMMAND]")
@click.pass_context
def help_command(context: click.Context, name: str | None) -> None:
    """Print the help page of a command, as `fatwheel COMMAND --help` does."""
    root = context.find_root()
    if name is None:
        tell_own(root.get_help())
        return
    assert isinstance(root.command, click.Group)
    command = root.command.get_command(root, name)
    if command is None:
        root.fail(f"No such command {name!r}.")
    page = command.context_class(command, info_name=name, parent=root)
    tell_own(command.get_help(page))
