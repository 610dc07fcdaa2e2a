"""Versions that lack an architecture's wheel, or both, and have an sdist of maturin's: listed as wheels to be built.

The resolver sees a wheel that is not there yet, with the METADATA that it will have: those of upstream's half, else
those of the sdist. Only what was pinned and is built in the end costs a compiler's time.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.tags import Tag
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import Version

from fatwheel.arch import Arch
from fatwheel.errors import FatwheelError, WheelError
from fatwheel.index.cache import Cache
from fatwheel.index.listing import Entry, Listing
from fatwheel.index.metadata import MetadataReader
from fatwheel.index.page import File, Page
from fatwheel.index.upstream import Upstream
from fatwheel.index.work import Work
from fatwheel.values import valueclass
from fatwheel.wheelhouse.choose import choose_entry
from fatwheel.wheels.tags import (
    Floor,
    TagStyle,
    WheelName,
    claims,
    fused_platforms,
    normalise,
    parse_wheel_name,
    with_platforms,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Builds", "SdistFacts", "ToBuild", "pinned_versions", "read_sdist", "wheels_to_build"]

_LOWEST: Mapping[Arch, Floor] = {Arch.X86_64: (10, 12), Arch.ARM64: (11, 0)}  # what Rust builds for
_PIN = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([^\s;,\\]+)")
_MOST_VERSIONS = 5  # of a project, whose sdists are fetched to be looked into
_LARGEST = 4 << 20  # bytes of a text in an sdist
_MOST = 1 << 30  # bytes of an sdist, unpacked
_STATIC = Version("2.2")  # from then on PKG-INFO says what it leaves open (PEP 643)


@valueclass
class SdistFacts:
    """What an sdist says: its build backend, what that requires, and METADATA; "" where the wheel's may differ."""

    backend: str
    requires: tuple[str, ...]
    metadata: str

    @property
    def is_maturins(self) -> bool:
        """Whether maturin builds it."""
        return self.backend.partition(".")[0] in {"maturin", "fatwheel"}


@valueclass
class ToBuild:
    """A wheel to be built: `entry` stands for it in the index, `archs` are built from `sdist`, `half` is upstream's."""

    entry: Entry
    sdist: Entry
    half: Entry | None
    archs: tuple[Arch, ...]

    @property
    def files(self) -> tuple[File, ...]:
        """What it is made of."""
        return (*(self.half.files if self.half is not None else ()), *self.sdist.files)

    @property
    def sentence(self) -> str:
        """What is done, and why."""
        lacking = " and ".join(arch.value for arch in self.archs)
        halves = "half is" if self.half is not None else "halves are"
        name = f"{self.entry.filename.partition('-')[0]} {self.entry.version}"
        return (
            f"{name}: the {lacking} {halves} built here from the sdist, by the project's own code, for upstream has no "
            f"{' or '.join(arch.value for arch in self.archs)} wheel"
        )


class Builds:
    """What is listed besides: wheels to be built, by the names that they have in the index."""

    def __init__(
        self,
        cache: Cache,
        tags: Mapping[Arch, Mapping[Tag, int]],
        python: str,
        pinned: Mapping[str, set[str]],
        *,
        offline: bool,
    ) -> None:
        """`tags` are those of the app's Python, `pinned` versions that are asked for by number."""
        self._cache = cache
        self._tags = tags
        self._python = python
        self._pinned = pinned
        self._reader = MetadataReader(cache, offline=offline)
        self.known: dict[str, ToBuild] = {}

    async def complete(
        self, work: Work, upstream: Upstream, page: Page, listing: Listing
    ) -> Listing:
        """Return the listing with wheels to be built, where the newest of their sdists is one of maturin's."""
        project = normalise(page.name)
        pinned = self._pinned.get(project, set())
        found = wheels_to_build(page, listing, self._tags, self._python, pinned)
        added = []
        for wheel in found[:_MOST_VERSIONS]:
            try:
                made = await work.make(upstream, project, wheel.sdist)
                facts = await asyncio.to_thread(read_sdist, made.path)
                if not facts.is_maturins:
                    break  # older ones are less likely to be
                text = await self._metadata(upstream, wheel, facts)
            except FatwheelError:
                continue  # as if there were no such sdist; the index says what failed
            if text:
                added.append(self._listed(wheel, text))
        if not added:
            return listing
        entries = sorted(
            [*listing.entries, *added], key=lambda entry: (Version(entry.version), entry.filename)
        )
        return replace(listing, entries=tuple(entries))

    async def _metadata(self, upstream: Upstream, wheel: ToBuild, facts: SdistFacts) -> bytes:
        if wheel.half is None:
            return facts.metadata.encode()
        return await self._reader.read(upstream, wheel.half.files[0])

    def _listed(self, wheel: ToBuild, text: bytes) -> Entry:
        """Return the entry, whose METADATA is in the cache now; its key is of what it will be made of."""
        digests = [file.sha256 or file.url for file in wheel.files]
        key = hashlib.sha256("\n".join(["to be built", *digests]).encode()).hexdigest()
        (source,) = wheel.entry.files
        metadata = {"sha256": hashlib.sha256(text).hexdigest()}
        source = replace(source, hashes={"sha256": key}, size=None, metadata=metadata)
        self._cache.keep_metadata(source, text)
        entry: Entry = replace(wheel.entry, source=source)
        self.known[entry.filename] = replace(wheel, entry=entry)
        return entry


def wheels_to_build(
    page: Page,
    listing: Listing,
    tags: Mapping[Arch, Mapping[Tag, int]],
    python: str,
    pinned: set[str],
) -> list[ToBuild]:
    """Return the wheels that could be built from sdists, the newest version first.

    Of versions that the index has no file of for that Python: those that are newer than all that it has, and those that
    are `pinned`. Pre-releases are not among them unless they are pinned.
    """
    served = [
        Version(version)
        for version in {entry.version for entry in listing.entries}
        if choose_entry(listing.entries, version, tags) is not None
    ]
    newest = max((version for version in served if not version.is_prerelease), default=None)
    halves = _halves(page, tags)
    found = []
    for file in page.files:
        sdist = _sdist(file)
        if sdist is None:
            continue
        version = Version(sdist.version)
        is_pinned = version in {Version(text) for text in pinned}
        is_newer = not version.is_prerelease and (newest is None or version > newest)
        if version in served or not (is_pinned or (is_newer and file.yanked is None)):
            continue
        there = halves.get(version, {})
        if len(there) < 2:  # two that are no pair are another trouble than a lack
            found.append(_to_build(sdist, there, python))
    return sorted(found, key=lambda wheel: Version(wheel.entry.version), reverse=True)


def _sdist(file: File) -> Entry | None:
    if not file.filename.endswith(".tar.gz"):
        return None
    try:
        _, version = parse_sdist_filename(file.filename)
    except (InvalidSdistFilename, ValueError):
        return None
    return Entry(filename=file.filename, version=str(version), source=file)


def _halves(
    page: Page, tags: Mapping[Arch, Mapping[Tag, int]]
) -> dict[Version, dict[Arch, tuple[WheelName, File]]]:
    """Return the best thin wheel for each version and architecture that the wanted Python takes."""
    best: dict[tuple[Version, Arch], tuple[int, WheelName, File]] = {}
    for file in page.files:
        try:
            name = parse_wheel_name(file.filename)
            floors = claims(name)
        except WheelError:
            continue
        if len(floors) != 1:
            continue
        (arch,) = floors
        ranks = [tags[arch][tag] for tag in map(_tag, name.expanded_tags) if tag in tags[arch]]
        key = Version(name.version), arch
        if ranks and (key not in best or min(ranks) < best[key][0]):
            best[key] = min(ranks), name, file
    found: dict[Version, dict[Arch, tuple[WheelName, File]]] = {}
    for (version, arch), (_, name, file) in best.items():
        found.setdefault(version, {})[arch] = name, file
    return found


def _tag(text: str) -> Tag:
    return Tag(*text.split("-"))


def _to_build(sdist: Entry, halves: Mapping[Arch, tuple[WheelName, File]], python: str) -> ToBuild:
    """Return the wheel under the name that it will probably have; only its tags matter before it is there."""
    floors = {**_LOWEST}
    half = None
    interpreter = f"cp{python.replace('.', '')}"
    name = WheelName(
        distribution=sdist.filename.rpartition("-")[0].replace("-", "_").replace(".", "_"),
        version=sdist.version,
        pythons=(interpreter,),
        abis=(interpreter,),
        platforms=(),
    )
    for arch, (own, file) in halves.items():
        name, floors[arch] = own, claims(own)[arch]
        half = Entry(filename=file.filename, version=own.version, source=file)
    platforms = fused_platforms(floors[Arch.X86_64], floors[Arch.ARM64], TagStyle.EXACT)
    filename = with_platforms(name, platforms).filename
    (origin,) = (half or sdist).files
    return ToBuild(
        entry=Entry(
            filename=filename, version=sdist.version, source=replace(origin, filename=filename)
        ),
        sdist=sdist,
        half=half,
        archs=tuple(arch for arch in Arch if arch not in halves),
    )


def pinned_versions(texts: Iterable[str]) -> dict[str, set[str]]:
    """Return the versions that requirements ask for by number (`name==1.0`), by normalised name."""
    found: dict[str, set[str]] = {}
    for line in (line for text in texts for line in text.splitlines()):
        if match := _PIN.match(line):
            try:
                version = str(Version(match[2]))
            except ValueError:  # `==1.*`
                continue
            found.setdefault(normalise(match[1]), set()).add(version)
    return found


def read_sdist(path: Path) -> SdistFacts:
    """Return what pyproject.toml and PKG-INFO in the sdist at `path` say.

    Raises `WheelError` for an archive that cannot be read or is larger than any.
    """
    texts = dict.fromkeys(("pyproject.toml", "PKG-INFO"), "")
    for name, text in _texts(path, set(texts)):
        texts[name] = text
    try:
        system: Any = tomllib.loads(texts["pyproject.toml"]).get("build-system", {})
    except (ValueError, RecursionError):
        system = {}
    requires = system.get("requires", []) if isinstance(system, dict) else []
    backend = system.get("build-backend", "") if isinstance(system, dict) else ""
    return SdistFacts(
        backend=str(backend),
        requires=tuple(str(one) for one in requires) if isinstance(requires, list) else (),
        metadata=texts["PKG-INFO"] if _is_static(texts["PKG-INFO"]) else "",
    )


def _texts(path: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the wanted files at the top of the archive, until all were there."""
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                parts = member.name.split("/")
                if stream.tell() > _MOST:
                    raise WheelError(path.name, None, "is larger than 1 GiB when unpacked")
                if len(parts) == 2 and parts[1] in wanted and member.size <= _LARGEST:
                    file = archive.extractfile(member)
                    if file is not None:
                        yield parts[1], file.read().decode("utf-8", "replace")
                        wanted = wanted - {parts[1]}
                if not wanted:
                    return
    except (tarfile.TarError, OSError, EOFError) as error:
        raise WheelError(path.name, None, f"cannot be read as an sdist: {error}") from None


def _is_static(metadata: str) -> bool:
    """Return whether the wheel's METADATA will be the same in all that a resolver asks for (PEP 643)."""
    import email

    head = email.message_from_string(metadata)
    open_fields = {str(name).lower() for name in head.get_all("Dynamic", [])}
    try:
        is_new = Version(str(head.get("Metadata-Version", "0"))) >= _STATIC
    except ValueError:
        return False
    return is_new and not open_fields & {"requires-dist", "requires-python", "provides-extra"}
