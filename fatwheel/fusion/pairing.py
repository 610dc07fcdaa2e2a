"""Which two wheels belong together.

Wheels pair by their parsed names: project, version, build tag, Python and ABI tags. The architecture is what
the platform tags promise; a wheel that promises both is taken for what its code is made for, since a
universal2 Python gives a thin wheel that name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from fatwheel.arch import Arch
from fatwheel.deflate.inflaters import best_inflater
from fatwheel.errors import FatwheelError, RefusedError
from fatwheel.macho.universal import looks_like
from fatwheel.values import valueclass
from fatwheel.wheels.scan import Wanted, head, scan_member
from fatwheel.wheels.tags import Family, Floor, WheelName, claims, family, parse_wheel_name
from fatwheel.wheels.wheel import OpenWheel, architectures, open_wheel

__all__ = [
    "Candidate",
    "Pairing",
    "Unpaired",
    "held_architectures",
    "inspect",
    "later_build",
    "match",
    "pair_up",
]


@valueclass
class Candidate:
    """A wheel that may be one half of a pair: its architecture and the oldest macOS promised for it.

    `claimed_universal2` is true where the file name promises both and the code is for one.
    """

    path: Path
    name: WheelName
    arch: Arch
    floor: Floor
    claimed_universal2: bool = False


@valueclass
class Unpaired:
    """Wheels that are no part of any pair, and why. `failed` is true where they should have been."""

    paths: tuple[Path, ...]
    reason: str
    failed: bool


@valueclass
class Pairing:
    """The pairs (x86_64's first), in the order of their names, and all the other wheels."""

    pairs: tuple[tuple[Path, Path], ...]
    unpaired: tuple[Unpaired, ...]


def inspect(path: Path) -> Candidate:
    """Return what half of a pair the wheel at `path` is.

    Raises `RefusedError` for `any` wheels, wheels of other systems and real universal2 wheels, `WheelError`
    for what is no sound wheel.
    """
    name = parse_wheel_name(path.name)
    kind = family(name)
    if kind is Family.ANY:
        raise RefusedError(
            f"{path.name} is for any platform and serves both architectures as it is"
        )
    if kind is not Family.MACOS:
        raise RefusedError(f"{path.name} is not for macOS but for {', '.join(name.platforms)}")
    floors = claims(name)
    if len(floors) == 1:
        ((arch, floor),) = floors.items()
        return Candidate(path=path, name=name, arch=arch, floor=floor)
    if not floors:
        tags = ", ".join(name.platforms)
        raise RefusedError(f"{path.name} is for neither x86_64 nor arm64 but for {tags}")
    wheel = open_wheel(path)
    try:
        held = held_architectures(wheel)
    finally:
        wheel.close()
    if len(held) == 2:
        raise RefusedError(
            f"{path.name} holds code for x86_64 and arm64, so it is universal2 already"
        )
    if not held:
        raise RefusedError(
            f"{path.name} says universal2 and holds no code, so there is nothing to fuse"
        )
    (arch,) = held
    return Candidate(path=path, name=name, arch=arch, floor=floors[arch], claimed_universal2=True)


def held_architectures(wheel: OpenWheel) -> frozenset[Arch]:
    """Return which architectures the wheel's Mach-O files and static libraries hold code for."""
    held: set[Arch] = set()
    inflater = best_inflater()
    for entry in wheel.entries.values():
        if looks_like(head(wheel, entry)):
            scanned = scan_member(wheel, entry, Wanted(), inflater)
            held |= architectures(scanned.member.content)
        if len(held) == 2:
            break
    return frozenset(held)


def match(a: Candidate, b: Candidate) -> tuple[Candidate, Candidate]:
    """Return the two, x86_64's first, when they are halves of one wheel; the build tags may differ.

    Raises `RefusedError` that names all in which they differ.
    """
    if a.path.samefile(b.path):
        raise RefusedError(
            f"{a.path} was given twice; fuse needs the other architecture's wheel, too"
        )
    differing = [
        f"different {what}: {_words(left)} and {_words(right)}"
        for what, left, right in _compared(a.name, b.name)
        if left != right
    ]
    if differing:
        raise RefusedError(
            f"{a.path.name} and {b.path.name} have {', and '.join(differing)}; "
            "take two wheels that agree"
        )
    if a.arch is b.arch:
        raise RefusedError(
            f"{a.path} and {b.path} are both for {a.arch.value}; "
            f"take one for {a.arch.other.value} as well"
        )
    return (a, b) if a.arch is Arch.X86_64 else (b, a)


def later_build(*names: WheelName) -> str:
    """Return the build tag that sorts last: by its number, then by what follows that (binary distribution format)."""

    def key(build: str) -> tuple[int, str]:
        rest = build.lstrip("0123456789")
        digits = build[: len(build) - len(rest)].lstrip("0")
        return len(digits), digits + rest

    return max((name.build for name in names), key=key)


def _compared(a: WheelName, b: WheelName) -> Iterable[tuple[str, object, object]]:
    yield "projects", a.key[0], b.key[0]
    yield "versions", a.key[1], b.key[1]
    yield "Python tags", frozenset(a.pythons), frozenset(b.pythons)
    yield "ABI tags", frozenset(a.abis), frozenset(b.abis)


def _words(value: object) -> str:
    return ".".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def pair_up(paths: Sequence[Path], *, ignore_build: bool = False) -> Pairing:
    """Pair any number of wheels. `ignore_build` pairs wheels whose build tags differ.

    A group with several wheels of one architecture is not guessed at; its wheels are among the unpaired.
    """
    unpaired: list[Unpaired] = []
    groups: dict[object, list[Candidate]] = defaultdict(list)
    for path in paths:
        try:
            candidate = inspect(path)
        except RefusedError as error:
            unpaired.append(Unpaired(paths=(path,), reason=str(error), failed=False))
        except (FatwheelError, OSError) as error:
            unpaired.append(Unpaired(paths=(path,), reason=str(error), failed=True))
        else:
            key = candidate.name.key
            groups[(*key[:2], *key[3:]) if ignore_build else key].append(candidate)
    pairs = []
    apart = []
    for group in groups.values():
        sides = {arch: [c.path for c in group if c.arch is arch] for arch in Arch}
        counts = [len(sides[arch]) for arch in Arch]
        if counts == [1, 1]:
            pairs.append((sides[Arch.X86_64][0], sides[Arch.ARM64][0]))
            continue
        apart.append((group, sides))
    paired = {path for pair in pairs for path in pair}
    others = [path for path in paths if path not in paired]
    unpaired += [_unpaired(group, sides, others) for group, sides in apart]
    return Pairing(pairs=tuple(sorted(pairs)), unpaired=tuple(unpaired))


def _unpaired(
    group: Sequence[Candidate], sides: dict[Arch, list[Path]], others: Iterable[Path]
) -> Unpaired:
    """Say why the wheels of `group` are no pair; `others` are all that have no partner."""
    paths = tuple(candidate.path for candidate in group)
    missing = [arch.value for arch in Arch if not sides[arch]]
    if missing and len(paths) == 1:
        near = [path for path in others if path != paths[0] and _is_of(group[0].name, path)]
        only = f", only {', '.join(path.name for path in near)}" if near else ""
        reason = f"{paths[0].name} has no partner: there is no {missing[0]} wheel of the same name and tags{only}"
        if rebuilt := [
            name for name in map(_parsed, near) if _differs_in_build(group[0].name, name)
        ]:
            reason += (
                f"; --build-tag {later_build(group[0].name, *rebuilt)} makes a pair of other builds"
            )
    elif missing:
        reason = f"there is no {missing[0]} wheel for {', '.join(map(str, paths))}"
    else:
        listed = ", ".join(map(str, paths))
        reason = (
            f"several wheels of one architecture match each other: {listed}; name the two to fuse"
        )
    return Unpaired(paths=paths, reason=reason, failed=True)


def _is_of(name: WheelName, path: Path) -> bool:
    """Return whether the wheel at `path` is of the project that `name` is of."""
    try:
        return _parsed(path).key[0] == name.key[0]
    except FatwheelError:
        return False


def _parsed(path: Path) -> WheelName:
    return parse_wheel_name(path.name)


def _differs_in_build(a: WheelName, b: WheelName) -> bool:
    """Return whether two wheels are for different architectures, and but for their build tags of one kind."""
    others = claims(b)
    unlike = bool(others) and set(claims(a)).isdisjoint(others) and a.build != b.build
    return unlike and (*a.key[:2], *a.key[3:]) == (*b.key[:2], *b.key[3:])
