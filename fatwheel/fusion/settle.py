"""Which rules would settle a plan's conflicts: as few as can be, and none that decides on anything else.

Conflicts of one kind that lie together are one group, since nobody wants to write two hundred rules. A rule's pattern
is tried with the rules' own matcher against every member that its action would change.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TypeVar

from fatwheel.action import Action
from fatwheel.fusion.actions import Conflict, Drop, Fuse, Keep, Planned, WriteAnew, WriteRecord
from fatwheel.fusion.rules import Rule, escape_glob
from fatwheel.values import valueclass

__all__ = ["Group", "group_conflicts"]

T = TypeVar("T")

_FEW = 4  # conflicts of a kind; fewer are told one by one


@valueclass
class Group:
    """Conflicts that are settled alike: all of one kind, with the same remedies, or a single one.

    `globs` stand for them, `actions` are the remedies that these globs can be given without deciding on other members,
    the best first. `others` counts the members that the globs match, too, and that these actions leave as they are.
    """

    conflicts: tuple[Conflict, ...]
    globs: tuple[str, ...]
    actions: tuple[Action, ...]
    others: int = 0


def group_conflicts(members: Sequence[Planned]) -> tuple[Group, ...]:
    """Return the conflicts among a plan's members in groups, in the order of each one's first."""
    buckets: dict[tuple[object, ...], list[Conflict]] = defaultdict(list)
    for member in members:
        if isinstance(member, Conflict):
            buckets[_alike(member)].append(member)
    return tuple(group for bucket in buckets.values() for group in _groups(bucket, members))


def _alike(conflict: Conflict) -> tuple[object, ...]:
    """Return what conflicts of one group have in common, besides the names of what they are about."""
    top, _, _ = conflict.name.partition("/")
    suffix = posixpath.splitext(conflict.name)[1]
    return conflict.kind, conflict.matters, conflict.warning, conflict.remedies, top, suffix


def _groups(conflicts: Sequence[Conflict], members: Sequence[Planned]) -> Iterator[Group]:
    if len(conflicts) < _FEW:
        for conflict in conflicts:
            glob = escape_glob(conflict.name)
            yield Group(conflicts=(conflict,), globs=(glob,), actions=conflict.remedies)
        return
    first, *others = conflicts[0].remedies
    names = {conflict.name for conflict in conflicts}
    rest = [member for member in members if member.name not in names]
    covers = [*_covers(sorted(names), rest, first)]
    matched = [member for _, besides in covers for member in besides]
    yield Group(
        conflicts=tuple(conflicts),
        globs=tuple(glob for glob, _ in covers),
        actions=(first, *(a for a in others if not any(_changes(a, m) for m in matched))),
        others=len(matched),
    )


def _changes(action: Action, planned: Planned) -> bool:
    """Return whether a rule with this action would decide on the member (`Decider.decide`)."""
    if isinstance(planned, WriteAnew | WriteRecord):
        return False
    if action is Action.DROP:
        return not isinstance(planned, Drop)
    if action is Action.ALLOW:
        return isinstance(planned, Conflict)
    return not isinstance(planned, Fuse) and not (isinstance(planned, Keep) and not planned.note)


def _covers(
    names: Sequence[str], rest: Sequence[Planned], action: Action
) -> Iterator[tuple[str, Sequence[Planned]]]:
    """Yield globs that together match the names, and nothing of the `rest` that `action` would change.

    It is one, where there is one. Else each folder gets its own, and in a folder where no pattern will do, each name is
    its own. With each comes what it matches of the rest.
    """
    waiting = [(names, rest)]
    while waiting:
        wanted, around = waiting.pop()
        folder = _folder_of(wanted)
        around = [member for member in around if member.name.startswith(folder)]
        rule = _pattern(folder, wanted, [m.name for m in around if _changes(action, m)])
        if rule is not None:
            yield rule.glob, [m for m in around if rule.matches(m.name, "")]
            continue
        inside = _by_folder(wanted, str, len(folder))
        if [*inside] == [""]:
            yield from ((escape_glob(name), ()) for name in wanted)
            continue
        beside = _by_folder(around, attrgetter("name"), len(folder))
        waiting += [(inside[key], beside.get(key, [])) for key in sorted(inside, reverse=True)]


def _by_folder(items: Iterable[T], name_of: Callable[[T], str], start: int) -> dict[str, list[T]]:
    """Return the items by the folder of their names that begins at `start`; those in none by an empty text."""
    found: dict[str, list[T]] = defaultdict(list)
    for item in items:
        folder, slash, _ = name_of(item)[start:].partition("/")
        found[folder if slash else ""].append(item)
    return found


def _folder_of(names: Sequence[str]) -> str:
    """Return the innermost folder that all of the names lie in, with its slash; empty for the top."""
    common = posixpath.commonprefix([min(names), max(names)])
    return common[: common.rfind("/") + 1]


def _pattern(folder: str, wanted: Sequence[str], unwanted: Sequence[str]) -> Rule | None:
    """Return a rule for names in `folder` that matches the wanted ones and none of the unwanted ones, if one does."""
    bases = [_base(name) for name in wanted]
    flat = not any("/" in name[len(folder) :] for name in wanted)
    others = [_base(name) for name in unwanted if not (flat and "/" in name[len(folder) :])]
    place = escape_glob(folder) + ("" if flat else "**/")
    for words in _candidates(bases):
        if any(_fits(base, words) for base in others):
            continue
        rule = Rule(
            glob=place + "*".join(map(escape_glob, words)),
            action=Action.ALLOW,
            reason="",
            origin="",
        )
        # What decides is what the rules make of it.
        if all(rule.matches(name, "") for name in wanted) and not any(
            rule.matches(name, "") for name in unwanted
        ):
            return rule
    return None


def _candidates(bases: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield what file names begin and end with, the most general first; one word where all have one name."""
    if len({*bases}) == 1:
        yield (bases[0],)
        return
    begin = posixpath.commonprefix(bases)
    end = posixpath.commonprefix([base[::-1] for base in bases])[::-1]
    suffix = posixpath.splitext(bases[0])[1]
    yield "", suffix
    yield begin, suffix
    yield "", end


def _fits(base: str, words: tuple[str, ...]) -> bool:
    if len(words) == 1:
        return base == words[0]
    begin, end = words
    return base.startswith(begin) and base.endswith(end) and len(base) >= len(begin) + len(end)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
