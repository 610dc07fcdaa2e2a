"""Options that several commands have, and values that a shell can complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # takes no type before click 8.4

__all__ = [
    "RuleText",
    "WheelPath",
    "allow_option",
    "floor_option",
    "force_option",
    "jobs_option",
    "json_option",
    "no_kind_option",
    "no_rulebook_option",
    "on_conflict_option",
    "output_option",
    "quiet_option",
    "rule_option",
    "tags_option",
    "verbose_option",
    "verify_output_option",
]

_F = TypeVar("_F", bound=Callable[..., Any])


def rule_option(help_: str) -> Callable[[_F], _F]:
    """Return --rule, which fuse and build have, with the words that fit the command."""
    return click.option(
        "--rule", "rules", multiple=True, type=RuleText(), metavar="GLOB=ACTION", help=help_
    )


def on_conflict_option() -> Callable[[_F], _F]:
    """Return --on-conflict, which fuse and build have."""
    return click.option(
        "--on-conflict",
        type=click.Choice(["error", "keep-x86_64", "keep-arm64"]),
        help="What to do with all conflicts that no rule settles.  [default: error]",
    )


def allow_option() -> Callable[[_F], _F]:
    """Return --allow, which the commands that check their output have."""
    return click.option(
        "--allow",
        metavar="CODE",
        multiple=True,
        help="Write the wheel although check finds this error in it. Repeatable.",
    )


def verify_output_option() -> Callable[[_F], _F]:
    """Return --verify-output, which fuse and thin have."""
    return click.option(
        "--verify-output", is_flag=True, help="Read every byte of the result once more."
    )


def force_option(help_: str) -> Callable[[_F], _F]:
    """Return --force, with the words that fit the command."""
    return click.option("--force", is_flag=True, help=help_)


def tags_option(help_: str) -> Callable[[_F], _F]:
    """Return --tags, which fuse and build have, with the words that fit the command."""
    from fatwheel.wheels.tags import TagStyle

    styles = [style.value for style in TagStyle]
    return click.option("--tags", type=click.Choice(styles), help=help_)


def floor_option(help_: str) -> Callable[[_F], _F]:
    """Return --floor, which fuse and build have, with the words that fit the command."""
    return click.option("--floor", type=click.Choice(["tags", "binaries"]), help=help_)


def output_option(
    help_: str, default: str | None = None, *, required: bool = False
) -> Callable[[_F], _F]:
    """Return --output, the folder for what a command makes."""
    from pathlib import Path

    return click.option(
        "-o",
        "--output",
        "folder",
        type=click.Path(file_okay=False, path_type=Path),
        default=default,
        show_default=default is not None,
        required=required,
        help=help_,
    )


def jobs_option(help_: str) -> Callable[[_F], _F]:
    """Return --jobs: how much is done at the same time."""
    return click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help=help_)


def json_option(what: str = "report") -> Callable[[_F], _F]:
    """Return --json, with what is printed so."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print the {what} as JSON.")


def quiet_option(help_: str) -> Callable[[_F], _F]:
    """Return --quiet, with what is printed all the same."""
    return click.option("-q", "--quiet", is_flag=True, help=help_)


def verbose_option(help_: str) -> Callable[[_F], _F]:
    """Return --verbose, with what is printed besides."""
    return click.option("-v", "--verbose", is_flag=True, help=help_)


def no_rulebook_option() -> Callable[[_F], _F]:
    """Return --no-rulebook."""
    return click.option("--no-rulebook", is_flag=True, help="Do not use the shipped rule book.")


def no_kind_option() -> Callable[[_F], _F]:
    """Return --no-kind."""
    return click.option(
        "--no-kind",
        metavar="NAME",
        multiple=True,
        help="Do not use the rule book's kind NAME (`fatwheel rules`). Repeatable.",
    )


class WheelPath(click.Path):
    """A path, for which a shell offers wheels and folders."""

    def __init__(self, **options: Any) -> None:
        from pathlib import Path

        super().__init__(path_type=Path, **options)

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Leave it to the shell, which knows about folders, spaces and the home folder."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="wheel")]


class RuleText(_Text):
    """`GLOB=ACTION`, unparsed; a shell offers the actions behind the `=`."""

    name = "rule"

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the actions that go on from what stands behind the last `=`."""
        from click.shell_completion import CompletionItem

        from fatwheel.action import Action

        glob, equals, begun = incomplete.rpartition("=")
        if not (glob and equals):
            return []
        words = [action.value for action in Action if action.value.startswith(begun)]
        return [CompletionItem(word, part=True) for word in words]
