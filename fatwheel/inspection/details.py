"""Every fact of every file, as a tree on a screen."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.text import Text
from rich.tree import Tree

from fatwheel.arch import Arch
from fatwheel.inspection.drawing import HEAD, MARK, SHOWN, SOFT, plain
from fatwheel.inspection.facts import CodeFile, Group, LoadFacts, SliceFacts
from fatwheel.inspection.inspection import Inspection
from fatwheel.inspection.layout import Folder, folder_tree
from fatwheel.inspection.words import macos
from fatwheel.printable import counted, printable, size_text
from fatwheel.wheels.tags import format_floor

__all__ = ["details", "via"]


_MOST_LINES = 15_000
"""Lines that are drawn of all files; PySide6 has 9,000. Drawing takes 0.2 ms for each, JSON takes less."""
_MOST_OF_ONE = 1000  # lines of one file


def details(inspection: Inspection, *, loads: bool) -> list[Tree | Text]:
    """Return a tree for each folder at the top; `loads` tells also what is loaded, and who loads it."""
    labels: dict[str, Text] = {}
    room = _MOST_LINES
    for file in inspection.files:
        lines = [*_fact_lines(file), *(_load_lines(file) if loads else ())]
        room -= len(lines) + 1
        if room < 0 and labels:
            break
        labels[file.path] = _label(file, inspection, lines)
    drawn: list[Tree | Text] = [
        *_trees(folder_tree(file for file in inspection.files if file.path in labels), labels)
    ]
    if left := len(inspection.files) - len(labels):
        drawn.append(Text(f"... and {counted(left, 'more file')} (--json tells them)"))
    return drawn


def _trees(folder: Folder, labels: Mapping[str, Text], tree: Tree | None = None) -> Iterator[Tree]:
    """Hang what is in a folder on `tree`, or yield it where there is none."""
    for child in folder.folders:
        node = _branch(tree, plain(f"{child.name}/", HEAD))
        yield from _trees(child, labels, node)
        if tree is None:
            yield node
    for file in folder.files:
        node = _branch(tree, labels[file.path])
        if tree is None:
            yield node


def _branch(tree: Tree | None, label: Text) -> Tree:
    if tree is None:
        return Tree(label, guide_style=SOFT)
    return tree.add(label)


def _label(file: CodeFile, inspection: Inspection, lines: Sequence[tuple[str, str]]) -> Text:
    text = plain(posixpath.basename(file.path), HEAD)
    text.append(f"  {file.kind}" if file.kind else "", "not bold")
    expected = set(inspection.expected)
    if file.slices and not file.arches >= expected:
        have = " and ".join(arch.value for arch in Arch if arch in file.arches) or "others"
        text.append(f"  only {have}", MARK)
    for label, value in lines[:_MOST_OF_ONE]:
        text.append(f"\n{label:<9}", f"not bold {SOFT}").append(printable(value), "not bold")
    if rest := len(lines) - _MOST_OF_ONE:
        text.append(f"\n... and {rest} more (--json tells them)" if rest > 0 else "", "not bold")
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
    shown = [*loaders][:SHOWN]
    for path in shown:
        yield "used by", path
    if len(loaders) > len(shown):
        yield "used by", f"... and {len(loaders) - len(shown)} others (--why lists them)"


def _load_text(load: LoadFacts) -> str:
    kind = "" if load.kind == "plain" else f"  {load.kind}"
    if load.group is Group.INSIDE:
        told = load.name.startswith("@loader_path/") or load.rpath is not None
        name = "" if told else f"  by {load.name}"
        return f"{' or '.join(load.targets)}{kind}{name}{via(load)}"
    place = f" ({load.path})" if load.path not in (None, load.name) else ""
    return f"{load.name}{place}{kind}{via(load)}"


def via(load: LoadFacts) -> str:
    """Return by which rpath a load leads to its place, and whose, as the end of a line."""
    if load.rpath is None:
        return ""
    whose = "" if load.rpath_of in (None, load.member) else f" of {load.rpath_of}"
    return f"  by rpath {load.rpath}{whose}"
