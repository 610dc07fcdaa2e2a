"""A thin or fat wheel as values: what its name claims, its directory, and the facts of each member."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from fatwheel.arch import Arch
from fatwheel.archive.directory import Entry, read_directory
from fatwheel.archive.ranges import RangeFile, Span
from fatwheel.deflate.content import Blocks
from fatwheel.errors import FormatError, WheelError
from fatwheel.macho.image import Image
from fatwheel.macho.staticlib import StaticLibrary
from fatwheel.macho.textstub import TextStub
from fatwheel.macho.universal import Universal
from fatwheel.values import valueclass
from fatwheel.wheels.distinfo import find_dist_info
from fatwheel.wheels.effort import Effort
from fatwheel.wheels.tags import WheelName, parse_wheel_name

__all__ = [
    "Content",
    "Member",
    "OpenWheel",
    "RecordProblem",
    "Wheel",
    "architectures",
    "images",
    "open_wheel",
    "slices",
]

Content = Universal | Image | StaticLibrary | TextStub | FormatError | None
"""What a member holds: Mach-O, a static library, a text stub, something that only begins like one (the
error says what is wrong with it), or anything else (None)."""


@valueclass
class Member:
    """One file of a wheel after its content was read once: size and CRC-32 were found to be true.

    `sha256` is the digest of the content (32 bytes). `blocks` says where the deflate stream ends, bit by bit;
    None for a stored member and where the inflater cannot tell.
    """

    entry: Entry
    sha256: bytes
    content: Content
    blocks: Blocks | None = None


@valueclass
class OpenWheel:
    """A wheel whose directory was read and found sound; its members' contents were not read yet.

    `entries` maps member names to entries, in the archive's order and without directories.
    `dist_info` is the name of its `.dist-info` folder. `effort` is what may still be read of its code.
    """

    path: Path
    name: WheelName
    file: RangeFile
    entries: Mapping[str, Entry]
    dist_info: str
    effort: Effort

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def entry(self, name: str) -> Entry:
        """Return the entry of `name`; raises `WheelError` where the wheel has none."""
        if (found := self.entries.get(name)) is not None:
            return found
        raise WheelError(self.path.name, name, "is missing; every wheel has one, so get it anew")


@valueclass
class RecordProblem:
    """One row in which RECORD and the archive disagree; `detail` is a clause that names both values."""

    Kind = Literal["differs", "unlisted", "absent", "unhashed", "malformed"]

    member: str
    kind: Kind
    detail: str


@valueclass
class Wheel:
    """A wheel that was read whole.

    `texts` holds the small files of its dist-info folder, by member name; `record_problems` says where RECORD
    disagrees with what was read.
    """

    name: WheelName
    dist_info: str
    members: Mapping[str, Member]
    texts: Mapping[str, bytes]
    record_problems: tuple[RecordProblem, ...] = ()

    def text(self, name: str) -> bytes:
        """Return the text of the dist-info file `name` ("WHEEL"); empty where the wheel has none."""
        return self.texts.get(f"{self.dist_info}/{name}", b"")


def open_wheel(path: Path) -> OpenWheel:
    """Open the wheel at `path` and read its directory.

    Raises `WheelError` for a name that is no wheel's, an unsound archive, or a missing or foreign
    `.dist-info` folder; `OSError` for a file that cannot be read.
    """
    name = parse_wheel_name(path.name)
    file = RangeFile(path)
    try:
        entries = {e.name: e for e in read_directory(file, path.name) if not e.is_dir}
        dist_info = find_dist_info(entries, name)
    except BaseException:
        file.close()
        raise
    spans = [Span(e.data_offset, e.compressed_size, e.name) for e in entries.values()]
    file.members = sorted(spans)
    return OpenWheel(
        path=path,
        name=name,
        file=file,
        entries=entries,
        dist_info=dist_info,
        effort=Effort(path.name, file.size),
    )


def images(content: Content) -> Iterator[Image | StaticLibrary]:
    """Yield the images and static libraries of a member, one for each architecture in it."""
    if isinstance(content, Universal):
        for piece in content.slices:
            if isinstance(piece.content, Image | StaticLibrary):
                yield piece.content
    elif isinstance(content, Image | StaticLibrary):
        yield content


def architectures(content: Content) -> frozenset[Arch]:
    """Return for which of the two architectures a member holds macOS code; empty for other files."""
    return frozenset(arch for image in images(content) if (arch := image.mac_arch) is not None)


def slices(wheel: Wheel) -> Iterator[tuple[str, Arch, Image]]:
    """Yield the slices of all macOS code in `wheel`: member, architecture, image."""
    for name, member in wheel.members.items():
        if member.content is None:  # nearly every member there is
            continue
        for image in images(member.content):
            if isinstance(image, Image) and (arch := image.mac_arch) is not None:
                yield name, arch, image
