"""Why a file is there: who loads it, as a tree on a screen."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from rich.console import Group as Lines
from rich.text import Text
from rich.tree import Tree

from fatwheel.inspection.details import via
from fatwheel.inspection.drawing import HEAD, SHOWN, SOFT, plain
from fatwheel.inspection.facts import CodeFile
from fatwheel.inspection.inspection import Inspection
from fatwheel.printable import printable

__all__ = ["why_screen"]


def why_screen(inspection: Inspection, name: str, *, verbose: bool = False) -> Lines | None:
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
                    loads.setdefault(load.name, {})[file.path] = via(load)
    trees = []
    for text, paths in loads.items():
        tree = Tree(plain(text, HEAD), guide_style=SOFT)
        _limited(tree, [plain(path + via) for path, via in paths.items()], verbose=verbose)
        trees.append(tree)
    return Lines(*trees) if trees else None


def _limited(tree: Tree, labels: Sequence[Text], *, verbose: bool) -> None:
    shown = labels if verbose or len(labels) <= SHOWN + 1 else labels[:SHOWN]
    for label in shown:
        tree.add(label)
    if len(labels) > len(shown):
        tree.add(f"... and {len(labels) - len(shown)} others (-v lists them)")


def _loaders(inspection: Inspection, file: CodeFile, *, verbose: bool) -> Tree:
    """Return the tree of what loads `file`, what loads that, and so on; each file's loaders stand there once."""
    by_path = {one.path: one for one in inspection.files}
    tree = Tree(plain(file.path, HEAD), guide_style=SOFT)
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
        shown = keys if verbose or len(keys) <= SHOWN + 1 else keys[:SHOWN]
        for path, name in shown:
            arches = ", ".join(loaders[path, name])
            label = plain(path).append(f"  {arches}", SOFT)
            words = f"as {name}{_by_rpath(by_path[path], name, one.path)}"
            label.append("\n").append(printable(words), SOFT)
            again = path in told and by_path[path].loaded_by
            below = node.add(label.append("\n(see above)", SOFT) if again else label)
            if path not in told:
                told.add(path)
                waiting.append((below, by_path[path]))
        if len(keys) > len(shown):
            node.add(f"... and {len(keys) - len(shown)} others (-v lists them)")
    return tree


def _by_rpath(loader: CodeFile, name: str, target: str) -> str:
    """Return with which rpath, and whose, the load `name` of `loader` leads to `target`."""
    for one in loader.slices:
        for load in one.loads:
            if load.name == name and target in load.targets and load.rpath is not None:
                return via(load)
    return ""
