"""What the commands are made of: help pages in sections, and values that a shell can complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fatwheel.cli.terminal import PageContext

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _Text = click.ParamType[str]
else:
    _Text = click.ParamType  # takes no type before click 8.4

__all__ = [
    "CommandWithPage",
    "Rows",
    "RuleText",
    "WheelPath",
    "exit_codes",
    "floor_option",
    "on_conflict_option",
    "rule_option",
    "tags_option",
    "write_section",
]

Rows = Sequence[tuple[str, str]]
_F = TypeVar("_F", bound=Callable[..., Any])

_LEFT = 30  # columns for names and options
_LEFT_OF_EXAMPLES = 46


class CommandWithPage(click.Command):
    """A command whose help page has named sections.

    `groups` are titles and the options (by their long names) below them; what no group names, such as --help, ends
    the last one. `sections` follow: a title and either rows of two columns or a text.
    """

    context_class = PageContext

    def __init__(
        self,
        *args: Any,
        groups: Mapping[str, str] | None = None,
        sections: Mapping[str, Rows | str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._groups = {title: words.split() for title, words in (groups or {}).items()}
        self._sections = dict(sections or {})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group."""
        rows = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                rows[max(parameter.opts, key=len)] = record
        groups = {
            title: [rows.pop(name) for name in names] for title, names in self._groups.items()
        }
        if rows:
            last = [*groups][-1] if groups else "Options"
            groups[last] = [*groups.get(last, ()), *rows.values()]
        for title, content in groups.items():
            write_section(formatter, title, content)

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the other sections."""
        for title, content in self._sections.items():
            write_section(formatter, title, content)


def write_section(formatter: click.HelpFormatter, title: str, content: Rows | str) -> None:
    """Write a section: rows in two columns, the first of which examples may fill further, or a text."""
    with formatter.section(title):
        if isinstance(content, str):
            formatter.write_text(content)
        else:
            left = _LEFT_OF_EXAMPLES if title == "Examples" else _LEFT
            formatter.write_dl(list(content), col_max=min(left, formatter.width * left // 76))


def exit_codes(meanings: Mapping[int, str]) -> Rows:
    """Return the rows of a command's exit codes: 0 and 2, which all have, and those of its own."""
    common = {0: "done", 2: "wrong usage: an option, an argument or a setting in pyproject.toml"}
    return [(str(code), text) for code, text in sorted({**common, **meanings}.items())]


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


def tags_option(help_: str) -> Callable[[_F], _F]:
    """Return --tags, which fuse and build have, with the words that fit the command."""
    from fatwheel.wheels.tags import TagStyle

    styles = [style.value for style in TagStyle]
    return click.option("--tags", type=click.Choice(styles), help=help_)


def floor_option(help_: str) -> Callable[[_F], _F]:
    """Return --floor, which fuse and build have, with the words that fit the command."""
    return click.option("--floor", type=click.Choice(["tags", "binaries"]), help=help_)


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
