"""Facts in words, as a screen and a page tell them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fatwheel.arch import Arch
from fatwheel.inspection.facts import CodeFile, SliceFacts
from fatwheel.inspection.inspection import Inspection
from fatwheel.printable import counted, size_text
from fatwheel.wheels.tags import Floor, format_floor

__all__ = ["allowed", "amount", "holding", "macos", "thinned", "values"]

_SHOWN_VALUES = 3  # of one fact


def macos(floor: Floor | None) -> str:
    """Return a version of macOS, `-` for none."""
    return "-" if floor is None else f"macOS {format_floor(floor)}"


def allowed(inspection: Inspection, arch: Arch) -> str:
    """Return the macOS that all code for `arch` needs, and how many files say what where they differ."""
    counts = inspection.counts(arch, lambda one: one.minos)
    if len(counts) < 2:
        return macos(inspection.allows(arch))
    counts.sort(reverse=True)
    return "macOS " + _listed([(format_floor(floor), count) for floor, count in counts])


def amount(inspection: Inspection, arch: Arch) -> str:
    """Return how much code there is for `arch`."""
    files = [file for file in inspection.files if arch in file.arches]
    if not files:
        return "none"
    return f"{size_text(sum(f.size_of(arch) for f in files))} in {counted(len(files), 'file')}"


def values(inspection: Inspection, arch: Arch, fact: Callable[[SliceFacts], str | None]) -> str:
    """Return the values that a fact has in the code for `arch`, and how often where there are several."""
    return _listed(inspection.counts(arch, fact))


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    if len(counts) < 2:
        return counts[0][0] if counts else "-"
    shown = [f"{value} ({count})" for value, count in counts[:_SHOWN_VALUES]]
    if rest := counts[_SHOWN_VALUES:]:
        shown.append(f"{counted(len(rest), 'other')} ({sum(count for _, count in rest)})")
    return ", ".join(shown)


def thinned(inspection: Inspection, arch: Arch) -> str:
    """Return what would be left for `arch` alone; `-` where there is nothing else."""
    if arch not in inspection.thinned or inspection.kind == "file":
        return ""
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
