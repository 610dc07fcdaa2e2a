"""What differs between two wheels, on a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group as Lines
from rich.text import Text

from fatwheel.inspection.comparison import Comparison
from fatwheel.inspection.drawing import HEAD, SHOWN, indented, plain, table_of
from fatwheel.printable import counted

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["comparison_screen"]


def comparison_screen(comparison: Comparison, *, verbose: bool = False) -> Lines:
    """Return what differs between two wheels; `verbose` lists every file."""
    parts: list[RenderableType] = [
        Text("compared", HEAD),
        indented(f"left   {comparison.left}"),
        indented(f"right  {comparison.right}"),
        indented(_counts(comparison)),
    ]
    for title, paths in (
        ("only left", comparison.only_left),
        ("only right", comparison.only_right),
        ("differs", comparison.differing),
    ):
        if paths:
            shown = paths if verbose or len(paths) <= SHOWN + 1 else paths[:SHOWN]
            parts += ["", indented(Text(title, HEAD))]
            parts += [indented(f"  {path}") for path in shown]
            if len(paths) > len(shown):
                parts.append(indented(f"  ... and {len(paths) - len(shown)} more (-v lists them)"))
    if comparison.facts:
        table = table_of("in the code", "left", "right", "files")
        for one in comparison.facts if verbose else comparison.facts[: 2 * SHOWN]:
            files = str(len(one.paths)) if len(one.paths) > 1 else one.paths[0].rpartition("/")[2]
            table.add_row(one.fact, plain(one.left), plain(one.right), plain(files))
        if not verbose and len(comparison.facts) > 2 * SHOWN:
            rest = len(comparison.facts) - 2 * SHOWN
            table.add_row("...", f"{rest} more (-v lists them)")
        parts += ["", indented(table)]
    return Lines(*parts)


def _counts(comparison: Comparison) -> str:
    files = f"{counted(comparison.equal, 'file')} equal"
    return ", ".join(
        [
            files,
            f"{len(comparison.code)} with code and {counted(len(comparison.differing), 'other')} differ",
            f"{len(comparison.only_left)} only left, {len(comparison.only_right)} only right",
        ]
    )
