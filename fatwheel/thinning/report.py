"""What a thinning did, or would do, as text for people and as JSON for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from fatwheel.fusion.actions import Drop, Keep, Merge, Take
from fatwheel.fusion.report import Told, told_lines
from fatwheel.printable import size_text
from fatwheel.thinning.plan import Fate, ThinPlan
from fatwheel.thinning.tree import TreeFile, TreePlan

__all__ = ["plan_json", "plan_lines", "tree_json", "tree_lines"]

_COUNTED = (("thin", "thinned"), ("keep", "kept"), ("split", "split"), ("drop", "dropped"))


def plan_lines(plan: ThinPlan, *, every: bool) -> Iterator[str]:
    """Yield the plan: notes, and the members, all of them or only the remarkable ones."""
    yield from _lines(plan.notes, map(_told, plan.members), every=every)


def tree_lines(plan: TreePlan, *, every: bool) -> Iterator[str]:
    """Yield the plan of a tree: notes, and its files with code, all of them or only the remarkable ones."""
    yield from _lines(plan.notes, map(_told_file, plan.files), every=every)


def _lines(notes: Iterable[str], files: Iterable[Told], *, every: bool) -> Iterator[str]:
    told = tuple(files)
    yield from (f"  note: {note}" for note in notes)
    yield from told_lines(told, every=every)
    counts = Counter(file.word for file in told)
    yield "  " + ", ".join(f"{counts[word]} {text}" for word, text in _COUNTED if counts[word])


def _told(fate: Fate) -> Told:
    if isinstance(fate, Take):
        sizes = _sizes(fate.slice.content.size, fate.member.entry.size)
        clause = f"{sizes}; {fate.note}" if fate.note else sizes
        return Told("thin", fate.name, clause, remarkable=bool(fate.note))
    if isinstance(fate, Keep):
        return Told("keep", fate.name, fate.note, remarkable=bool(fate.note))
    if isinstance(fate, Merge):
        return Told("split", fate.name, fate.how, remarkable=True)
    if isinstance(fate, Drop):
        return Told("drop", fate.name, fate.why, remarkable=True)
    return Told("write", fate.name, "written anew", remarkable=False)


def _told_file(file: TreeFile) -> Told:
    if file.taken is not None:
        sizes = _sizes(file.taken.size, file.size)
        clause = f"{sizes}; {file.note}" if file.note else sizes
        return Told("thin", file.path, clause, remarkable=bool(file.note))
    word = "drop" if file.dropped else "keep"
    return Told(word, file.path, file.note, remarkable=bool(file.note))


def _sizes(size: int, of: int) -> str:
    return f"{size_text(size)} of {size_text(of)}"


def plan_json(plan: ThinPlan) -> dict[str, Any]:
    """Return the plan for `--json`, every member included."""
    return {
        "filename": plan.name.filename,
        "input": {"filename": plan.filename, "sha256": plan.sha256},
        "architecture": plan.arch.value,
        "tags": list(plan.name.expanded_tags),
        "members": [
            _file_json(told, told.name in plan.one_sided) for told in map(_told, plan.members)
        ],
        "notes": list(plan.notes),
    }


def tree_json(plan: TreePlan) -> dict[str, Any]:
    """Return the plan of a tree for `--json`, with its files that hold code."""
    return {
        "input": {"folder": str(plan.source)},
        "architecture": plan.arch.value,
        "files": [_file_json(_told_file(file), file.one_sided) for file in plan.files],
        "notes": list(plan.notes),
    }


def _file_json(told: Told, one_sided: bool) -> dict[str, Any]:
    return {
        "name": told.name,
        "action": told.word,
        "one_sided": one_sided,
        "explanation": told.clause,
    }
