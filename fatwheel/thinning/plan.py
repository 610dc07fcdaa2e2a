"""The plan of a thinning: a pure function from a wheel that was read to what will be written.

Every member of the wheel appears in it exactly once.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from fatwheel.arch import Arch
from fatwheel.check.code import described
from fatwheel.errors import RefusedError
from fatwheel.fusion.actions import (
    Conflict,
    Drop,
    Keep,
    Merge,
    SliceOf,
    Take,
    WriteAnew,
    WriteRecord,
)
from fatwheel.fusion.bundles import bundle_of, find_bundles
from fatwheel.fusion.glob import Glob
from fatwheel.fusion.plan import file_order
from fatwheel.macho.image import Image
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.thinning.madeby import read_report
from fatwheel.thinning.onesided import OneSided
from fatwheel.thinning.slices import choose_slice
from fatwheel.values import valueclass
from fatwheel.version import __version__
from fatwheel.wheels.distinfo import REPORT_NAME, format_wheel_metadata, parse_wheel_metadata
from fatwheel.wheels.tags import (
    Family,
    MacPlatform,
    WheelName,
    claims,
    family,
    with_platforms,
)
from fatwheel.wheels.wheel import Wheel, architectures, images

__all__ = ["Fate", "Patterns", "Reading", "ThinPlan", "format_report", "plan_thin", "thin_name"]

Fate = Keep | Take | Merge | WriteAnew | WriteRecord | Drop
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


@valueclass
class Patterns:
    """What the user decided on files without code for the architecture; `keep` wins."""

    drop: tuple[Glob, ...] = ()
    keep: tuple[Glob, ...] = ()

    def is_dropped(self, name: str) -> bool:
        """Return whether a file without code for the architecture is to go."""
        return _any(self.drop, name) and not self.is_kept(name)

    def is_kept(self, name: str) -> bool:
        """Return whether a file without code for the architecture is to stay."""
        return _any(self.keep, name)

    def unused(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the patterns that match none of `names`."""
        globs = (*self.drop, *self.keep)
        return tuple(glob.text for glob in globs if not any(map(glob.matches, names)))


def _any(globs: Sequence[Glob], name: str) -> bool:
    return any(glob.matches(name) for glob in globs)


@valueclass
class Reading:
    """A wheel that was read, its file's SHA-256 (hexadecimal), and what the plan needs to know for one architecture.

    `texts` are `arch`'s own of the texts that fatwheel made of two, `named` says which text names a file, and `foreign`
    are the files that the other architecture's wheel alone had when fatwheel fused both.
    """

    wheel: Wheel
    sha256: str
    arch: Arch
    one_sided: OneSided
    texts: Mapping[str, bytes] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)
    foreign: frozenset[str] = frozenset()


@valueclass
class ThinPlan:
    """What will be written, member by member in the order of the file.

    `filename` and `sha256` (hexadecimal) are the input's. `one_sided` are the members with code in which `arch` finds
    none, and those that the other architecture's wheel alone had; `unused` are the patterns that matched none of them.
    `notes` says what is to be known besides.
    """

    filename: str
    sha256: str
    arch: Arch
    name: WheelName
    dist_info: str
    members: tuple[Fate, ...]
    one_sided: frozenset[str]
    unused: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """None: nothing can be in conflict in one wheel."""
        return ()

    @property
    def written(self) -> tuple[Keep | Take | Merge | WriteAnew | WriteRecord, ...]:
        """The members that the thin wheel will hold."""
        return tuple(m for m in self.members if not isinstance(m, Drop))


def thin_name(name: WheelName, arch: Arch) -> WheelName:
    """Return the name of the thin wheel, which promises `arch` what `name` does: the lowest of its macOS versions.

    Raises `RefusedError` for a wheel that promises `arch` nothing, that is for any platform or not for macOS.
    """
    kind = family(name)
    if kind is Family.ANY:
        raise RefusedError(
            f"{name.filename} is for any platform and serves both architectures as it is"
        )
    if kind is not Family.MACOS:
        raise RefusedError(f"{name.filename} is not for macOS but for {', '.join(name.platforms)}")
    promised = claims(name)
    if arch not in promised:
        only = " and ".join(one.value for one in promised) or ", ".join(name.platforms)
        raise RefusedError(
            f"{name.filename} promises nothing for {arch.value} on macOS, only for {only}; "
            "thin a wheel that holds both"
        )
    return with_platforms(name, [str(MacPlatform(floor=promised[arch], suffix=arch.value))])


def plan_thin(
    reading: Reading, patterns: Patterns, generator: str = f"fatwheel {__version__}"
) -> ThinPlan:
    """Plan the wheel for one architecture; `generator` is what WHEEL and `fatwheel.json` name.

    A wheel in which there is nothing to leave out is copied, member by member. Raises `RefusedError` where no code for
    the architecture remains or the name promises it nothing, `WheelError` where WHEEL or `fatwheel.json` can't be read.
    """
    wheel = reading.wheel
    name = thin_name(wheel.name, reading.arch)
    _refuse_without_code(reading)
    fates = {member: _decide(reading, patterns, member) for member in wheel.members}
    if name != wheel.name or not all(isinstance(fate, Keep) for fate in fates.values()):
        fates |= _own_members(reading, name, fates, generator)
    one_sided = tuple({**reading.one_sided.stays, **dict.fromkeys(reading.foreign)})
    return ThinPlan(
        filename=wheel.name.filename,
        sha256=reading.sha256,
        arch=reading.arch,
        name=name,
        dist_info=wheel.dist_info,
        members=tuple(sorted(fates.values(), key=lambda m: file_order(m.name, wheel.dist_info))),
        one_sided=frozenset(one_sided),
        unused=patterns.unused(one_sided),
        notes=tuple(_notes(reading, fates)),
    )


def _refuse_without_code(reading: Reading) -> None:
    """Refuse a wheel in which there is nothing that a Mac of the architecture would run."""
    wheel, arch, one_sided = reading.wheel, reading.arch, reading.one_sided
    coded = [m.content for m in wheel.members.values() if m.content and any(images(m.content))]
    if not coded:
        raise RefusedError(
            f"{wheel.name.filename} holds no code, so it serves both architectures as it is"
        )
    if len(one_sided.stays) < len(coded) or one_sided.running:
        return
    held = frozenset().union(*map(architectures, coded))
    others = " and ".join(sorted(one.value for one in held)) or described(coded[0])
    first = next(iter(one_sided.stays))
    raise RefusedError(
        f"{wheel.name.filename} says {arch.value} and holds no code for it: its code is for {others} ({first} for "
        "one), so there is nothing to take out of it"
    )


def _decide(reading: Reading, patterns: Patterns, name: str) -> Fate:
    """Return what becomes of a member by what it holds."""
    member = reading.wheel.members[name]
    mode = member.entry.mode & 0o777
    if (text := reading.texts.get(name)) is not None:
        how = f"{reading.arch.value}'s own text, out of one that fatwheel had made of two"
        return Merge(name=name, mode=mode, content=text, how=how)
    keep = Keep(name=name, mode=mode, source=reading.arch, member=member)
    if name in reading.foreign:
        return _decide_foreign(reading, patterns, keep)
    if name in reading.one_sided.stays:
        return _decide_one_sided(reading, patterns, keep)
    choice = choose_slice(member.content, reading.arch)
    if choice is None:
        return keep
    if name in reading.one_sided.whole:
        return replace(keep, note="stays whole: a program that Rosetta 2 runs loads it")
    found = choice.taken
    if found is None:
        return replace(keep, note=f"stays whole: {choice.why}, where a program looks for them")
    assert isinstance(found.content, Image | StaticLibrary)
    piece = SliceOf(source=reading.arch, offset=found.offset, whole=False, content=found.content)
    note = f"{', '.join(choice.left_out)} left out as well" if choice.left_out else ""
    return Take(name=name, mode=mode, member=member, slice=piece, note=note)


def _decide_foreign(reading: Reading, patterns: Patterns, keep: Keep) -> Fate:
    """Decide about a file that the architecture's own wheel did not have."""
    other = f"only the {reading.arch.other.value} wheel had it"
    if patterns.is_kept(keep.name):
        return replace(keep, note=f"{other}; --keep")
    return Drop(name=keep.name, why=other)


def _decide_one_sided(reading: Reading, patterns: Patterns, keep: Keep) -> Fate:
    """Decide about a file with code, and none for the architecture."""
    name = keep.name
    lacks = f"no code for {reading.arch.value}"
    if patterns.is_dropped(name):
        return Drop(name=name, why=f"{lacks}; --drop")
    if patterns.is_kept(name):
        return replace(keep, note=f"{lacks}; --keep")
    if why := reading.one_sided.stays[name]:
        return replace(keep, note=f"{lacks}: {why}")
    if text := reading.named.get(name):
        return replace(keep, note=f"{lacks}: {text} names it")
    return Drop(name=name, why=f"{lacks}; nothing loads it and no text names it")


def _own_members(
    reading: Reading, name: WheelName, fates: Mapping[str, Fate], generator: str
) -> dict[str, Fate]:
    """Return the files of `.dist-info` that describe the wheel itself, where anything in it changes (PEP 427)."""
    wheel = reading.wheel
    record, about, report = (
        f"{wheel.dist_info}/{base}" for base in ("RECORD", "WHEEL", REPORT_NAME)
    )
    text = wheel.text("WHEEL").decode("utf-8", "replace")
    metadata = parse_wheel_metadata(text, wheel=wheel.name.filename, member=about)

    def mode(member: str) -> int:
        found = wheel.members.get(member)
        return 0o644 if found is None else found.entry.mode & 0o777

    own: dict[str, Fate] = {record: WriteRecord(name=record, mode=mode(record))}
    if set(metadata.tags) != set(name.expanded_tags):
        content = format_wheel_metadata(
            name, generator=generator, root_is_purelib=metadata.root_is_purelib
        )
        own[about] = WriteAnew(name=about, mode=mode(about), content=content)
    if report in wheel.members:
        content = format_report(reading, fates, generator)
        own[report] = WriteAnew(name=report, mode=mode(report), content=content)
    for base in _SIGNATURES:
        if (signature := f"{wheel.dist_info}/{base}") in wheel.members:
            own[signature] = Drop(name=signature, why="it signs the RECORD of the whole wheel")
    return own


def format_report(reading: Reading, fates: Mapping[str, Fate], generator: str) -> bytes:
    """Return the text of `fatwheel.json` for the thin wheel.

    It tells what the wheel was thinned from, what that one had been fused from, and the decisions of then about files
    that are as they were.
    """
    before = read_report(reading.wheel)
    document = {
        "generator": generator,
        "thinned": {
            "architecture": reading.arch.value,
            "filename": reading.wheel.name.filename,
            "sha256": reading.sha256,
        },
        "inputs": before.inputs,
        "decisions": [d for name, d in before.decisions if isinstance(fates.get(name), Keep)],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _notes(reading: Reading, fates: Mapping[str, Fate]) -> Iterator[str]:
    wheel, arch = reading.wheel, reading.arch
    if not any(arch in architectures(m.content) for m in wheel.members.values()):
        yield f"it holds no code for {arch.value}; Rosetta 2 runs its programs"
    bundles = find_bundles(wheel.members)
    broken = sorted(
        {
            bundle
            for name, fate in fates.items()
            if not isinstance(fate, Keep)
            and (bundle := bundle_of(name, bundles)) is not None
            and posixpath.dirname(name) not in (bundle, f"{bundle}/MacOS")
        }
    )
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        yield (
            f"the signature of {broken[0]}{more} seals files that are thin now; macOS loads the code all the same, and "
            "codesign --verify refuses the bundle, so sign anew what has to pass that"
        )
