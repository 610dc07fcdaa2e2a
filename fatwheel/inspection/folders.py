"""Plain files, folders and apps, inspected: a tree is walked, and of each file only what tells of its code is read."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fatwheel.archive.ranges import RangeFile
from fatwheel.errors import FatwheelError, FormatError, WheelError
from fatwheel.inspection.facts import Found, code_files
from fatwheel.inspection.inspection import Inspection, Kind, OtherFile, Project, totals
from fatwheel.inspection.wheels import inspect_wheel
from fatwheel.macho.bitcode import Bitcode
from fatwheel.macho.probe import run
from fatwheel.macho.textstub import looks_like_stub, parse_text_stub
from fatwheel.macho.universal import looks_like, parse
from fatwheel.wheels.distinfo import parse_wheel_metadata
from fatwheel.wheels.effort import Effort
from fatwheel.wheels.record import parse_record
from fatwheel.wheels.wheel import Content

__all__ = ["inspect_path"]

_HEAD = 32  # bytes; a mach_header_64
_LARGEST_TEXT = 32 << 20  # bytes of a RECORD or WHEEL that is read; TensorFlow's RECORD has 3 MB
_ROOTS = re.compile(
    r"(?:site-packages|dist-packages|app_packages|lib-dynload|python3(?:\.\d+t?)?|Frameworks|MacOS|Resources|lib)"
)
"""Folders whose entries are a project each, where no dist-info says more: those of Pythons and apps."""
_DIST_INFO = re.compile(r"(?:(?P<base>.+)/)?(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/(\w+)")


def inspect_path(path: Path) -> Inspection:
    """Return what is at `path`: a wheel (by its name), a folder, an app, or any other file, which may hold code.

    Symbolic links in a folder are not followed. Raises `FatwheelError` for a wheel that cannot be read, or what is
    neither file nor folder, and `OSError` where it cannot be opened; what cannot be read within a folder is among the
    problems.
    """
    if path.is_dir():
        return _inspect_folder(path)
    if path.suffix == ".whl":
        return inspect_wheel(path)
    found = _read(path, path.name)
    files = code_files({path.name: found}, [path.name])
    others = [] if files else [OtherFile(path=path.name, size=found.size, packed=None)]
    extensions, thinned, size, count = totals(files, others)
    return Inspection(
        path=str(path),
        kind="file",
        size=size,
        installed=size,
        count=count,
        files=files,
        extensions=extensions,
        thinned=thinned,
        sizes={path.name: size},
    )


def _read(path: Path, name: str) -> Found:
    """Read as much of a file as tells what code it holds; `name` stands in messages."""
    with RangeFile(path, name=name) as file:
        return Found(file.size, None, _content(file, name))


def _content(file: RangeFile, name: str) -> Content:
    head = file.read(0, min(file.size, _HEAD))
    effort = Effort(name, file.size)

    def read(offset: int, size: int) -> bytes:
        effort.ask(name, size)
        return file.read(offset, min(size, max(0, file.size - offset)))

    try:
        if looks_like(head):
            parsed = run(parse(name, file.size), read)
            return None if isinstance(parsed, Bitcode) else parsed
        return run(parse_text_stub(name, file.size), read) if looks_like_stub(head) else None
    except FormatError as error:
        return error.with_traceback(None)


@dataclass(eq=False, kw_only=True)
class _Tree:
    """A folder that was walked: its files with code, all its files with their sizes, and what could not be read."""

    root: Path
    found: dict[str, Found] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    links: int = 0

    def walk(self) -> None:
        """Look at all files below the root, in the order of their paths."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self._say(folder or ".", error.strerror)
                continue
            folders = []
            for entry in listed:
                path = posixpath.join(folder, entry.name)
                if entry.is_symlink():
                    self.links += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                else:
                    self._look(path, entry)
            waiting += reversed(folders)

    def text(self, path: str) -> str:
        """Return a text of the folder; "" where it cannot be read or is larger than any."""
        try:
            if self.sizes.get(path, 0) > _LARGEST_TEXT:
                return ""
            return (self.root / path).read_bytes().decode("utf-8", "replace")
        except OSError:
            return ""

    def _look(self, path: str, entry: os.DirEntry[str]) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                self._say(path, "is no regular file")
                return
            self.sizes[path] = status.st_size
            one = _read(self.root / path, path)
        except OSError as error:
            self._say(path, error.strerror)
        except WheelError as error:
            self._say(path, error.problem)
        else:
            if one.content is not None:
                self.found[path] = one

    def _say(self, path: str, problem: str | None) -> None:
        self.problems.append(f"{path}: {problem or 'cannot be read'}")


def _inspect_folder(root: Path) -> Inspection:
    tree = _Tree(root=root)
    tree.walk()
    files = code_files(tree.found, tree.sizes)
    coded = {file.path for file in files}
    others = [
        OtherFile(path=path, size=size, packed=None)
        for path, size in tree.sizes.items()
        if path not in coded
    ]
    extensions, thinned, size, count = totals(files, others)
    is_app = root.resolve().suffix == ".app" and (root / "Contents").is_dir()
    kind: Kind = "app" if is_app else "folder"
    return Inspection(
        path=str(root),
        kind=kind,
        size=size,
        installed=size,
        count=count,
        files=files,
        extensions=extensions,
        projects=tuple(_projects(tree, coded)),
        thinned=thinned,
        problems=tuple(tree.problems),
        links=tree.links,
        sizes=tree.sizes,
        wheels=sum(path.endswith(".whl") for path in tree.sizes),
    )


def _projects(tree: _Tree, coded: set[str]) -> Iterator[Project]:
    """Yield the projects to which the files belong: by their RECORD, else by the folder that they lie in."""
    installed = dict(_installed(tree))
    owners = {path: key for key, (_, paths) in installed.items() for path in paths}
    files: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for path in tree.sizes:
        files[owners.get(path) or (_group(path), None)].append(path)
    for (name, version), paths in sorted(files.items(), key=lambda item: item[0][0].lower()):
        platforms, _ = installed.get((name, version), ((), ()))
        yield Project(
            name=name,
            version=version,
            platforms=platforms,
            members=tuple(sorted(paths)),
            files=tuple(path for path in sorted(paths) if path in coded),
            size=sum(tree.sizes[path] for path in paths),
        )


def _installed(
    tree: _Tree,
) -> Iterator[tuple[tuple[str, str | None], tuple[tuple[str, ...], Sequence[str]]]]:
    """Yield name and version of each installed project, its platform tags, and the paths of its files."""
    for path in tree.sizes:
        match = _DIST_INFO.fullmatch(path) if path.endswith("/RECORD") else None
        if match is None:
            continue
        base = match["base"] or ""
        rows, _ = parse_record(_climbing(tree.text(path)))
        paths = [posixpath.normpath(posixpath.join(base, row.path)) for row in rows]
        folder = posixpath.dirname(path)
        yield (match["name"], match["version"]), (_platforms(tree, folder), [*paths, path])


def _climbing(record: str) -> str:
    """Return an installed project's RECORD without the rows that climb (`../../bin/x`) or are absolute."""
    return "".join(
        line for line in record.splitlines(keepends=True) if not line.startswith(("..", "/"))
    )


def _platforms(tree: _Tree, folder: str) -> tuple[str, ...]:
    text = tree.text(f"{folder}/WHEEL")
    try:
        tags = parse_wheel_metadata(text, wheel=folder, member="WHEEL").tags
    except FatwheelError:
        return ()
    return tuple(dict.fromkeys(tag.rpartition("-")[2] for tag in tags))


def _group(path: str) -> str:
    """Return the folder, or module, that a file belongs to which no RECORD names."""
    *folders, base = path.split("/")
    last = max((i for i, folder in enumerate(folders) if _ROOTS.fullmatch(folder)), default=-1)
    inside = folders[last + 1 :]
    if inside:
        return inside[0]
    return "/".join(folders) or base
