"""An inspection on a screen: one for people, with tables and trees of rich's.

A first table has a column for each architecture. Below it stands the tree of the code: sizes alone, and what differs
from most other files, or with details every fact of every file. Colours repeat what words say.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group as Lines
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from fatwheel.arch import Arch
from fatwheel.inspection.comparison import Comparison
from fatwheel.inspection.facts import CodeFile, Group, LoadFacts, SliceFacts
from fatwheel.inspection.inspection import Inspection, Project
from fatwheel.inspection.layout import Folder, folder_tree
from fatwheel.inspection.words import allowed, amount, holding, macos, thinned, values
from fatwheel.printable import counted, printable, size_text
from fatwheel.wheels.tags import format_floor

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["comparison_screen", "screen", "why_screen"]

_MARK, _SOFT, _HEAD = "bold yellow", "dim", "bold"
_SHOWN_LINES = 36  # of the tree of code
_SHOWN_FILES = 5  # of one folder that are like all others
_SHOWN_ROWS = 8  # extensions, libraries, loaders
_SHOWN_PROJECTS = 40


def screen(inspection: Inspection, *, verbose: bool = False, loads: bool = False) -> RenderableType:
    """Return what to draw; `verbose` tells each file's facts, `loads` also what it loads and who loads it."""
    parts: list[RenderableType] = [_title(inspection)]
    arches = tuple(a for a in Arch if a in {*inspection.expected, *inspection.held})
    if arches:
        parts += ["", Padding(_overview(inspection, arches), (0, 0, 0, 2))]
    parts += _remarks(inspection)
    if inspection.projects:
        parts += ["", Padding(_projects(inspection, arches, every=verbose), (0, 0, 0, 2))]
    if verbose or loads:
        parts += _details(inspection, loads=loads)
    elif inspection.files and not inspection.projects:
        parts += ["", Padding(_code(inspection, arches), (0, 0, 0, 2))]
    if not verbose and not loads:
        parts += _foreign_loads(inspection)
    if inspection.count > 1:
        parts += ["", Padding(_extensions(inspection), (0, 0, 0, 2))]
    parts += _made_of(inspection)
    return Lines(*parts)


def _plain(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style)


def _table(*columns: str) -> Table:
    """Return a table without lines, with these columns of text."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _title(inspection: Inspection) -> Text:
    size = size_text(inspection.size)
    if inspection.kind == "wheel":
        size += (
            f", unpacked {size_text(inspection.installed)} in {counted(inspection.count, 'file')}"
        )
    elif inspection.count > 1:
        size += f" in {counted(inspection.count, 'file')}"
    return _plain(inspection.path, _HEAD).append(f"\n  {size}", "not bold")


# ---- The table of architectures ----


def _overview(inspection: Inspection, arches: Sequence[Arch]) -> Table:
    table = _table("", *(arch.value for arch in arches))
    wheel = inspection.wheel
    rows: list[tuple[str, Callable[[Arch], str]]] = []
    if wheel is not None:
        rows.append(("tags promise", lambda a: macos(wheel.floors.get(a))))
    rows += [
        ("code allows", lambda a: allowed(inspection, a)),
        ("code", lambda a: amount(inspection, a)),
        ("SDK", lambda a: values(inspection, a, lambda s: s.sdk and format_floor(s.sdk))),
        ("linker", lambda a: values(inspection, a, lambda s: s.linker)),
        ("signature", lambda a: values(inspection, a, lambda s: s.signature)),
        ("thinned to it", lambda a: thinned(inspection, a)),
    ]
    for label, cell in rows:
        cells = [cell(arch) for arch in arches]
        if any(text not in ("", "-") for text in cells):
            table.add_row(label, *map(_plain, cells))
    return table


# ---- Remarks ----


def _remarks(inspection: Inspection) -> list[RenderableType]:
    lines = [*_remark_lines(inspection)]
    return ["", *map(_indented, lines)] if lines else []


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
        one.architecture + (f" on {one.platform}" if one.platform else "")
        for file in inspection.files
        for one in file.slices
        if one.mac is None
    )
    if others:
        words = ", ".join(f"{name} ({counted(n, 'file')})" for name, n in sorted(others.items()))
        yield f"Code for others: {words}."
    if inspection.wheel is not None and len(inspection.wheel.promises) > 1:
        yield f"Tags: {', '.join(promise.tag for promise in inspection.wheel.promises)}."
    if inspection.wheels:
        verb = "lies" if inspection.wheels == 1 else "lie"
        yield f"{counted(inspection.wheels, 'wheel')} {verb} in it; name them to look inside."
    if inspection.links:
        yield f"{counted(inspection.links, 'symbolic link')} not followed."
    for problem in inspection.problems:
        yield f"Not read: {problem}"


# ---- The tree of the code ----


def _code(inspection: Inspection, arches: Sequence[Arch]) -> Table:
    table = _table("code")
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
            guide, below = ("└─ ", "   ") if index == len(rows) - 1 else ("├─ ", "│  ")
            if folder.is_top:
                guide = below = ""
            label = Text(stem + guide, style=_SOFT).append(_plain(row.name))
            style = _SOFT if row.folder in opened else ""
            sizes = (Text(_size(row.files, arch), style) for arch in arches)
            table.add_row(label, *sizes, _plain(row.note, _MARK))
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
    rows = len([*_rows(top, notes, opened)])
    waiting = list(top.folders)
    while waiting:
        waiting.sort(key=lambda folder: (folder.size, folder.name))
        folder = waiting.pop()
        more = len([*_rows(folder, notes, opened)])
        if rows + more <= _SHOWN_LINES or len(opened) == 1:
            rows += more
            opened.add(folder)
            waiting += folder.folders
    return opened


def _size(files: Sequence[CodeFile], arch: Arch) -> str:
    size = sum(file.size_of(arch) for file in files)
    return size_text(size) if size else "-"


def _rows(
    folder: Folder, notes: Mapping[str, str], opened: Collection[Folder | None]
) -> Iterator[_Row]:
    """Yield the rows of a folder. Of files without a note, the largest have one each, and the rest share one."""
    for child in folder.folders:
        every, note = child.every(), ""
        if child not in opened:
            count = sum(bool(notes[file.path]) for file in every)
            note = f"{counted(len(every), 'file')}" + (f", {count} of note" if count else "")
        yield _Row(f"{child.name}/", every, note, child)
    alike = [file for file in folder.files if not notes[file.path]]
    largest = {f.path for f in sorted(alike, key=lambda f: (-f.size, f.path))[:_SHOWN_FILES]}
    rest = [f for f in alike if f.path not in largest] if len(alike) > _SHOWN_FILES + 1 else []
    left = {file.path for file in rest}
    for file in folder.files:
        if file.path not in left:
            yield _Row(posixpath.basename(file.path), [file], notes[file.path])
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
        words.append(f"text stub for {', '.join(file.stub)}")
    if file.kind not in ("", "bundle", "dylib", "text stub"):
        words.append(file.kind)
    foreign = [
        f"{s.architecture} on {s.platform}" if s.platform else s.architecture
        for s in file.slices
        if s.mac is None
    ]
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


# ---- Every fact of every file ----


def _details(inspection: Inspection, *, loads: bool) -> list[RenderableType]:
    if not inspection.files:
        return []
    top = folder_tree(inspection.files)

    def add(folder: Folder, tree: Tree | None) -> Iterator[Tree]:
        for child in folder.folders:
            node = _branch(tree, _plain(f"{child.name}/", _HEAD))
            yield from add(child, node)
            if tree is None:
                yield node
        for file in folder.files:
            label = _facts(file, inspection, loads=loads)
            node = _branch(tree, label)
            if tree is None:
                yield node

    return ["", *(Padding(tree, (0, 0, 0, 2)) for tree in add(top, None))]


def _branch(tree: Tree | None, label: Text) -> Tree:
    if tree is None:
        return Tree(label, guide_style=_SOFT)
    return tree.add(label)


def _facts(file: CodeFile, inspection: Inspection, *, loads: bool) -> Text:
    text = _plain(posixpath.basename(file.path), _HEAD)
    text.append(f"  {file.kind}" if file.kind else "", "not bold")
    expected = set(inspection.expected)
    if file.slices and not file.arches >= expected:
        have = " and ".join(arch.value for arch in Arch if arch in file.arches) or "others"
        text.append(f"  only {have}", _MARK)
    lines = [*_fact_lines(file)]
    if loads:
        lines += _load_lines(file)
    for label, value in lines:
        text.append(f"\n{label:<9}", f"not bold {_SOFT}").append(printable(value), "not bold")
    return text


def _fact_lines(file: CodeFile) -> Iterator[tuple[str, str]]:
    if file.problem is not None:
        yield "no code", f"begins like code, but {file.problem}"
    if file.stub:
        yield "targets", ", ".join(file.stub)
    for one in file.slices:
        yield one.architecture, _slice_line(one)
    for label, fact in (("name", _install_names), ("rpath", _rpaths)):
        yield from _agreed(file, label, fact)


def _slice_line(one: SliceFacts) -> str:
    """Return the facts of one slice, two blanks apart."""
    words = [size_text(one.size), one.platform or macos(one.minos)]
    if one.sdk is not None:
        words.append(f"SDK {format_floor(one.sdk)}")
    if one.linker is not None:
        words.append(one.linker)
    if one.signature is not None:
        words.append("not signed" if one.signature == "none" else one.signature)
    if one.team:
        words.append(f"team {one.team}")
    return "  ".join(word for word in words if word != "-")


def _install_names(one: SliceFacts) -> tuple[str, ...]:
    return () if one.install_name is None else (one.install_name,)


def _rpaths(one: SliceFacts) -> tuple[str, ...]:
    return one.rpaths


def _agreed(
    file: CodeFile, label: str, fact: Callable[[SliceFacts], tuple[str, ...]]
) -> Iterator[tuple[str, str]]:
    """Yield a line for each value that slices have; those that not all have name their architectures."""
    found: dict[str, list[str]] = {}
    for one in file.slices:
        for value in dict.fromkeys(fact(one)):
            found.setdefault(value, []).append(one.architecture)
    for value, have in found.items():
        rest = "" if len(have) == len(file.slices) else f"  ({', '.join(have)})"
        yield label, value + rest


def _load_lines(file: CodeFile) -> Iterator[tuple[str, str]]:
    for group in (*Group, None):
        label = "loads" if group is None else group.value
        yield from _agreed(
            file,
            label,
            lambda one, group=group: tuple(  # type: ignore[misc]
                _load_text(load) for load in one.loads if load.group is group
            ),
        )
    loaders = dict.fromkeys(loader.path for loader in file.loaded_by)
    shown = [*loaders][:_SHOWN_ROWS]
    for path in shown:
        yield "used by", path
    if len(loaders) > len(shown):
        yield "used by", f"... and {len(loaders) - len(shown)} others (--why lists them)"


def _load_text(load: LoadFacts) -> str:
    kind = "" if load.kind == "plain" else f"  {load.kind}"
    if load.group is Group.INSIDE:
        via = f" by {load.name}" + _via(load)
        return f"{' or '.join(load.targets)}{kind}{via}"
    place = f" ({load.path})" if load.path not in (None, load.name) else ""
    return f"{load.name}{place}{kind}{_via(load)}"


def _via(load: LoadFacts) -> str:
    return "" if load.rpath is None else f", rpath {load.rpath}"


# ---- What else there is ----


def _foreign_loads(inspection: Inspection) -> list[RenderableType]:
    """Return a table of what is loaded from elsewhere than the system and what was inspected."""
    counts: Counter[tuple[str, str]] = Counter()
    for file in inspection.files:
        counts.update(
            {
                (load.name, load.group.value): 1
                for one in file.slices
                for load in one.loads
                if load.group in (Group.OUTSIDE, Group.NOWHERE) and load.group is not None
            }
        )
    if not counts:
        return []
    table = _table("loaded from elsewhere", "", "files")
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for (name, group), count in rows[:_SHOWN_ROWS]:
        table.add_row(_plain(name), group, str(count))
    if len(rows) > _SHOWN_ROWS:
        table.add_row(f"... {len(rows) - _SHOWN_ROWS} others (--loads lists them)", "", "")
    return ["", Padding(table, (0, 0, 0, 2))]


def _extensions(inspection: Inspection) -> Table:
    table = _table("extension")
    packed = inspection.kind == "wheel"
    for column in (
        "files",
        "unpacked" if packed else "size",
        *(["in the wheel"] if packed else []),
    ):
        table.add_column(column, justify="right", no_wrap=True)
    shown = inspection.extensions[:_SHOWN_ROWS]
    rest = inspection.extensions[_SHOWN_ROWS:]
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
        table.add_row(_plain(name), *cells)
    return table


def _projects(inspection: Inspection, arches: Sequence[Arch], *, every: bool) -> Table:
    """Return the table of an app's dependencies: those first that have not all architectures."""
    table = _table("dependency")
    for arch in arches:
        table.add_column(arch.value, justify="right", no_wrap=True)
    table.add_column("holds", overflow="fold")
    by_path = {file.path: file for file in inspection.files}
    rows = []
    for project in inspection.projects:
        files = [by_path[path] for path in project.files if by_path[path].arches]
        if files:
            rows.append((holding(files), project, files))
    rows.sort(key=lambda row: (row[0] == "universal2", row[1].name.lower()))
    shown = rows if every else rows[:_SHOWN_PROJECTS]
    for words, project, files in shown:
        name = _plain(_named(project))
        style = "" if words == "universal2" else _MARK
        table.add_row(name, *(_size(files, arch) for arch in arches), Text(words, style))
    if len(rows) > len(shown):
        table.add_row(
            f"... {len(rows) - len(shown)} others (-v lists them)", *["" for _ in arches], ""
        )
    if pure := len(inspection.projects) - len(rows):
        table.add_row(f"{pure} without code", *["" for _ in arches], "")
    return table


def _named(project: Project) -> str:
    return project.name if project.version is None else f"{project.name} {project.version}"


def _made_of(inspection: Inspection) -> list[RenderableType]:
    made = inspection.wheel.made_of if inspection.wheel is not None else None
    if made is None:
        return []
    table = _table(f"made by {printable(made.generator)}", "")
    for arch, filename in made.inputs.items():
        table.add_row(_plain(arch), _plain(filename))
    for one in made.decisions[:_SHOWN_ROWS]:
        table.add_row(_plain(one.action), _plain(f"{one.member}: {one.by} ({one.reason})"))
    if len(made.decisions) > _SHOWN_ROWS:
        table.add_row(
            "...", f"{len(made.decisions) - _SHOWN_ROWS} other decisions (--json has them)"
        )
    return ["", Padding(table, (0, 0, 0, 2))]


# ---- Why a file is there ----


def why_screen(
    inspection: Inspection, name: str, *, verbose: bool = False
) -> RenderableType | None:
    """Return who loads the files, or the libraries from elsewhere, that `name` means; None where it means nothing.

    It is a path as it is shown, the end of one, or a load command's text.
    """
    files = [f for f in inspection.files if f.path == name] or [
        f for f in inspection.files if f"/{f.path}".endswith(f"/{name.lstrip('/')}")
    ]
    if files:
        return Lines(*(_loaders(inspection, file, verbose=verbose) for file in files))
    loads: dict[str, dict[str, str]] = {}
    for file in inspection.files:
        for one in file.slices:
            for load in one.loads:
                if load.name == name or posixpath.basename(load.name) == name:
                    loads.setdefault(load.name, {})[file.path] = _via(load)
    trees = []
    for text, paths in loads.items():
        tree = Tree(_plain(text, _HEAD), guide_style=_SOFT)
        _limited(tree, [_plain(path + via) for path, via in paths.items()], verbose=verbose)
        trees.append(tree)
    return Lines(*trees) if trees else None


def _limited(tree: Tree, labels: Sequence[Text], *, verbose: bool) -> None:
    shown = labels if verbose or len(labels) <= _SHOWN_ROWS + 1 else labels[:_SHOWN_ROWS]
    for label in shown:
        tree.add(label)
    if len(labels) > len(shown):
        tree.add(f"... and {len(labels) - len(shown)} others (-v lists them)")


def _loaders(inspection: Inspection, file: CodeFile, *, verbose: bool) -> Tree:
    """Return the tree of what loads `file`, what loads that, and so on; each file's loaders stand there once."""
    by_path = {one.path: one for one in inspection.files}
    tree = Tree(_plain(file.path, _HEAD), guide_style=_SOFT)
    if not file.loaded_by:
        tree.add(
            "no load command here leads to it; Python imports modules, and programs open files by their names"
        )
    told = {file.path}
    waiting = [(tree, file)]
    while waiting:
        node, one = waiting.pop(0)
        loaders: dict[tuple[str, str], list[str]] = {}
        for path, arch, name in one.loaded_by:
            loaders.setdefault((path, name), []).append(arch.value)
        keys = [*loaders]
        shown = keys if verbose or len(keys) <= _SHOWN_ROWS + 1 else keys[:_SHOWN_ROWS]
        for path, name in shown:
            arches = ", ".join(loaders[path, name])
            label = _plain(path).append(f"  {arches}", _SOFT)
            words = f"by {name}{_rpath_words(by_path[path], name, one.path)}"
            label.append("\n").append(printable(words), _SOFT)
            again = path in told and by_path[path].loaded_by
            below = node.add(label.append("\n(see above)", _SOFT) if again else label)
            if path not in told:
                told.add(path)
                waiting.append((below, by_path[path]))
        if len(keys) > len(shown):
            node.add(f"... and {len(keys) - len(shown)} others (-v lists them)")
    return tree


def _rpath_words(loader: CodeFile, name: str, target: str) -> str:
    """Return with which rpath, and whose, the load `name` of `loader` leads to `target`."""
    for one in loader.slices:
        for load in one.loads:
            if load.name == name and target in load.targets and load.rpath is not None:
                owner = "" if load.rpath_of in (None, loader.path) else f" of {load.rpath_of}"
                return f", rpath {load.rpath}{owner}"
    return ""


# ---- Two wheels ----


def comparison_screen(comparison: Comparison, *, verbose: bool = False) -> RenderableType:
    """Return what differs between two wheels; `verbose` lists every file."""
    parts: list[RenderableType] = [
        Text("compared", _HEAD),
        _indented(f"left   {comparison.left}"),
        _indented(f"right  {comparison.right}"),
        _indented(_counts(comparison)),
    ]
    for title, paths in (
        ("only left", comparison.only_left),
        ("only right", comparison.only_right),
        ("differs", comparison.differing),
    ):
        if paths:
            shown = paths if verbose or len(paths) <= _SHOWN_ROWS + 1 else paths[:_SHOWN_ROWS]
            parts += ["", Padding(Text(title, _HEAD), (0, 0, 0, 2))]
            parts += [_indented(f"  {path}") for path in shown]
            if len(paths) > len(shown):
                parts.append(_indented(f"  ... and {len(paths) - len(shown)} more (-v lists them)"))
    if comparison.facts:
        table = _table("in the code", "left", "right", "files")
        for one in comparison.facts if verbose else comparison.facts[: 2 * _SHOWN_ROWS]:
            files = str(len(one.paths)) if len(one.paths) > 1 else one.paths[0].rpartition("/")[2]
            table.add_row(one.fact, _plain(one.left), _plain(one.right), _plain(files))
        if not verbose and len(comparison.facts) > 2 * _SHOWN_ROWS:
            rest = len(comparison.facts) - 2 * _SHOWN_ROWS
            table.add_row("...", f"{rest} more (-v lists them)")
        parts += ["", Padding(table, (0, 0, 0, 2))]
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


def _indented(line: str) -> RenderableType:
    return Padding(_plain(line), (0, 0, 0, 2))
