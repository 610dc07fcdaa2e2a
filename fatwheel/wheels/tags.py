"""Wheel file names and the macOS platform tags in them.

A wheel's file name is read as written (`parse_wheel_name`), asked what it promises to each
architecture (`claims`), and written again with the platform tags of the fused wheel
(`fused_platforms`).

Specifications: binary distribution format, "File name convention" (PEP 427); platform
compatibility tags (PEP 425), with `packaging.tags.mac_platforms` as the judge of which macOS
accepts which tag.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum

from packaging.version import InvalidVersion, Version

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = [
    "BUILD_TAG",
    "Family",
    "Floor",
    "MacPlatform",
    "TagStyle",
    "WheelKey",
    "WheelName",
    "claims",
    "family",
    "format_floor",
    "fused_platforms",
    "normalise",
    "parse_mac_platform",
    "parse_version",
    "parse_wheel_name",
    "with_platforms",
]

Floor = tuple[int, int]
"""The oldest macOS that a tag accepts: (major, minor)."""

WheelKey = tuple[str, Version, str, frozenset[str], frozenset[str]]
"""What two wheels must share to be a pair: name, version, build, Python tags, ABI tags."""

BUILD_TAG = r"[0-9][A-Za-z0-9_.]*"
"""What a build tag is, where there is one: a regular expression."""

_ARCHES_OF_SUFFIX = {
    "x86_64": frozenset({Arch.X86_64}),
    "arm64": frozenset({Arch.ARM64}),
    "universal2": frozenset({Arch.X86_64, Arch.ARM64}),
    # Older than arm64: i386 + x86_64, ppc64 + x86_64, ppc + i386 + x86_64, all four.
    "intel": frozenset({Arch.X86_64}),
    "fat64": frozenset({Arch.X86_64}),
    "fat3": frozenset({Arch.X86_64}),
    "universal": frozenset({Arch.X86_64}),
}
_LAST_MINOR_OF_10 = 16  # what macOS 11 calls itself to programs that were built for macOS 10
_MAC_PLATFORM = re.compile(r"macosx_(0|[1-9][0-9]{0,3})_(0|[1-9][0-9]{0,3})_([a-z0-9_]+)", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_.]+", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
_RUN_OF_DASHES = re.compile(r"[-_.]+")
_LONGEST_NAME = 255  # bytes; no file system takes more
MOST_TAGS = 10_000
"""Single tags that a compressed set may stand for (PEP 425); real ones have some dozens."""


class TagStyle(Enum):
    """How a fused wheel spells its platform tags."""

    EXACT = "exact"
    """As few tags as say exactly what both thin wheels said: one, or two."""
    COMPRESSED = "compressed"
    """maturin's triple, for installers that do not know universal2 (pip before 21.0.1)."""


class Family(Enum):
    """Which systems the platform tags of a wheel speak of."""

    MACOS = "macOS"
    """All are macOS tags."""
    ANY = "any"
    """At least one is `any`: the wheel serves every architecture as it is."""
    OTHER = "other"
    """At least one belongs to another system, and none is `any`."""


@valueclass
class MacPlatform:
    """One macOS platform tag, `macosx_{major}_{minor}_{suffix}` (PEP 425, "Platform Tag").

    `floor` is the tag's macOS version as written; `suffix` its binary format (`arm64`,
    `universal2`, `intel`, …).
    """

    floor: Floor
    suffix: str

    def __str__(self) -> str:
        """Return the tag as it stands in a file name."""
        return f"macosx_{self.floor[0]}_{self.floor[1]}_{self.suffix}"

    @property
    def arches(self) -> frozenset[Arch]:
        """Those of the two architectures that the tag promises; none for `i386` or `ppc`."""
        return _ARCHES_OF_SUFFIX.get(self.suffix, frozenset())


@valueclass
class WheelName:
    """A wheel's file name, taken apart (binary distribution format, "File name convention").

    All fields are as written: `distribution` and `version` unnormalised, `build` "" where there
    is none, the three tag sets with their tags in the order of the file name.
    """

    distribution: str
    version: str
    build: str = ""
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    @property
    def filename(self) -> str:
        """The file name, `.whl` included."""
        parts = [self.distribution, self.version]
        if self.build:
            parts.append(self.build)
        parts += [".".join(tags) for tags in (self.pythons, self.abis, self.platforms)]
        return "-".join(parts) + ".whl"

    @property
    def key(self) -> WheelKey:
        """What a partner must have, too: normalised, and everything but the platform tags."""
        return (
            normalise(self.distribution),
            Version(self.version),
            self.build,
            frozenset(self.pythons),
            frozenset(self.abis),
        )

    @property
    def expanded_tags(self) -> tuple[str, ...]:
        """Every single tag `python-abi-platform` of the compressed set (PEP 425), sorted."""
        pythons, abis, platforms = set(self.pythons), set(self.abis), set(self.platforms)
        return tuple(
            sorted(
                f"{python}-{abi}-{mac}" for python in pythons for abi in abis for mac in platforms
            )
        )


def normalise(project: str) -> str:
    """Return a project's name as all its spellings are compared (names and normalization, PEP 503).

    `packaging.utils` has it, too, and takes 7 ms to import.
    """
    return _RUN_OF_DASHES.sub("-", project).lower()


def parse_version(text: str) -> Version | None:
    """Return the version (PEP 440) that `text` is; None where it is none, or too long for a file name."""
    try:
        return Version(text) if len(text) <= _LONGEST_NAME else None
    except InvalidVersion:
        return None


def parse_wheel_name(filename: str) -> WheelName:
    """Take a wheel's file name (no folders) apart.

    Raises `WheelError` when it is not one (binary distribution format, "File name convention").
    `parse_wheel_name(name).filename == name` for every name that it accepts.
    """

    def refuse(problem: str) -> WheelError:
        return WheelError(filename, None, problem)

    if not filename.endswith(".whl"):
        raise refuse("not a wheel: the file name does not end in .whl")
    if len(filename) > _LONGEST_NAME:
        raise refuse(
            f"the file name has {counted(len(filename), 'character')}, more than {_LONGEST_NAME}"
        )
    parts = filename.removesuffix(".whl").split("-")
    if len(parts) not in {5, 6}:
        raise refuse(
            f"the file name has {len(parts)} parts between dashes; a wheel's has five or six:"
            " name-version[-build]-python-abi-platform.whl"
        )
    distribution, version = parts[:2]
    build = parts[2] if len(parts) == 6 else ""
    if not _NAME.fullmatch(distribution) or "__" in distribution:
        raise refuse(f"{distribution!r} in the file name is no escaped project name")
    if parse_version(version) is None:
        raise refuse(f"{version!r} in the file name is no version (PEP 440)")
    if len(parts) == 6 and not re.fullmatch(BUILD_TAG, build):
        raise refuse(f"the build tag {build!r} in the file name does not start with a digit")
    sets = [tuple(part.split(".")) for part in parts[-3:]]
    for kind, tags in zip(("Python", "ABI", "platform"), sets, strict=True):
        for tag in tags:
            if not _TAG.fullmatch(tag):
                raise refuse(f"the file name has {tag!r} as a {kind} tag (PEP 425)")
    if (count := math.prod(map(len, sets))) > MOST_TAGS:
        raise refuse(f"the file name stands for {count} tags; at most {MOST_TAGS} are read")
    pythons, abis, platforms = sets
    if not all(map(str.isidentifier, pythons)):  # installers refuse it
        raise refuse(
            f"the file name has {parts[-3]!r} as Python tags, which do not start with a letter"
        )
    return WheelName(
        distribution=distribution,
        version=version,
        build=build,
        pythons=pythons,
        abis=abis,
        platforms=platforms,
    )


def with_platforms(name: WheelName, platforms: Sequence[str]) -> WheelName:
    """Return the name with other platform tags and all else as it was."""
    return replace(name, platforms=tuple(platforms))


def parse_mac_platform(tag: str) -> MacPlatform | None:
    """Return the macOS platform tag that `tag` is, or None for `any` and for another system's tag.

    A tag that begins with `macosx` and is none at all is None, too: no installer takes it for
    macOS.
    """
    match = _MAC_PLATFORM.fullmatch(tag)
    if match is None:
        return None
    return MacPlatform(floor=(int(match[1]), int(match[2])), suffix=match[3])


def family(name: WheelName) -> Family:
    """Return which systems a wheel's name speaks of."""
    if "any" in name.platforms:
        return Family.ANY
    if all(parse_mac_platform(tag) is not None for tag in name.platforms):
        return Family.MACOS
    return Family.OTHER


def claims(name: WheelName) -> dict[Arch, Floor]:
    """Return, for each architecture that the name's macOS tags promise, the oldest macOS promised.

    Of several tags for one architecture the lowest counts. A floor is never below the first macOS
    that ran the architecture: `macosx_10_9_universal2` promises macOS 11.0 to arm64. Tags of
    other systems say nothing, so that the result is empty for an `any` or a Linux wheel.

    Raises `WheelError` for a tag that no installer ever matches: from macOS 11 on the minor
    version in a tag is 0, and macOS 10 ends with 10.16.
    """
    promised: dict[Arch, Floor] = {}
    for tag in name.platforms:
        platform = parse_mac_platform(tag)
        if platform is None:
            continue
        _refuse_unmatched(name, platform)
        for arch in platform.arches:
            floor = max(platform.floor, arch.lowest_macos)
            promised[arch] = min(floor, promised.get(arch, floor))
    return {arch: promised[arch] for arch in Arch if arch in promised}


def _refuse_unmatched(name: WheelName, platform: MacPlatform) -> None:
    major, minor = platform.floor
    if major >= 11 and minor:
        better = MacPlatform(floor=(major, 0), suffix=platform.suffix)
        why = f"from macOS 11 on the minor version in a tag is 0; retag the wheel as {better}"
    elif major == 10 and minor > _LAST_MINOR_OF_10:
        why = f"macOS 10 ends with 10.{_LAST_MINOR_OF_10}"
    elif major < 10:
        why = "macOS starts with 10.0"
    else:
        return
    raise WheelError(
        name.filename, None, f"no installer matches the platform tag {platform}: {why}"
    )


def format_floor(floor: Floor) -> str:
    """Return a macOS version as people write it: `10.13`."""
    return f"{floor[0]}.{floor[1]}"


def fused_platforms(x86_64: Floor, arm64: Floor, style: TagStyle) -> tuple[str, ...]:
    """Return the platform tags, sorted, of the wheel fused from two thin ones with these floors.

    In both styles each architecture is offered exactly what its thin wheel claimed, for a
    `packaging` that knows universal2: the triple's universal2 tag starts where that adds nothing
    to either of the thin tags that stand beside it.

    `ValueError` for an arm64 floor below macOS 11.0 (`claims` never gives one).
    """
    if arm64 < Arch.ARM64.lowest_macos:
        raise ValueError(f"arm64 never ran on macOS {format_floor(arm64)}")
    both = max(x86_64, Arch.ARM64.lowest_macos)
    if arm64 == both:
        tags = {"universal2": x86_64}
    elif arm64 > both:
        tags = {"x86_64": x86_64, "universal2": arm64}
    else:
        tags = {"arm64": arm64, "universal2": x86_64}
    if style is TagStyle.COMPRESSED:
        tags |= {"x86_64": x86_64, "arm64": arm64}
    return _sorted_tags(MacPlatform(floor=floor, suffix=suffix) for suffix, floor in tags.items())


def _sorted_tags(platforms: Iterable[MacPlatform]) -> tuple[str, ...]:
    # As text, which is what PEP 425 and `packaging` mean by sorted: 10_13 comes before 10_9.
    return tuple(sorted(map(str, platforms)))
