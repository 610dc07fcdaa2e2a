"""The tree of the code on a screen: sizes, and what differs from most other files; as much as fits on one."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

from fatwheel.arch import Arch
from fatwheel.inspection.drawing import MARK, SOFT, plain, table_of
from fatwheel.inspection.facts import CodeFile, SliceFacts
from fatwheel.inspection.inspection import Inspection
from fatwheel.inspection.layout import Folder, folder_tree
from fatwheel.inspection.words import size_for, some
from fatwheel.printable import counted
from fatwheel.wheels.tags import format_floor

__all__ = ["CodeTree"]

_SHOWN_LINES = 36
_SHOWN_FOLDERS = 30  # of one folder
_SHOWN_NOTED = 20  # files of one folder with something to tell
_SHOWN_FILES = 5  # of one folder that are like all others


class CodeTree:
    """The tree of an inspection's code, with a column for each of `arches`; what draws it says if it takes Unicode."""

    def __init__(self, inspection: Inspection, arches: Sequence[Arch]) -> None:
        self._inspection = inspection
        self._arches = arches

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Draw it."""
        yield _table(self._inspection, self._arches, _ASCII if options.ascii_only else _UNICODE)


_UNICODE = (("├─ ", "│  "), ("└─ ", "   "))
_ASCII = (("+- ", "|  "), ("`- ", "   "))
_Guides = tuple[tuple[str, str], tuple[str, str]]
"""What stands before a row, and before those below it; for the last row of a folder the second two."""


def _table(inspection: Inspection, arches: Sequence[Arch], guides: _Guides) -> Table:
    table = table_of("code")
    for arch in arches:
        table.add_column(arch.value, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    top = folder_tree(inspection.files)
    usual, expected = _usual(inspection), set(inspection.expected)
    notes = {file.path: _note(file, usual, expected) for file in inspection.files}
    opened = _opened(top, notes)

    def add(folder: Folder, stem: str) -> None:
        rows = [*_rows(folder, notes, opened)]
        for index, row in enumerate(rows):
            guide, below = guides[index == len(rows) - 1]
            if folder.is_top:
                guide = below = ""
            label = Text().append(stem + guide, SOFT).append(plain(row.name))
            style = SOFT if row.folder in opened else ""
            sizes = (Text(size_for(row.files, arch), style) for arch in arches)
            table.add_row(label, *sizes, plain(row.note, MARK))
            if row.folder in opened and row.folder is not None:
                add(row.folder, stem + below)

    add(top, "")
    return table


class _Row(NamedTuple):
    """A row of the tree: a file, a folder, or several files that are alike."""

    name: str
    files: Sequence[CodeFile]
    note: str
    folder: Folder | None = None


def _opened(top: Folder, notes: Mapping[str, str]) -> set[Folder | None]:
    """Return the folders whose content is shown, the largest first, as far as they fit on a screen."""
    opened: set[Folder | None] = {top}
    room = _SHOWN_LINES - len([*_rows(top, notes, opened)])
    waiting = list(top.folders)
    while waiting and (room > 0 or len(opened) == 1):
        folder = min(waiting, key=lambda folder: (-folder.size, folder.name))
        waiting.remove(folder)
        more = len([*_rows(folder, notes, opened)])
        if more <= room or len(opened) == 1:
            room -= more
            opened.add(folder)
            waiting += folder.folders
    return opened


def _rows(
    folder: Folder, notes: Mapping[str, str], opened: Collection[Folder | None]
) -> Iterator[_Row]:
    """Yield the rows of a folder. Of files without a note, the largest have one each, and the rest share one."""
    largest_of = sorted(folder.folders, key=lambda one: (-one.size, one.name))[:_SHOWN_FOLDERS]
    kept = {id(one) for one in largest_of} | {id(one) for one in folder.folders if one in opened}
    for child in folder.folders:
        if id(child) not in kept:
            continue
        every, note = child.every(), ""
        if child not in opened:
            count = sum(bool(notes[file.path]) for file in every)
            note = f"{counted(len(every), 'file')}" + (f", {count} of note" if count else "")
        yield _Row(f"{child.name}/", every, note, child)
    if small := [one for one in folder.folders if id(one) not in kept]:
        every = [file for one in small for file in one.every()]
        yield _Row(f"... {len(small)} smaller folders", every, counted(len(every), "file"))
    alike = [file for file in folder.files if not notes[file.path]]
    noted = [file for file in folder.files if notes[file.path]]
    largest = {f.path for f in sorted(alike, key=lambda f: (-f.size, f.path))[:_SHOWN_FILES]}
    rest = [f for f in alike if f.path not in largest] if len(alike) > _SHOWN_FILES + 1 else []
    left = {file.path for file in (*rest, *noted[_SHOWN_NOTED:])}
    for file in folder.files:
        if file.path not in left:
            yield _Row(posixpath.basename(file.path), [file], notes[file.path])
    if more := noted[_SHOWN_NOTED:]:
        yield _Row(f"... {counted(len(more), 'more file')}", more, "of note (-v lists them)")
    if rest:
        yield _Row(f"... {len(rest)} smaller files", rest, "")


def _usual(inspection: Inspection) -> Mapping[Arch, tuple[object, ...]]:
    """Return, by architecture, the macOS and the signature that most of its code has."""
    usual: dict[Arch, tuple[object, ...]] = {}
    for arch in inspection.held:
        facts = (inspection.counts(arch, lambda s: s.minos), inspection.counts(arch, _signature))
        usual[arch] = tuple(counts[0][0] if counts else None for counts in facts)
    return usual


def _signature(one: SliceFacts) -> str | None:
    return one.signature


def _note(file: CodeFile, usual: Mapping[Arch, tuple[object, ...]], expected: set[Arch]) -> str:
    """Return what is worth a word of a file: what it lacks, and in what it differs from most."""
    words = []
    if file.problem is not None:
        words.append("only begins like code")
    if file.stub:
        words.append(f"text stub for {', '.join(some(file.stub))}")
    if file.kind not in ("", "bundle", "dylib", "text stub"):
        words.append(file.kind)
    foreign = some([one.target for one in file.slices if one.mac is None])
    if file.slices and not file.arches >= expected:
        have = [arch.value for arch in Arch if arch in file.arches]
        words.append(f"only {' and '.join([*have, *foreign])}")
    elif foreign or file.arches - expected:
        have = [arch.value for arch in Arch if arch in file.arches - expected]
        words.append(f"also {' and '.join([*have, *foreign])}")
    for one in file.slices:
        if one.mac is None or one.signature is None:
            continue
        minos, signature = usual[one.mac]
        differing = []
        if one.minos is not None and one.minos != minos:
            differing.append(f"macOS {format_floor(one.minos)}")
        if one.signature not in (signature, "ad hoc", "linker-signed"):
            differing.append("not signed" if one.signature == "none" else one.signature)
        if differing:
            prefix = f"{one.architecture}: " if len(file.slices) > 1 else ""
            words.append(prefix + ", ".join(differing))
    return "; ".join(words)
