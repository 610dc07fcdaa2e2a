"""Files as a tree of folders, for a screen and for a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fatwheel.inspection.facts import CodeFile

__all__ = ["DEEPEST", "Folder", "folder_tree"]

DEEPEST = 24
"""Folders within each other; what lies deeper is shown as if it lay in one, since no real file does."""


@dataclass(eq=False, kw_only=True)
class Folder:
    """A folder; a chain of folders that hold one folder each is one, called `a/b`. `size` is of all files in it."""

    name: str
    is_top: bool = False
    size: int = 0
    folders: list[Folder] = field(default_factory=list)
    files: list[CodeFile] = field(default_factory=list)

    def every(self) -> list[CodeFile]:
        """Return all files in it, at any depth."""
        found: list[CodeFile] = []
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            found += folder.files
            waiting += folder.folders
        return found


def folder_tree(files: Iterable[CodeFile]) -> Folder:
    """Return the folder that has all `files`, which are sorted by their paths."""
    top = Folder(name="", is_top=True)
    known: dict[str, Folder] = {"": top}
    for file in files:
        parent, path = top, ""
        top.size += file.size
        parts = file.path.split("/")[:-1]
        for part in (*parts[:DEEPEST], *filter(None, ["/".join(parts[DEEPEST:])])):
            path = f"{path}/{part}"
            if (child := known.get(path)) is None:
                child = known[path] = Folder(name=part)
                parent.folders.append(child)
            parent = child
            parent.size += file.size
        parent.files.append(file)
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        while not folder.is_top and not folder.files and len(folder.folders) == 1:
            (only,) = folder.folders
            folder.name = f"{folder.name}/{only.name}"
            folder.files, folder.folders = only.files, only.folders
        waiting += folder.folders
    return top
