"""Code signatures within an image: who signed it, and whether the code is still what was signed.

LC_CODE_SIGNATURE (mach-o/loader.h) leads to a SuperBlob at the image's end, which lists blobs by slot: one
CodeDirectory or more, each with hashes of all pages of code before the signature and of what goes with them
(xnu, osfmk/kern/cs_blobs.h). Numbers are big-endian, offsets count from the blob's start.

They are read as strictly as the kernel reads them (xnu, bsd/kern/ubc_subr.c, cs_validate_csblob). Of several
directories it enforces the one with the strongest hash. The CMS blob, which holds certificates, is not verified.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from enum import Enum, IntEnum
from itertools import pairwise
from typing import NamedTuple, TypeVar

from fatwheel.errors import FormatError
from fatwheel.macho.pagehashes import PageChoice, PageHash, PageSums, SignedImage
from fatwheel.macho.probe import Parser, Range, Watch, pieces, take
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = [
    "AD_HOC",
    "LARGEST_SIGNATURE",
    "LINKER_SIGNED",
    "RUNTIME",
    "CodeDirectory",
    "HashType",
    "MalformedSignature",
    "Signature",
    "Signer",
    "Slot",
    "WrongPages",
    "parse_signature",
    "with_signature",
]

T = TypeVar("T")

LARGEST_SIGNATURE = 16 << 20
"""Bytes of a signature above which it is refused; that of 1 GB of code has 8 MB."""

_SUPERBLOB, _CODE_DIRECTORY = 0xFADE0CC0, 0xFADE0C02
_MOST_BLOBS = 64  # real signatures have up to 7
_LONGEST_TEXT = 4096  # bytes of an identifier; real ones have up to 100
_PAGE_BITS = (0, *range(12, 17))  # real directories have 12 and 14
_LARGEST_SPECIAL_SLOT = 11
_DEVELOPER_ID = bytes.fromhex("060a2a864886f7636406010d")  # OID 1.2.840.113635.100.6.1.13 in DER
_BLOB_HEADER, _SUPERBLOB_HEADER = 8, 12  # bytes: magic and length; and how many blobs


AD_HOC, RUNTIME, LINKER_SIGNED = 0x2, 0x10000, 0x20000
"""Of the `flags` of a CodeDirectory those that tell how it was signed."""


class HashType(IntEnum):
    """`hashType` of a CodeDirectory."""

    SHA1 = 1
    SHA256 = 2
    SHA256_TRUNCATED = 3
    SHA384 = 4

    @property
    def algorithm(self) -> str:
        """The name that hashlib has for it."""
        return _ALGORITHMS[self]

    @property
    def label(self) -> str:
        """The name that people have for it."""
        return ("SHA-1", "SHA-256", "truncated SHA-256", "SHA-384")[self - 1]

    @property
    def size(self) -> int:
        """Bytes of one hash in a directory."""
        return _HASH_SIZES[self]

    @property
    def strength(self) -> int:
        """The kernel prefers the directory where it is largest."""
        return (HashType.SHA1, HashType.SHA256_TRUNCATED, HashType.SHA256, HashType.SHA384).index(
            self
        )

    @property
    def full_size(self) -> int:
        """Bytes of the algorithm's hash, which a directory may have cut short."""
        return 32 if self is HashType.SHA256_TRUNCATED else self.size

    def digest(self, data: bytes | bytearray) -> bytes:
        """Return the hash of `data`."""
        return hashlib.new(self.algorithm, data, usedforsecurity=False).digest()[: self.size]


_ALGORITHMS = {1: "sha1", 2: "sha256", 3: "sha256", 4: "sha384"}
_HASH_SIZES = {1: 20, 2: 32, 3: 20, 4: 48}


class Slot(IntEnum):
    """What a blob is; below 12 also what a special slot of a CodeDirectory holds the hash of."""

    CODE_DIRECTORY = 0
    INFO_PLIST = 1
    REQUIREMENTS = 2
    CODE_RESOURCES = 3
    APPLICATION = 4
    ENTITLEMENTS = 5
    DER_ENTITLEMENTS = 7
    ALTERNATE_DIRECTORY = 0x1000
    CMS = 0x10000


_DIRECTORIES = (
    Slot.CODE_DIRECTORY,
    *range(Slot.ALTERNATE_DIRECTORY, Slot.ALTERNATE_DIRECTORY + 5),
)
_MAGICS: Mapping[int, int] = {
    **dict.fromkeys(_DIRECTORIES, _CODE_DIRECTORY),
    Slot.REQUIREMENTS: 0xFADE0C01,
    Slot.ENTITLEMENTS: 0xFADE7171,
    Slot.DER_ENTITLEMENTS: 0xFADE7172,
    Slot.CMS: 0xFADE0B01,
}


class Signer(Enum):
    """Who signed, as far as the signature says so itself: certificates are not verified."""

    LINKER = "linker-signed"
    AD_HOC = "ad hoc"
    DEVELOPER_ID = "Developer ID"
    CERTIFICATE = "another certificate"
    UNKNOWN = "neither ad hoc nor by certificate"


class WrongPages(NamedTuple):
    """How many pages are not what was signed, and the number of the first."""

    pages: int
    first: int


@valueclass
class CodeDirectory:
    """One CodeDirectory: what it says, and what the code and the blobs say to it.

    `slot` is where it is listed. `flags` is the raw value. `page_size` (0: one page) and `code_limit` are in bytes,
    `pages` counts the hashes. `special` maps special slots to hashes, without those that are zero. `verified` says
    whether the pages were hashed its way; then `wrong_pages` are those with another hash. `wrong_slots` are the
    special slots whose hash is not that of the blob in the signature.
    """

    slot: int
    version: int
    flags: int
    hash_type: HashType
    page_size: int
    code_limit: int
    pages: int
    identifier: str
    team: str | None
    special: Mapping[int, bytes]
    wrong_slots: tuple[int, ...]
    verified: bool
    wrong_pages: WrongPages | None

    @property
    def page_hash(self) -> PageHash:
        """How its pages are hashed."""
        return PageHash(self.hash_type.algorithm, self.page_size)


@valueclass
class Signature:
    """A signature: its place in the image (bytes), its directories, the strongest first, and all its blobs.

    `blobs` maps slots to sizes in bytes.
    """

    offset: int
    size: int
    directories: tuple[CodeDirectory, ...]
    blobs: Mapping[int, int]
    signer: Signer

    @property
    def enforced(self) -> CodeDirectory:
        """The directory that macOS goes by."""
        return self.directories[0]


@valueclass
class MalformedSignature:
    """A signature that the kernel refuses: what is wrong, and at which byte of the file."""

    offset: int
    problem: str


def with_signature(
    source: str, image: SignedImage, head: bytes, choice: PageChoice | None, rest: Parser[T]
) -> Parser[tuple[T, Signature | MalformedSignature]]:
    """Run `rest`, which reads the image behind its first bytes `head`, and read the signature after it.

    On the way the pages are hashed as `choice` says.
    """
    sums = [PageSums(kind) for kind in (choice(image) if choice is not None else ())]

    def see(code: bytes | memoryview) -> None:
        for one in sums:
            one.feed(code)

    start, position = image.base + image.limit, image.base + len(head)
    see(head)
    if sums and position < start:
        yield Watch(position, start - position, see)
    value, position = yield from _followed(rest, position)
    try:
        if position > start:
            problem = (
                "the signature lies before other parts, which were read up to byte "
                f"{position}; it must be the last part of its image"
            )
            raise FormatError(source, start, problem)
        data = yield from _read(source, image)
        hashes = {one.kind: one.finish() for one in sums}
        found = parse_signature(source, image, data, hashes)
    except FormatError as error:
        return value, MalformedSignature(offset=error.offset or start, problem=error.problem)
    return value, found


def _followed(parser: Parser[T], position: int) -> Parser[tuple[T, int]]:
    """Run `parser`; return its value, and up to which byte it read."""
    try:
        wanted = next(parser)
        while True:
            if isinstance(wanted, Range):
                position = max(position, wanted.end)
            wanted = parser.send((yield wanted))
    except StopIteration as stop:
        return stop.value, position


class _Blob(NamedTuple):
    """One blob: its slot, and which bytes of the signature it is, header included."""

    slot: int
    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


def _read(source: str, image: SignedImage) -> Parser[bytearray]:
    """Read the signature of `image` as far as it says that it goes."""
    start = image.base + image.limit
    data = bytearray((yield from take(start, min(image.size, _SUPERBLOB_HEADER))))
    if len(data) < _SUPERBLOB_HEADER:
        problem = f"a signature has a header of {_SUPERBLOB_HEADER} bytes, not {len(data)}"
        raise FormatError(source, start, problem)
    magic, length = struct.unpack_from(">2I", data)
    if magic not in (_SUPERBLOB, _CODE_DIRECTORY):
        problem = f"the signature begins with {magic:#010x}, it must be {_SUPERBLOB:#x}"
        raise FormatError(source, start, problem)
    if not _SUPERBLOB_HEADER <= length <= image.size:
        problem = f"the signature says {counted(length, 'byte')}, LC_CODE_SIGNATURE {image.size}"
        raise FormatError(source, start + 4, problem)
    if length > LARGEST_SIGNATURE:
        problem = f"a signature of {counted(length, 'byte')}, more than {LARGEST_SIGNATURE}; no real one is"
        raise FormatError(source, start + 4, problem)
    for piece in pieces(start + len(data), length - len(data)):
        data += yield piece
    if len(data) < length:
        problem = f"the data end here, the signature ends at {start + length}"
        raise FormatError(source, start + len(data), problem)
    return data


def parse_signature(
    source: str, image: SignedImage, data: bytes | bytearray, hashes: Mapping[PageHash, bytes]
) -> Signature:
    """Parse the signature `data` of `image`; `hashes` are those of its pages, as far as they were taken.

    Raises `FormatError` where the kernel would refuse it.
    """
    start = image.base + image.limit
    if data.startswith(_CODE_DIRECTORY.to_bytes(4, "big")):  # alone; the kernel takes that, too
        blobs = [_Blob(Slot.CODE_DIRECTORY, 0, len(data))]
    else:
        blobs = _blobs(source, data, start)
    inner = {blob.slot: blob for blob in blobs if blob.slot not in _DIRECTORIES}
    directories = [
        _Reader(source, start, data, blob).directory(image, inner, hashes)
        for blob in blobs
        if blob.slot in _DIRECTORIES
    ]
    directories.sort(key=lambda one: one.hash_type.strength, reverse=True)
    if not directories:
        raise FormatError(source, start, "the signature has no CodeDirectory")
    for one, other in pairwise(directories):
        if one.hash_type is other.hash_type:
            problem = f"the signature has two directories with {one.hash_type.label}"
            raise FormatError(source, start, problem)
    return Signature(
        offset=image.limit,
        size=image.size,
        directories=tuple(directories),
        blobs={blob.slot: blob.size for blob in blobs},
        signer=_signer(directories[0].flags, data, inner.get(Slot.CMS)),
    )


def _blobs(source: str, data: bytes | bytearray, start: int) -> list[_Blob]:
    """Return the blobs that the SuperBlob at byte `start` lists."""
    (count,) = struct.unpack_from(">I", data, 8)
    end = _SUPERBLOB_HEADER + 8 * count
    if count > _MOST_BLOBS or end > len(data):
        whole = counted(len(data), "byte")
        problem = f"the signature lists {counted(count, 'blob')}; {_MOST_BLOBS} at most, in {whole}"
        raise FormatError(source, start + 8, problem)
    found: dict[int, _Blob] = {}
    for at in range(_SUPERBLOB_HEADER, end, 8):
        slot, offset = struct.unpack_from(">2I", data, at)
        size = int.from_bytes(data[offset + 4 : offset + _BLOB_HEADER], "big")
        if offset < end or not _BLOB_HEADER <= size <= len(data) - offset:
            problem = (
                f"the blob of slot {slot:#x} has {counted(size, 'byte')} at {offset} of {len(data)}"
            )
            raise FormatError(source, start + at, problem)
        if slot in found:
            raise FormatError(source, start + at, f"the signature lists slot {slot:#x} twice")
        found[slot] = _Blob(slot, offset, offset + size)
        magic = int.from_bytes(data[offset : offset + 4], "big")
        if magic != _MAGICS.get(slot, magic):
            problem = (
                f"the blob of slot {slot:#x} begins with {magic:#010x}, it must be "
                f"{_MAGICS[slot]:#x}"
            )
            raise FormatError(source, start + offset, problem)
    for one, other in pairwise(sorted(found.values(), key=lambda blob: blob.start)):
        if other.start < one.end:
            problem = f"the blob of slot {other.slot:#x} overlaps that of slot {one.slot:#x}"
            raise FormatError(source, start + other.start, problem)
    return list(found.values())


def _signer(flags: int, data: bytes | bytearray, cms: _Blob | None) -> Signer:
    if flags & LINKER_SIGNED:
        return Signer.LINKER
    if flags & AD_HOC:
        return Signer.AD_HOC
    if cms is None or cms.size == _BLOB_HEADER:
        return Signer.UNKNOWN
    found = data.find(_DEVELOPER_ID, cms.start, cms.end)
    return Signer.CERTIFICATE if found < 0 else Signer.DEVELOPER_ID


_FIELDS = struct.Struct(">7I4B")
_SCATTER, _TEAM, _CODE_LIMIT_64 = (0x20100, 44, 4), (0x20200, 48, 4), (0x20300, 56, 8)
"""Of fields that came later: the version that has them, their offset and size in bytes."""
_FIRST_SIZE = 44  # bytes of a CodeDirectory of the first version


class _Reader:
    """Reads one CodeDirectory."""

    def __init__(self, source: str, start: int, data: bytes | bytearray, blob: _Blob) -> None:
        self._source = source
        self._base = start + blob.start
        self._data = data  # of the signature
        self._blob = blob

    def directory(
        self,
        image: SignedImage,
        inner: Mapping[int, _Blob],
        hashes: Mapping[PageHash, bytes],
    ) -> CodeDirectory:
        size = self._blob.size
        if size < _FIRST_SIZE:
            raise self._refuse(
                4, f"it has {counted(size, 'byte')}, at least {_FIRST_SIZE} are needed"
            )
        fields = _FIELDS.unpack_from(self._data, self._blob.start + _BLOB_HEADER)
        version, flags, first, ident_offset, specials, count, limit = fields[:7]
        hash_size, kind, _, page_bits = fields[7:]
        hash_type = self._hash_type(kind, hash_size)
        limit = self._later(version, _CODE_LIMIT_64) or limit
        if self._later(version, _SCATTER):
            raise self._refuse(_SCATTER[1], "its code is scattered, which no Mach-O file's is")
        page_size = self._page_size(page_bits, limit, count)
        end = first + count * hash_size
        if end > size or specials * hash_size > first:
            problem = (
                f"{specials} + {count} hashes around byte {first} leave its {counted(size, 'byte')}"
            )
            raise self._refuse(16, problem)
        special = {
            slot: found
            for slot in range(1, min(specials, _LARGEST_SPECIAL_SLOT) + 1)
            if any(found := self._bytes(first - slot * hash_size, hash_size))
        }
        seen = hashes.get(PageHash(hash_type.algorithm, page_size))
        verified = seen is not None and limit == image.limit
        return CodeDirectory(
            slot=self._blob.slot,
            version=version,
            flags=flags,
            hash_type=hash_type,
            page_size=page_size,
            code_limit=limit,
            pages=count,
            identifier=self._text("identifier", 20, ident_offset) or "",
            team=self._text("team identifier", _TEAM[1], self._later(version, _TEAM)),
            special=special,
            wrong_slots=self._wrong_slots(hash_type, special, inner),
            verified=verified,
            wrong_pages=self._wrong_pages(hash_type, first, seen or b"") if verified else None,
        )

    def _hash_type(self, kind: int, size: int) -> HashType:
        if kind not in _HASH_SIZES:
            raise self._refuse(37, f"hash type {kind} is none of 1 to 4")
        found = HashType(kind)
        if size != found.size:
            raise self._refuse(
                36, f"{found.label} has {counted(found.size, 'byte')} and not {size}"
            )
        return found

    def _page_size(self, bits: int, limit: int, count: int) -> int:
        if bits not in _PAGE_BITS:
            raise self._refuse(39, f"pages of 2^{bits} bytes; macOS has 2^12 and 2^14")
        size = 1 << bits if bits else 0
        needed = -(-limit // (size or limit or 1))
        if count != needed:
            problem = f"it has hashes of {counted(count, 'page')}, its {counted(limit, 'byte')} of code are {needed}"
            raise self._refuse(28, problem)
        return size

    def _later(self, version: int, field: tuple[int, int, int]) -> int:
        """Return a field that some version brought; 0 in directories that are older."""
        since, at, size = field
        if version < since:
            return 0
        if at + size > self._blob.size:
            problem = (
                f"it is too short for version {version:#x}: {counted(self._blob.size, 'byte')}"
            )
            raise self._refuse(8, problem)
        return int.from_bytes(self._bytes(at, size), "big")

    def _text(self, what: str, field: int, offset: int) -> str | None:
        """Return the text to which a field leads, up to a NUL; None where it leads nowhere."""
        if not offset:
            return None
        start = self._blob.start + offset
        end = self._data.find(0, start, min(self._blob.end, start + _LONGEST_TEXT))
        if end < 0:
            problem = f"the {what} at {offset} does not end within it and {_LONGEST_TEXT} bytes"
            raise self._refuse(field, problem)
        return self._data[start:end].decode(errors="backslashreplace")

    def _wrong_slots(
        self, hash_type: HashType, special: Mapping[int, bytes], inner: Mapping[int, _Blob]
    ) -> tuple[int, ...]:
        """Return the slots that are not the hash of their blob; entitlements have both or neither."""
        found = {
            slot: hash_type.digest(self._data[blob.start : blob.end])
            for slot, blob in inner.items()
            if slot <= _LARGEST_SPECIAL_SLOT
        }
        both = {Slot.ENTITLEMENTS, Slot.DER_ENTITLEMENTS} & {*special, *found} | {*found}
        return tuple(sorted(slot for slot in both if special.get(slot) != found.get(slot)))

    def _wrong_pages(self, hash_type: HashType, first: int, seen: bytes) -> WrongPages | None:
        """Compare the hashes from byte `first` on with those of the pages, which have their full length."""
        size, full = hash_type.size, hash_type.full_size
        count = len(seen) // full
        stated = self._bytes(first, count * size)
        if seen == stated:
            return None
        wrong = [
            page
            for page in range(count)
            if seen[page * full : page * full + size] != stated[page * size : (page + 1) * size]
        ]
        return WrongPages(pages=len(wrong), first=wrong[0]) if wrong else None

    def _bytes(self, offset: int, size: int) -> bytes:
        """Return bytes of the directory."""
        start = self._blob.start + offset
        return bytes(self._data[start : start + size])

    def _refuse(self, offset: int, problem: str) -> FormatError:
        text = f"the CodeDirectory of slot {self._blob.slot:#x}: {problem}"
        return FormatError(self._source, self._base + offset, text)
