"""Help pages in sections, which all commands have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from fatwheel.cli.terminal import PageContext

__all__ = [
    "CommandWithPage",
    "Rows",
    "exit_codes",
    "write_section",
]

Rows = Sequence[tuple[str, str]]

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
