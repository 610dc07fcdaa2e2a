"""An inspection as a page for people: where the megabytes are, by folder and architecture, and the code's facts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from fatwheel.arch import Arch
from fatwheel.inspection.comparison import Comparison
from fatwheel.inspection.facts import CodeFile, SliceFacts
from fatwheel.inspection.inspection import Inspection
from fatwheel.inspection.layout import DEEPEST, Folder, folder_tree
from fatwheel.inspection.words import dependencies, elsewhere, macos, overview, size_for
from fatwheel.printable import counted, size_text
from fatwheel.webpage import Bar, bars, escaped, key, page
from fatwheel.wheels.tags import format_floor

__all__ = ["report_html"]

_COLOURS = {"x86_64": "#3b6fb6", "arm64": "#d08a2e", "others": "#7a5aa8", "data": "#9a9a9a"}
_MOST_BARS, _LEAST_SHARE = 20, 0.015
_OPEN_ROWS = 8
_STYLE = """
details { margin: .1rem 0 .1rem 1rem; } summary { cursor: pointer; overflow-wrap: anywhere; }
summary > b, summary > span { margin-right: .6rem; } .mark { font-weight: 600; }
.facts { margin: .1rem 0 .6rem 1rem; border-left: 2px solid var(--line); padding-left: .6rem; overflow-wrap: anywhere; }
.facts p { margin: 0; } section { margin-bottom: 3rem; } td:first-child { overflow-wrap: anywhere; }
"""


def report_html(
    inspections: Sequence[Inspection],
    *,
    comparison: Comparison | None = None,
    fuse: Sequence[str] = (),
) -> str:
    """Return one page about all of them; `fuse` are the lines that `fatwheel fuse` says of what is compared."""
    body = [part for one in inspections for part in _section(one)]
    if comparison is not None:
        body += _compared(comparison)
    if fuse:
        body.append(f"<pre>{escaped_lines(fuse)}</pre>")
    first = posixpath.basename(inspections[0].path) if inspections else "nothing"
    rest = f" and {len(inspections) - 1} more" if len(inspections) > 1 else ""
    return page(f"{first}{rest}", body, style=_STYLE, colours=_COLOURS)


def escaped_lines(lines: Sequence[str]) -> str:
    """Return lines as they stand in `pre`."""
    return "\n".join(map(escaped, lines))


def _section(inspection: Inspection) -> Iterator[str]:
    arches = inspection.arches
    yield f"<section><h1>{escaped(posixpath.basename(inspection.path))}</h1>"
    size = size_text(inspection.size)
    unpacked = f", unpacked {size_text(inspection.installed)}" if inspection.kind == "wheel" else ""
    yield f"<p>{size}{unpacked}, {counted(inspection.count, 'file')}.</p>"
    if arches:
        yield from _overview(inspection)
    yield "<h2>Where the megabytes are</h2>"
    kinds = {arch.value: f"{arch.value} code" for arch in arches}
    if any(one.mac is None for file in inspection.files for one in file.slices):
        kinds["others"] = "code for others"
    yield key({**kinds, "data": "all else"})
    whole, *pieces = _bars(inspection)
    yield bars([whole])
    if len(pieces) > 1:
        yield "<p class='small'>Of it:</p>"
        yield bars(pieces)
    yield from _projects(inspection)
    yield from _elsewhere(inspection)
    if inspection.files:
        yield "<h2>Code</h2>"
        yield from _tree(folder_tree(inspection.files), set(inspection.expected))
    for problem in inspection.problems:
        yield f"<p>Not read: {escaped(problem)}</p>"
    yield "</section>"


def _overview(inspection: Inspection) -> Iterator[str]:
    yield '<div class="wide"><table><tr><th></th>'
    yield "".join(f"<th>{arch.value}</th>" for arch in inspection.arches) + "</tr>"
    for label, cells in overview(inspection):
        yield f"<tr><th>{escaped(label)}</th>{''.join(f'<td>{escaped(c)}</td>' for c in cells)}</tr>"
    yield "</table></div>"


def _compared(comparison: Comparison) -> Iterator[str]:
    """Yield what differs between two wheels, the first of which is left."""
    yield f"<section><h1>Compared</h1><p>{counted(comparison.equal, 'file')} equal.</p>"
    if comparison.facts:
        yield '<div class="wide"><table><tr><th>in the code</th><th>left</th><th>right</th>'
        yield '<th class="n">files</th></tr>'
        for one in comparison.facts:
            cells = "".join(f"<td>{escaped(text)}</td>" for text in (one.fact, one.left, one.right))
            yield f'<tr>{cells}<td class="n">{len(one.paths)}</td></tr>'
        yield "</table></div>"
    for title, paths in (
        ("Only left", comparison.only_left),
        ("Only right", comparison.only_right),
        ("Differs", comparison.differing),
        ("Code that differs", comparison.code),
    ):
        if paths:
            opened = " open" if len(paths) <= _OPEN_ROWS else ""
            yield f"<details{opened}><summary>{title}: {counted(len(paths), 'file')}</summary>"
            yield f"<pre>{escaped_lines(paths)}</pre></details>"
    yield "</section>"


# ---- The picture ----


def _bars(inspection: Inspection) -> list[Bar]:
    """Return a bar for everything, then for each dependency, or for the folders and files that matter most."""
    code = {file.path: _parts(file) for file in inspection.files}
    owners = {path: one.title for one in inspection.projects for path in one.members}
    least = _LEAST_SHARE * inspection.installed
    top = _Weighed("")
    for path, size in inspection.sizes.items():
        parts = code.get(path, {})
        parts["data"] = size - sum(parts.values())
        folders = path.split("/")
        place = folders if size >= least else folders[:-1]
        top.add([owners[path]] if path in owners else place[:DEEPEST], parts)
    return [
        Bar(label="all", parts=top.ordered()),
        *(Bar(label=one.path, parts=one.ordered()) for one in _split(top, least)),
    ]


def _parts(file: CodeFile) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in file.slices:
        kind = "others" if one.mac is None else one.mac.value
        found[kind] = found.get(kind, 0) + one.size
    return found


class _Weighed:
    """A folder or a large file, the bytes in it by kind, and what is in it; `loose` are its small files together."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.parts: dict[str, int] = {}
        self.inner: dict[str, _Weighed] = {}
        self.loose: _Weighed | None = None

    def add(self, place: Sequence[str], parts: Mapping[str, int]) -> None:
        """Count a file that lies at `place` below this one: folders, and its own name if it is large."""
        at = self
        at.count(parts)
        for name in place:
            path = f"{at.path}/{name}" if at.path else name
            at = at.inner.setdefault(name, _Weighed(path))
            at.count(parts)
        if at.loose is None:
            at.loose = _Weighed(f"{at.path}/*" if at.path else "*")
        at.loose.count(parts)

    def count(self, parts: Mapping[str, int]) -> None:
        """Count these bytes."""
        for kind, size in parts.items():
            self.parts[kind] = self.parts.get(kind, 0) + size

    @property
    def size(self) -> int:
        """All its bytes."""
        return sum(self.parts.values())

    def ordered(self) -> dict[str, int]:
        """The bytes by kind, in the order of the colours."""
        return {kind: self.parts[kind] for kind in _COLOURS if self.parts.get(kind)}

    def pieces(self) -> list[_Weighed]:
        """Return all that is in it."""
        return [*self.inner.values(), *([self.loose] if self.loose is not None else [])]


def _split(top: _Weighed, least: float) -> list[_Weighed]:
    """Return what to show: folders are split into what is in them as far as there is room; the small share a bar."""
    shown = top.pieces()
    while True:
        shown.sort(key=lambda one: (-one.size, one.path))
        large = [one for one in shown if one.size >= least]
        split = next((one for one in large if one.inner and _helps(one, len(large), least)), None)
        if split is None:
            break
        shown.remove(split)
        shown += split.pieces()
    small = [one for one in shown if one not in large[:_MOST_BARS]]
    if not small:
        return large
    rest = _Weighed(f"{len(small)} smaller ones" if len(small) > 1 else small[0].path)
    for one in small:
        rest.count(one.parts)
    return [*large[:_MOST_BARS], rest]


def _helps(folder: _Weighed, shown: int, least: float) -> bool:
    """Return whether a folder is better shown as what is in it: that is mostly large, and there is room."""
    large = [one for one in folder.pieces() if one.size >= least]
    return sum(one.size for one in large) > folder.size / 2 and shown - 1 + len(large) <= _MOST_BARS


# ---- Tables and the tree ----


def _projects(inspection: Inspection) -> Iterator[str]:
    rows = dependencies(inspection) if inspection.projects else []
    if not rows:
        return
    yield "<h2>Dependencies</h2>"
    yield '<div class="wide"><table><tr><th>dependency</th>'
    yield "".join(f'<th class="n">{arch.value}</th>' for arch in inspection.arches)
    yield "<th>holds</th></tr>"
    for words, project, files in rows:
        sizes = (f'<td class="n">{size_for(files, arch)}</td>' for arch in inspection.arches)
        mark = "" if words == "universal2" else ' class="mark"'
        yield f"<tr><td>{escaped(project.title)}</td>{''.join(sizes)}<td{mark}>{escaped(words)}</td></tr>"
    yield "</table></div>"


def _elsewhere(inspection: Inspection) -> Iterator[str]:
    rows = elsewhere(inspection)
    if not rows:
        return
    yield "<h2>Loaded from elsewhere</h2>"
    opened = " open" if len(rows) <= _OPEN_ROWS else ""
    yield f"<details{opened}><summary>{counted(len(rows), 'name')}</summary>"
    yield '<div class="wide"><table><tr><th>library</th><th>where</th><th class="n">files</th></tr>'
    for name, group, count in rows:
        yield f'<tr><td>{escaped(name)}</td><td>{group}</td><td class="n">{count}</td></tr>'
    yield "</table></div></details>"


def _tree(folder: Folder, expected: set[Arch]) -> Iterator[str]:
    for child in folder.folders:
        files = child.every()
        opened = " open" if folder.is_top else ""
        yield f"<details{opened}><summary><b>{escaped(child.name)}/</b>"
        yield f'<span class="small">{counted(len(files), "file")}, {_sizes(files)}</span></summary>'
        yield from _tree(child, expected)
        yield "</details>"
    for file in folder.files:
        yield f"<details><summary><span>{escaped(posixpath.basename(file.path))}</span>"
        mark = ""
        if file.slices and not file.arches >= expected:
            have = " and ".join(a.value for a in Arch if a in file.arches) or "others"
            mark = f'<span class="mark">only {have}</span>'
        yield f'<span class="small">{escaped(file.kind)} {_sizes([file])}</span>{mark}</summary>'
        yield f'<div class="facts">{"".join(f"<p>{escaped(t)}</p>" for t in _facts(file))}</div></details>'


def _sizes(files: Sequence[CodeFile]) -> str:
    sizes = {arch: sum(file.size_of(arch) for file in files) for arch in Arch}
    return ", ".join(f"{size_text(size)} {arch.value}" for arch, size in sizes.items() if size)


def _facts(file: CodeFile) -> Iterator[str]:
    if file.problem is not None:
        yield f"begins like code, but {file.problem}"
    if file.stub:
        yield f"text stub for {', '.join(file.stub)}"
    for one in file.slices:
        yield from _slice_facts(one)
    for path in dict.fromkeys(loader.path for loader in file.loaded_by):
        yield f"used by {path}"


def _slice_facts(one: SliceFacts) -> Iterator[str]:
    words = [one.architecture, size_text(one.size), one.platform or macos(one.minos)]
    words += [f"SDK {format_floor(one.sdk)}"] if one.sdk is not None else []
    words += [
        text for text in (one.linker, one.signature and f"signature: {one.signature}") if text
    ]
    yield ", ".join(word for word in words if word != "-")
    if one.install_name is not None:
        yield f"{one.architecture} install name {one.install_name}"
    for rpath in one.rpaths:
        yield f"{one.architecture} rpath {rpath}"
    for load in one.loads:
        where = f" ({load.group.value})" if load.group is not None else ""
        yield f"{one.architecture} loads {load.name}{where}"
