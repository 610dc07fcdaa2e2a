"""What all screens are drawn with: rich's texts and tables, in which a stranger's text is only text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from fatwheel.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["HEAD", "MARK", "SHOWN", "SOFT", "Indented", "indented", "plain", "table_of"]

_INDENT = "  "
MARK, SOFT, HEAD = "bold yellow", "dim", "bold"
SHOWN = 8
"""Rows of one kind that are shown where not all are asked for."""


def plain(text: str, style: str = "") -> Text:
    """Return a line of text as it can be printed."""
    return Text(printable(text), style=style)


def table_of(*columns: str) -> Table:
    """Return a table without lines, with these columns of text."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


class Indented:
    """A drawing below a title, whose lines end where they end: rich's own padding fills them up."""

    def __init__(self, drawing: RenderableType) -> None:
        self._drawing = drawing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it two columns to the right."""
        inner = options.update_width(max(options.max_width - len(_INDENT), 1))
        for line in console.render_lines(self._drawing, inner, pad=False):
            yield Segment(_INDENT)
            yield from line
            yield Segment.line()


def indented(drawing: RenderableType) -> Indented:
    """Return a line, a table or a tree below a title."""
    return Indented(plain(drawing) if isinstance(drawing, str) else drawing)
