"""Facts in words, as a screen and a page tell them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fatwheel.arch import Arch
from fatwheel.inspection.facts import CodeFile, Group, SliceFacts
from fatwheel.inspection.inspection import Inspection, Project
from fatwheel.printable import counted, size_text
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["dependencies", "elsewhere", "holding", "macos", "overview", "size_for", "some"]

_SHOWN_VALUES = 3  # of one fact
_SHOWN_TAGS = 8
_SHOWN_NAMES = 5


def macos(floor: Floor | None) -> str:
    """Return a version of macOS, `-` for none."""
    return "-" if floor is None else f"macOS {format_floor(floor)}"


def some(names: Sequence[str]) -> list[str]:
    """Return the first names, and how many others there are."""
    left = len(names) - _SHOWN_NAMES
    return [*names[:_SHOWN_NAMES], *([counted(left, "other")] if left > 0 else [])]


def size_for(files: Iterable[CodeFile], arch: Arch) -> str:
    """Return how much code for `arch` these files hold, `-` for none."""
    size = sum(file.size_of(arch) for file in files)
    return size_text(size) if size else "-"


def overview(inspection: Inspection) -> list[tuple[str, list[str]]]:
    """Return the table of what is true of all code: labels, each with a cell for each architecture."""
    arches, wheel = inspection.arches, inspection.wheel
    rows: list[tuple[str, Callable[[Arch], str]]] = [
        ("tags promise", lambda a: macos(wheel.floors.get(a)) if wheel is not None else "-"),
        ("code allows", lambda a: _allowed(inspection, a)),
        ("code", lambda a: _amount(inspection, a)),
        ("SDK", lambda a: _values(inspection, a, lambda s: s.sdk and format_floor(s.sdk))),
        ("linker", lambda a: _values(inspection, a, lambda s: s.linker)),
        ("signature", lambda a: _values(inspection, a, lambda s: s.signature)),
        ("thinned to it", lambda a: _thinned(inspection, a)),
    ]
    table = [(label, [cell(arch) for arch in arches]) for label, cell in rows]
    table[1:1] = _tags(inspection)
    return [(label, cells) for label, cells in table if any(cell != "-" for cell in cells)]


def _tags(inspection: Inspection) -> list[tuple[str, list[str]]]:
    """Return what each platform tag promises, where there are several."""
    promises = () if inspection.wheel is None else inspection.wheel.promises
    if len(promises) < 2:
        return []
    return [
        (f"- {one.tag}", [macos(one.floors.get(arch)) for arch in inspection.arches])
        for one in promises[:_SHOWN_TAGS]
    ]


def elsewhere(inspection: Inspection) -> list[tuple[str, str, int]]:
    """Return what is loaded that neither the system nor what was inspected has: its name, where, by how many files."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in inspection.files:
        for one in file.slices:
            for load in one.loads:
                if load.group in (Group.OUTSIDE, Group.NOWHERE) and load.group is not None:
                    found.setdefault((load.name, load.group.value), set()).add(file.path)
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(name, group, len(paths)) for (name, group), paths in ranked]


def dependencies(inspection: Inspection) -> list[tuple[str, Project, list[CodeFile]]]:
    """Return the projects with macOS code, and what they hold in words; those that have not all of it come first."""
    by_path = {file.path: file for file in inspection.files}
    rows = []
    for project in inspection.projects:
        files = [by_path[path] for path in project.files if by_path[path].arches]
        if files:
            rows.append((holding(files), project, files))
    return sorted(rows, key=lambda row: (row[0] == "universal2", row[1].name.lower()))


def _allowed(inspection: Inspection, arch: Arch) -> str:
    """Return the macOS that all code for `arch` needs, and how many files say what where they differ."""
    counts = inspection.counts(arch, lambda one: one.minos)
    if len(counts) < 2:
        return macos(inspection.allows(arch))
    counts.sort(reverse=True)
    return "macOS " + _listed([(format_floor(floor), count) for floor, count in counts])


def _amount(inspection: Inspection, arch: Arch) -> str:
    """Return how much code there is for `arch`."""
    files = [file for file in inspection.files if arch in file.arches]
    if not files:
        return "none"
    return f"{size_text(sum(f.size_of(arch) for f in files))} in {counted(len(files), 'file')}"


def _values(inspection: Inspection, arch: Arch, fact: Callable[[SliceFacts], str | None]) -> str:
    """Return the values that a fact has in the linked code for `arch`, and how often where there are several."""
    counts = inspection.counts(arch, fact)
    linked = sum(one.signature is not None for one in inspection.code(arch))
    unknown = linked - sum(count for _, count in counts)
    return _listed([*counts, ("unknown", unknown)] if counts and unknown > 0 else counts)


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    if len(counts) < 2:
        return counts[0][0] if counts else "-"
    shown = [f"{value} ({count})" for value, count in counts[:_SHOWN_VALUES]]
    if rest := counts[_SHOWN_VALUES:]:
        shown.append(f"{counted(len(rest), 'other')} ({sum(count for _, count in rest)})")
    return ", ".join(shown)


def _thinned(inspection: Inspection, arch: Arch) -> str:
    """Return what would be left for `arch` alone; `-` where there is nothing else."""
    if arch not in inspection.thinned or inspection.kind == "file":
        return "-"
    unpacked, packed = inspection.thinned[arch]
    if unpacked == inspection.installed:
        return "-" if len(inspection.held) == 1 else "no change"
    if inspection.kind == "wheel":
        return f"about {size_text(packed)}, unpacked {size_text(unpacked)}"
    return size_text(unpacked)


def holding(files: Sequence[CodeFile]) -> str:
    """Return for which architectures these files, which all hold code, hold it."""
    both = sum(len(file.arches) == 2 for file in files)
    if both == len(files):
        return "universal2"
    only = [
        f"{count} only {arch.value}" if count < len(files) else f"only {arch.value}"
        for arch in Arch
        if (count := sum(file.arches == {arch} for file in files))
    ]
    return ", ".join([*([f"{both} universal2"] if both else []), *only])
