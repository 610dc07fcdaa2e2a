"""Which files a project has here: a pure function from its page upstream.

Per project version, build tag, Python and ABI, one thin wheel for x86_64 and one for arm64 become one entry, whose
name is the one that `fuse` will give. What serves both architectures already stays; thin wheels are hidden, or pip
would prefer them. What is left out is said, with the reason.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.index.page import File, Page
from fatwheel.values import valueclass
from fatwheel.wheels.tags import (
    Family,
    Floor,
    TagStyle,
    WheelKey,
    WheelName,
    claims,
    family,
    format_floor,
    fused_platforms,
    normalise,
    parse_wheel_name,
    with_platforms,
)

__all__ = ["Entry", "LeftOut", "Listing", "ListingOptions", "make_listing"]


_version = functools.lru_cache(maxsize=4096)(Version)


@valueclass
class ListingOptions:
    """What is listed besides universal2 and `any` wheels.

    `macos` hides what needs a newer macOS on one of the architectures. `keep_thin` keeps thin Mac wheels, `sdists`
    source distributions, `all_systems` other systems' wheels.
    """

    macos: Floor | None = None
    keep_thin: bool = False
    sdists: bool = False
    all_systems: bool = False


@valueclass
class Entry:
    """A file of ours: upstream's as it is (`source`), or a wheel to be fused (`halves`, x86_64's first)."""

    filename: str
    version: str
    source: File | None = None
    halves: tuple[File, File] | None = None

    @property
    def files(self) -> tuple[File, ...]:
        """What it is made of."""
        if self.halves is not None:
            return self.halves
        assert self.source is not None
        return (self.source,)

    @property
    def requires_python(self) -> str | None:
        """What both halves demand of Python."""
        demands = dict.fromkeys(f.requires_python for f in self.files if f.requires_python)
        return ",".join(demands) or None

    @property
    def yanked(self) -> str | None:
        """The reason why it is yanked, if one of the halves is; both where they differ."""
        reasons = dict.fromkeys(f.yanked for f in self.files if f.yanked is not None)
        return "; ".join(filter(None, reasons)) if reasons else None

    @property
    def upload_time(self) -> str | None:
        """When the later half was uploaded."""
        times = [file.upload_time for file in self.files]
        return max(t for t in times if t) if all(times) else None


@valueclass
class LeftOut:
    """What upstream has and this index does not offer: a file or a version, and why."""

    version: str
    what: str
    why: str


@valueclass
class Listing:
    """A project as it is offered here."""

    name: str
    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that have a file, in rising order."""
        return tuple(sorted({entry.version for entry in self.entries}, key=_version))

    def find(self, filename: str) -> Iterator[Entry]:
        """Yield the entries of that name."""
        return (entry for entry in self.entries if entry.filename == filename)


@valueclass
class _Half:
    file: File
    name: WheelName
    key: WheelKey
    floor: Floor


@valueclass
class _Sorted:
    """The files of a page by what they are; `builds` are the build tags of thin wheels that agree in all else."""

    whole: dict[WheelKey, list[tuple[WheelName, File]]] = field(default_factory=dict)
    thin: dict[WheelKey, dict[Arch, list[_Half]]] = field(default_factory=dict)
    builds: dict[object, set[str]] = field(default_factory=dict)
    anywhere: list[Entry] = field(default_factory=list)
    elsewhere: list[Entry] = field(default_factory=list)
    sdists: list[Entry] = field(default_factory=list)
    unusable: list[LeftOut] = field(default_factory=list)

    def add_half(self, arch: Arch, half: _Half) -> None:
        sides = self.thin.setdefault(half.key, {arch: [] for arch in Arch})
        sides[arch].append(half)
        self.builds.setdefault((arch, *half.key[:2], *half.key[3:]), set()).add(half.key[2])


def make_listing(
    page: Page, options: ListingOptions, held: Mapping[str, frozenset[Arch]] | None = None
) -> Listing:
    """Return what this index offers of `page`.

    `held` is what is known of universal2 wheels that were looked into, by SHA-256: one that holds a single architecture
    is taken for that half.
    """
    found = _sort(page, held or {}, all_systems=options.all_systems)
    entries = [
        Entry(filename=file.filename, version=name.version, source=file)
        for same in found.whole.values()
        for name, file in same
    ]
    entries += found.anywhere
    offered = {entry.filename for entry in entries}
    left_out = list(found.unusable)
    alone: list[LeftOut] = []
    for key, sides in found.thin.items():
        pairs, rest = _pairs(sides)
        for pair in pairs:
            entry = _fused(pair)
            if entry.filename not in offered and not _is_covered(pair, found.whole.get(key, ())):
                offered.add(entry.filename)
                entries.append(entry)
        alone += _alone(key, sides, rest, found)
        if options.keep_thin:
            entries += [_as_is(half) for halves in sides.values() for half in halves]
    if options.macos is not None:
        entries, newer = _old_enough(entries, options.macos)
        left_out += newer
    entries += found.elsewhere if options.all_systems else []
    # A project that never had a Mac wheel has nothing to lose by its sdists.
    if options.sdists or not (found.whole or found.thin):
        entries += found.sdists
    entries.sort(key=lambda entry: (_version(entry.version), entry.filename))
    return Listing(
        name=page.name,
        entries=tuple(entries),
        left_out=_newest_first([*left_out, *_by_version(entries, alone)]),
    )


def _sort(page: Page, held: Mapping[str, frozenset[Arch]], *, all_systems: bool) -> _Sorted:
    found = _Sorted()
    project = normalise(page.name)
    for file in page.files:
        if not file.filename.endswith(".whl"):
            if (entry := _sdist(file)) is not None:
                found.sdists.append(entry)
            continue
        if not all_systems and not _may_serve_macs(file.filename):
            continue  # most files of a page
        try:
            name = parse_wheel_name(file.filename)
            key = name.key
            if key[0] != project:
                continue  # every client passes over it
            _sort_wheel(found, file, name, key, held.get(file.sha256 or ""))
        except WheelError as error:
            version = file.filename.split("-")[1] if file.filename.count("-") >= 4 else ""
            found.unusable.append(LeftOut(version=version, what=file.filename, why=error.problem))
    return found


def _may_serve_macs(filename: str) -> bool:
    """Return whether a wheel's platform tags name macOS or any platform."""
    platforms = filename.rpartition("-")[2]
    return "macosx" in platforms or "any" in platforms


def _sort_wheel(
    found: _Sorted, file: File, name: WheelName, key: WheelKey, archs: frozenset[Arch] | None
) -> None:
    kind = family(name)
    entry = Entry(filename=file.filename, version=name.version, source=file)
    if kind is Family.ANY:
        found.anywhere.append(entry)
        return
    if kind is Family.OTHER:
        found.elsewhere.append(entry)
        return
    floors = claims(name)
    if len(floors) == 2 and (archs is None or len(archs) != 1):
        found.whole.setdefault(key, []).append((name, file))
    elif not floors:
        why = f"it is for neither x86_64 nor arm64 but for {', '.join(name.platforms)}"
        found.unusable.append(LeftOut(version=name.version, what=file.filename, why=why))
    else:
        (arch,) = archs if archs is not None and len(archs) == 1 else floors
        found.add_half(arch, _Half(file=file, name=name, key=key, floor=floors[arch]))


def _sdist(file: File) -> Entry | None:
    try:
        _, version = parse_sdist_filename(file.filename)
    except (InvalidSdistFilename, ValueError):
        return None
    return Entry(filename=file.filename, version=str(version), source=file)


def _as_is(half: _Half) -> Entry:
    return Entry(filename=half.file.filename, version=half.name.version, source=half.file)


def _pairs(
    sides: Mapping[Arch, Sequence[_Half]],
) -> tuple[list[tuple[_Half, _Half]], list[_Half]]:
    """Return which halves are one wheel, and those that are left.

    Equal floors belong together. Of the rest the lowest goes with the lowest, where both architectures have equally
    many: names do not show what else sets two wheels of one architecture apart, such as which BLAS is in them.
    """
    x86_64, arm64 = (sorted(sides[arch], key=lambda half: half.floor) for arch in Arch)
    single = {arch: _once(sides[arch]) for arch in Arch}
    pairs = [
        (single[Arch.X86_64][floor], single[Arch.ARM64][floor])
        for floor in sorted(single[Arch.X86_64].keys() & single[Arch.ARM64].keys())
    ]
    paired = [half for pair in pairs for half in pair]
    rest = [[half for half in halves if half not in paired] for halves in (x86_64, arm64)]
    distinct = all(len({half.floor for half in halves}) == len(halves) for halves in rest)
    if len(rest[0]) == len(rest[1]) and distinct:
        return [*pairs, *zip(*rest, strict=True)], []
    return pairs, [*rest[0], *rest[1]]


def _once(halves: Iterable[_Half]) -> dict[Floor, _Half]:
    """Return the halves by floor, without floors that several have."""
    by_floor: dict[Floor, list[_Half]] = defaultdict(list)
    for half in halves:
        by_floor[half.floor].append(half)
    return {floor: found[0] for floor, found in by_floor.items() if len(found) == 1}


def _fused(pair: tuple[_Half, _Half]) -> Entry:
    x86_64, arm64 = pair
    platforms = fused_platforms(x86_64.floor, arm64.floor, TagStyle.EXACT)
    name = with_platforms(arm64.name, platforms)
    return Entry(filename=name.filename, version=name.version, halves=(x86_64.file, arm64.file))


def _is_covered(pair: tuple[_Half, _Half], whole: Iterable[tuple[WheelName, File]]) -> bool:
    """Return whether upstream's own universal2 wheel serves every Mac that the fused one would."""
    for name, _ in whole:
        floors = claims(name)
        if all(floors[arch] <= half.floor for arch, half in zip(Arch, pair, strict=True)):
            return True
    return False


def _alone(
    key: WheelKey, sides: Mapping[Arch, Sequence[_Half]], rest: Sequence[_Half], found: _Sorted
) -> Iterator[LeftOut]:
    """Say why halves have no partner; nothing where upstream's own universal2 wheel stands for them."""
    if key in found.whole:
        return
    missing = [arch for arch in Arch if not sides[arch]]
    for half in rest:
        if missing:
            other = _other_build(key, missing[0], found)
            why = f"no {missing[0].value} wheel{other}"
        else:
            counts = " and ".join(
                f"{len(sides[arch])} {arch.value} wheel{'s' * (len(sides[arch]) != 1)}"
                for arch in Arch
            )
            floors = "; ".join(
                f"{arch.value} from macOS {', '.join(format_floor(h.floor) for h in sides[arch])}"
                for arch in Arch
            )
            why = f"{counts} ({floors}), and their names do not say which belong together"
        yield LeftOut(version=half.name.version, what=half.file.filename, why=why)


def _other_build(key: WheelKey, arch: Arch, found: _Sorted) -> str:
    """Return the clause that names the partner with another build tag, where there is one."""
    builds = sorted(found.builds.get((arch, *key[:2], *key[3:]), set()) - {key[2]})
    if not builds:
        return ""
    build = f"build tag {builds[-1]}" if builds[-1] else "no build tag"
    return f" with this build tag (there is one with {build})"


def _old_enough(entries: Iterable[Entry], macos: Floor) -> tuple[list[Entry], list[LeftOut]]:
    kept, newer = [], []
    for entry in entries:
        floors = claims(parse_wheel_name(entry.filename))
        if any(floor > macos for floor in floors.values()):
            why = f"it needs macOS {format_floor(max(floors.values()))}, newer than {format_floor(macos)}"
            newer.append(LeftOut(version=entry.version, what=entry.filename, why=why))
        else:
            kept.append(entry)
    return kept, newer


def _by_version(entries: Iterable[Entry], alone: Iterable[LeftOut]) -> Iterator[LeftOut]:
    """Yield halves without a partner; one line for a version that has nothing here for one reason."""
    offered = {entry.version for entry in entries}
    by_version: dict[str, list[LeftOut]] = defaultdict(list)
    for left in alone:
        by_version[left.version].append(left)
    for version, lefts in by_version.items():
        reasons = {left.why for left in lefts}
        if version not in offered and len(reasons) == 1:
            yield LeftOut(version=version, what="", why=lefts[0].why)
        else:
            yield from lefts


def _newest_first(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    def key(left: LeftOut) -> tuple[Version, str]:
        try:
            return Version(left.version), left.what
        except InvalidVersion:
            return Version("0"), left.what

    return tuple(sorted(left_out, key=key, reverse=True))
