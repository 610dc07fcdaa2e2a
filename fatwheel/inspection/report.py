"""An inspection as a page for people: where the megabytes are, by folder and architecture, and the code's facts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from fatwheel.arch import Arch
from fatwheel.inspection.facts import CodeFile, Group, SliceFacts
from fatwheel.inspection.inspection import Inspection
from fatwheel.inspection.layout import Folder, folder_tree
from fatwheel.inspection.words import allowed, amount, holding, macos, thinned, values
from fatwheel.printable import counted, size_text
from fatwheel.webpage import Bar, bars, escaped, key, page
from fatwheel.wheels.tags import format_floor

__all__ = ["report_html"]

_COLOURS = {"x86_64": "#3b6fb6", "arm64": "#d08a2e", "others": "#7a5aa8", "data": "#9a9a9a"}
_MOST_BARS, _LEAST_SHARE = 24, 0.02
_STYLE = """
details { margin: .1rem 0 .1rem 1rem; } summary { cursor: pointer; overflow-wrap: anywhere; }
summary > b, summary > span { margin-right: .6rem; } .mark { font-weight: 600; }
.facts { margin: .1rem 0 .6rem 1rem; border-left: 2px solid var(--line); padding-left: .6rem; overflow-wrap: anywhere; }
.facts p { margin: 0; } section { margin-bottom: 3rem; } td { overflow-wrap: anywhere; }
"""


def report_html(inspections: Sequence[Inspection], *, more: Sequence[str] = ()) -> str:
    """Return one page about all of them; `more` are lines about them together, such as what differs."""
    body = [part for one in inspections for part in _section(one)]
    if more:
        body.append(f"<h2>Compared</h2><pre>{escaped_lines(more)}</pre>")
    first = posixpath.basename(inspections[0].path) if inspections else "nothing"
    rest = f" and {len(inspections) - 1} more" if len(inspections) > 1 else ""
    return page(f"{first}{rest}", body, style=_STYLE, colours=_COLOURS)


def escaped_lines(lines: Sequence[str]) -> str:
    """Return lines as they stand in `pre`."""
    return "\n".join(map(escaped, lines))


def _section(inspection: Inspection) -> Iterator[str]:
    arches = [a for a in Arch if a in {*inspection.expected, *inspection.held}]
    yield f"<section><h1>{escaped(posixpath.basename(inspection.path))}</h1>"
    size = size_text(inspection.size)
    unpacked = f", unpacked {size_text(inspection.installed)}" if inspection.kind == "wheel" else ""
    yield f"<p>{size}{unpacked}, {counted(inspection.count, 'file')}.</p>"
    if arches:
        yield from _overview(inspection, arches)
    yield "<h2>Where the megabytes are</h2>"
    kinds = {arch.value: f"{arch.value} code" for arch in arches}
    if any(one.mac is None for file in inspection.files for one in file.slices):
        kinds["others"] = "code for others"
    yield key({**kinds, "data": "all else"})
    yield bars(_bars(inspection))
    yield from _projects(inspection, arches)
    yield from _elsewhere(inspection)
    if inspection.files:
        yield "<h2>Code</h2>"
        yield from _tree(folder_tree(inspection.files), set(inspection.expected))
    for problem in inspection.problems:
        yield f"<p>Not read: {escaped(problem)}</p>"
    yield "</section>"


def _overview(inspection: Inspection, arches: Sequence[Arch]) -> Iterator[str]:
    yield '<div class="wide"><table><tr><th></th>'
    yield "".join(f"<th>{arch.value}</th>" for arch in arches) + "</tr>"
    wheel = inspection.wheel
    rows = {
        "tags promise": [macos(wheel.floors.get(a)) if wheel is not None else "" for a in arches],
        "code allows": [allowed(inspection, a) for a in arches],
        "code": [amount(inspection, a) for a in arches],
        "SDK": [values(inspection, a, lambda s: s.sdk and format_floor(s.sdk)) for a in arches],
        "linker": [values(inspection, a, lambda s: s.linker) for a in arches],
        "signature": [values(inspection, a, lambda s: s.signature) for a in arches],
        "thinned to it": [thinned(inspection, a) for a in arches],
    }
    for label, cells in rows.items():
        if any(cell not in ("", "-") for cell in cells):
            yield f"<tr><th>{label}</th>{''.join(f'<td>{escaped(c)}</td>' for c in cells)}</tr>"
    yield "</table></div>"


# ---- The picture ----


def _bars(inspection: Inspection) -> list[Bar]:
    """Return a bar for everything, and for the folders that matter: the largest are split into those in them."""
    code = {file.path: _parts(file) for file in inspection.files}
    top = _Weighed("", {})
    for path, size in inspection.sizes.items():
        parts = code.get(path, {"data": size})
        parts["data"] = size - sum(n for kind, n in parts.items() if kind != "data")
        top.add(path.split("/")[:-1], parts)
    shown = _split(top)
    whole = Bar(label="all", parts=top.ordered())
    return [whole, *(Bar(label=one.path or "(top)", parts=one.ordered()) for one in shown)]


def _parts(file: CodeFile) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in file.slices:
        kind = "others" if one.mac is None else one.mac.value
        found[kind] = found.get(kind, 0) + one.size
    return found


class _Weighed:
    """A folder, the bytes in it by kind, and its folders; `loose` are the bytes that lie beside these."""

    def __init__(self, path: str, loose: dict[str, int]) -> None:
        self.path = path
        self.parts: dict[str, int] = dict(loose)
        self.loose: dict[str, int] = dict(loose)
        self.folders: dict[str, _Weighed] = {}

    def add(self, folders: Sequence[str], parts: Mapping[str, int]) -> None:
        """Count a file that lies in `folders` below this one."""
        at = self
        for name in (*folders, None):
            for kind, size in parts.items():
                at.parts[kind] = at.parts.get(kind, 0) + size
            if name is None:
                break
            path = f"{at.path}/{name}" if at.path else name
            at = at.folders.setdefault(name, _Weighed(path, {}))
        for kind, size in parts.items():
            at.loose[kind] = at.loose.get(kind, 0) + size

    @property
    def size(self) -> int:
        return sum(self.parts.values())

    def ordered(self) -> dict[str, int]:
        """The bytes by kind, in the order of the colours."""
        return {kind: self.parts[kind] for kind in _COLOURS if self.parts.get(kind)}

    def inner(self) -> list[_Weighed]:
        """Return the folders in it, and what lies beside them as one more."""
        loose = (
            [_Weighed(self.path + ("/*" if self.path else "*"), self.loose)]
            if any(self.loose.values())
            else []
        )
        return [*self.folders.values(), *loose]


def _split(top: _Weighed) -> list[_Weighed]:
    """Return the folders to show, the largest first; small ones share a bar."""
    shown = top.inner()
    while True:
        shown.sort(key=lambda one: (-one.size, one.path))
        for one in shown:
            inner = one.inner() if one.folders else []
            small = one.size < _LEAST_SHARE * 3 * top.size
            if inner and not small and len(shown) - 1 + len(inner) <= _MOST_BARS * 4:
                shown.remove(one)
                shown += inner
                break
        else:
            break
    large = [one for one in shown if one.size >= _LEAST_SHARE * top.size][:_MOST_BARS]
    rest = _Weighed("", {})
    left = [one for one in shown if one not in large]
    for one in left:
        rest.add([], one.parts)
    if rest.size:
        rest.path = f"{len(left)} smaller folders" if len(left) > 1 else left[0].path
        large.append(rest)
    return large


# ---- Tables and the tree ----


def _projects(inspection: Inspection, arches: Sequence[Arch]) -> Iterator[str]:
    by_path = {file.path: file for file in inspection.files}
    rows = []
    for project in inspection.projects:
        files = [by_path[path] for path in project.files if by_path[path].arches]
        if files:
            rows.append((holding(files), project, files))
    if not rows:
        return
    yield "<h2>Dependencies</h2>"
    yield '<div class="wide"><table><tr><th>dependency</th>'
    yield "".join(f'<th class="n">{arch.value}</th>' for arch in arches) + "<th>holds</th></tr>"
    rows.sort(key=lambda row: (row[0] == "universal2", row[1].name.lower()))
    for words, project, files in rows:
        name = escaped(f"{project.name} {project.version or ''}".strip())
        sizes = "".join(
            f'<td class="n">{size_text(s) if (s := sum(f.size_of(a) for f in files)) else "-"}</td>'
            for a in arches
        )
        mark = "" if words == "universal2" else ' class="mark"'
        yield f"<tr><td>{name}</td>{sizes}<td{mark}>{escaped(words)}</td></tr>"
    yield "</table></div>"


def _elsewhere(inspection: Inspection) -> Iterator[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for file in inspection.files:
        for one in file.slices:
            for load in one.loads:
                if load.group in (Group.OUTSIDE, Group.NOWHERE) and load.group is not None:
                    found.setdefault((load.name, load.group.value), set()).add(file.path)
    if not found:
        return
    yield "<h2>Loaded from elsewhere</h2>"
    yield '<div class="wide"><table><tr><th>library</th><th>where</th><th class="n">files</th></tr>'
    for (name, group), paths in sorted(found.items(), key=lambda i: (-len(i[1]), i[0])):
        yield f'<tr><td>{escaped(name)}</td><td>{group}</td><td class="n">{len(paths)}</td></tr>'
    yield "</table></div>"


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
