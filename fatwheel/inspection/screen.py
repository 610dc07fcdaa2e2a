"""An inspection on a screen: one for people, with tables and trees of rich's.

A first table has a column for each architecture. Below it stands the tree of the code: sizes alone, and what differs
from most other files, or with details every fact of every file. Colours repeat what words say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from fatwheel.arch import Arch
from fatwheel.inspection.codetree import CodeTree
from fatwheel.inspection.details import details
from fatwheel.inspection.drawing import HEAD, MARK, SHOWN, indented, plain, table_of
from fatwheel.inspection.inspection import Inspection
from fatwheel.inspection.words import dependencies, elsewhere, overview, size_for, some
from fatwheel.printable import counted, printable, size_text

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["screen"]

_SHOWN_PROJECTS = 40


def screen(inspection: Inspection, *, verbose: bool = False, loads: bool = False) -> RenderableType:
    """Return what to draw; `verbose` tells each file's facts, `loads` also what it loads and who loads it."""
    parts: list[RenderableType] = [_title(inspection)]
    arches = inspection.arches
    if arches:
        parts += ["", indented(_overview(inspection))]
    parts += _remarks(inspection)
    if any(project.files for project in inspection.projects):
        parts += ["", indented(_projects(inspection, arches, every=verbose))]
    if verbose or loads:
        parts += ["", *(indented(tree) for tree in details(inspection, loads=loads))]
    elif inspection.files and not inspection.projects:
        parts += ["", indented(CodeTree(inspection, arches))]
    if not verbose and not loads:
        parts += _foreign_loads(inspection)
    if inspection.count > 1:
        parts += ["", indented(_extensions(inspection))]
    parts += _made_of(inspection)
    return Lines(*parts)


def _title(inspection: Inspection) -> Text:
    size = size_text(inspection.size)
    if inspection.kind == "wheel":
        size += (
            f", unpacked {size_text(inspection.installed)} in {counted(inspection.count, 'file')}"
        )
    elif inspection.count > 1:
        size += f" in {counted(inspection.count, 'file')}"
    return plain(inspection.path, HEAD).append(f"\n  {size}", "not bold")


def _overview(inspection: Inspection) -> Table:
    table = table_of("", *(arch.value for arch in inspection.arches))
    for label, cells in overview(inspection):
        table.add_row(plain(label), *map(plain, cells))
    return table


def _remarks(inspection: Inspection) -> list[RenderableType]:
    lines = [*_remark_lines(inspection)]
    return ["", *map(indented, lines)] if lines else []


def _remark_lines(inspection: Inspection) -> Iterator[str]:
    expected = set(inspection.expected)
    if not inspection.held:
        yield "No macOS code for x86_64 or arm64."
    for arch in Arch:
        only = [f for f in inspection.files if f.arches == {arch}]
        if only and expected - {arch}:
            amount = size_text(sum(file.size for file in only))
            yield f"One-sided: {counted(len(only), 'file')} ({amount}) for {arch.value} only."
    others = Counter(
        one.target for file in inspection.files for one in file.slices if one.mac is None
    )
    if others:
        words = [f"{name} ({counted(count, 'file')})" for name, count in sorted(others.items())]
        yield f"Code for others: {', '.join(some(words))}."
    if broken := sum(file.problem is not None for file in inspection.files):
        yield f"Only begins like code: {counted(broken, 'file')}."
    if inspection.wheels:
        verb = "lies" if inspection.wheels == 1 else "lie"
        yield f"{counted(inspection.wheels, 'wheel')} {verb} in it; name them to look inside."
    if inspection.links:
        yield f"{counted(inspection.links, 'symbolic link')} not followed."
    for problem in inspection.problems:
        yield f"Not read: {problem}"


def _foreign_loads(inspection: Inspection) -> list[RenderableType]:
    """Return a table of what is loaded from elsewhere than the system and what was inspected."""
    rows = elsewhere(inspection)
    if not rows:
        return []
    table = table_of("loaded from elsewhere", "where", "files")
    for name, group, count in rows[:SHOWN]:
        table.add_row(plain(name), group, str(count))
    if len(rows) > SHOWN:
        table.add_row(f"... {len(rows) - SHOWN} others (--loads lists them)", "", "")
    return ["", indented(table)]


def _extensions(inspection: Inspection) -> Table:
    table = table_of("extension")
    packed = inspection.kind == "wheel"
    for column in (
        "files",
        "unpacked" if packed else "size",
        *(["in the wheel"] if packed else []),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    shown = inspection.extensions[:SHOWN]
    rest = inspection.extensions[SHOWN:]
    rows = [(one.extension or "none", one.files, one.size, one.packed) for one in shown]
    if rest:
        sums = (
            sum(r.files for r in rest),
            sum(r.size for r in rest),
            sum(r.packed or 0 for r in rest),
        )
        rows.append((f"{len(rest)} others", *sums))
    for name, files, size, small in rows:
        cells = [str(files), size_text(size), *([size_text(small or 0)] if packed else [])]
        table.add_row(plain(name), *cells)
    return table


def _projects(inspection: Inspection, arches: Sequence[Arch], *, every: bool) -> Table:
    """Return the table of an app's dependencies: those first that have not all architectures."""
    table = table_of("part" if inspection.kind == "app" else "dependency")
    for arch in arches:
        table.add_column(arch.value, justify="right", no_wrap=True)
    table.add_column("holds", overflow="fold")
    rows = dependencies(inspection)
    shown = rows if every else rows[:_SHOWN_PROJECTS]
    for words, project, files in shown:
        name = plain(project.title)
        style = "" if words == "universal2" else MARK
        table.add_row(name, *(size_for(files, arch) for arch in arches), Text(words, style))
    if len(rows) > len(shown):
        table.add_row(
            f"... {len(rows) - len(shown)} others (-v lists them)", *["" for _ in arches], ""
        )
    if pure := len(inspection.projects) - len(rows):
        table.add_row(f"{pure} without code", *["" for _ in arches], "")
    return table


def _made_of(inspection: Inspection) -> list[RenderableType]:
    made = inspection.wheel.made_of if inspection.wheel is not None else None
    if made is None:
        return []
    table = table_of(f"made by {printable(made.generator)}", "")
    for arch, filename in made.inputs.items():
        table.add_row(plain(arch), plain(filename))
    for one in made.decisions[:SHOWN]:
        table.add_row(plain(one.action), plain(f"{one.member}: {one.by} ({one.reason})"))
    if len(made.decisions) > SHOWN:
        table.add_row("...", f"{len(made.decisions) - SHOWN} other decisions (--json has them)")
    return ["", indented(table)]
