"""Two wheels of one project side by side: which files differ, and in which facts their code does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from fatwheel.inspection.facts import CodeFile, SliceFacts
from fatwheel.inspection.inspection import Inspection
from fatwheel.values import valueclass
from fatwheel.wheels.tags import format_floor, normalise

__all__ = ["Comparison", "FactDifference", "comparable", "compare"]


@valueclass
class FactDifference:
    """A fact of the code that has one value in the left wheel and another one in the right, in these files."""

    fact: str
    left: str
    right: str
    paths: tuple[str, ...]


@valueclass
class Comparison:
    """What differs between two wheels; all lists are paths, sorted.

    `left` and `right` are the wheels' own paths, `equal` counts the files that are the same. `code` are those files
    with code in both that differ, `differing` the others that do. RECORD is in none of them.
    """

    left: str
    right: str
    equal: int
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    differing: tuple[str, ...]
    code: tuple[str, ...]
    facts: tuple[FactDifference, ...]


def comparable(inspections: list[Inspection]) -> bool:
    """Return whether these are two wheels of one project."""
    wheels = [one.wheel for one in inspections if one.wheel is not None]
    return (
        len(inspections) == len(wheels) == 2
        and len({normalise(wheel.project) for wheel in wheels}) == 1
    )


def compare(left: Inspection, right: Inspection) -> Comparison:
    """Return what differs between two wheels.

    Files of the dist-info folder are paired whatever version that folder's name has.
    """
    ones, others = _digests(left), _digests(right)
    both = sorted(ones.keys() & others.keys())
    differing = [path for path in both if ones[path] != others[path]]
    code = [{_paired(f.path): f for f in one.files if f.slices} for one in (left, right)]
    coded = [path for path in differing if path in code[0] and path in code[1]]
    return Comparison(
        left=left.path,
        right=right.path,
        equal=len(both) - len(differing),
        only_left=tuple(sorted(ones.keys() - others.keys())),
        only_right=tuple(sorted(others.keys() - ones.keys())),
        differing=tuple(path for path in differing if path not in coded),
        code=tuple(coded),
        facts=tuple(_facts((path, code[0][path], code[1][path]) for path in coded)),
    )


def _digests(inspection: Inspection) -> dict[str, bytes]:
    found = {_paired(path): digest for path, digest in inspection.digests.items()}
    found.pop("*.dist-info/RECORD", None)
    return found


def _paired(path: str) -> str:
    """Return a path with which the other wheel's file is found."""
    folder, slash, rest = path.partition("/")
    for suffix in (".dist-info", ".data"):
        if slash and folder.endswith(suffix):
            return f"*{suffix}/{rest}"
    return path


_FACTS: dict[str, Callable[[SliceFacts], str]] = {
    "kind": lambda one: one.kind,
    "platform": lambda one: one.platform or "macOS",
    "macOS": lambda one: "-" if one.minos is None else format_floor(one.minos),
    "SDK": lambda one: "-" if one.sdk is None else format_floor(one.sdk),
    "linker": lambda one: one.linker or "-",
    "signature": lambda one: one.signature or "-",
    "install name": lambda one: one.install_name or "-",
    "rpaths": lambda one: ", ".join(one.rpaths) or "-",
    "loads": lambda one: ", ".join(sorted({load.name for load in one.loads})) or "-",
}


def _facts(pairs: Iterator[tuple[str, CodeFile, CodeFile]]) -> Iterator[FactDifference]:
    """Yield the facts that differ, and for what files, the most frequent first.

    Slices of one architecture are compared; where the files have none in common, what each says of all its code.
    """
    found: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for path, left, right in pairs:
        for one, other in _slices(left, right):
            for fact, value in _FACTS.items():
                values = value(one), value(other)
                if values[0] != values[1]:
                    if fact in ("rpaths", "loads"):
                        values = _apart(*values)
                    key = (fact, *values)
                    found[key][path] = None
    order = [*_FACTS]
    ranked = sorted(found.items(), key=lambda i: (order.index(i[0][0]), -len(i[1]), i[0]))
    for (fact, one_value, other_value), paths in ranked:
        yield FactDifference(fact=fact, left=one_value, right=other_value, paths=tuple(paths))


def _slices(left: CodeFile, right: CodeFile) -> Iterator[tuple[SliceFacts, SliceFacts]]:
    rights = {one.architecture: one for one in right.slices}
    common = [(one, rights[one.architecture]) for one in left.slices if one.architecture in rights]
    if common:
        yield from common
    elif len(left.slices) == len(right.slices) == 1:
        yield left.slices[0], right.slices[0]


def _apart(left: str, right: str) -> tuple[str, str]:
    """Return of two lists what only one of them has; where that is nothing, their order differs."""
    one, other = left.split(", "), right.split(", ")
    only = (
        ", ".join(e for e in one if e not in other),
        ", ".join(e for e in other if e not in one),
    )
    return (only[0] or "-", only[1] or "-") if any(only) else (left, right)
