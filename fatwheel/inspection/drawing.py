"""What all screens are drawn with: rich's texts and tables, in which a stranger's text is only text."""

from __future__ import annotations

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fatwheel.printable import printable

__all__ = ["HEAD", "MARK", "SHOWN", "SOFT", "indented", "plain", "table_of"]

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


def indented(drawing: str | Text | Table) -> Padding:
    """Return a line or a table below a title."""
    return Padding(plain(drawing) if isinstance(drawing, str) else drawing, (0, 0, 0, 2))
