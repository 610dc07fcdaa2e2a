"""The directory of a wheel's zip archive, read so that every reader finds the same members.

A member counts only where the end record, the central directory, the local header and, if any,
the data descriptor tell the same story, and where members, directory and end record fill the file
without gap or overlap. Sections are those of PKWARE's APPNOTE.TXT, version 6.3.10.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import stat
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fatwheel.archive.end import find_directory
from fatwheel.archive.format import (
    CENTRAL,
    CENTRAL_SIGNATURE,
    DESCRIPTOR_SIGNATURE,
    LOCAL,
    LOCAL_SIGNATURE,
    MAX16,
    MAX32,
    Flag,
    Method,
)
from fatwheel.archive.names import check_collisions, decode_names
from fatwheel.archive.ranges import RangeFile, ReadAhead
from fatwheel.errors import WheelError
from fatwheel.printable import counted
from fatwheel.values import valueclass

__all__ = ["DateTime", "Entry", "Method", "read_directory"]

DateTime = tuple[int, int, int, int, int, int]
"""Year, month, day, hour, minute, second: local time without a zone, in steps of two seconds."""

MAX_VERSION = 63
"""The version of the format (4.4.3), times ten, that `zipfile`, pip and uv read up to."""
MAX_CONTENT = 64 << 20
MAX_RATIO = 100
"""A wheel that unfolds to more bytes than `MAX_CONTENT`, and to as many times its own size, is no wheel.
Real ones unfold to 3 to 5 times their size; PyPI takes none above 64 MiB that does so 50 times."""

_FIELD = struct.Struct("<2H")
_ZIP64_FIELD = 0x0001
_UNICODE_PATH_FIELD = 0x7075
_REFUSED_FIELDS = {
    0x0017: "is encrypted, as its extra field 0x0017 says",
    0x6C78: "has an extra field 0x6c78, in which bsdtar finds another type and mode",
    0x9901: "is encrypted, as its extra field 0x9901 says",
}
_SHORT_EXTRA = 64  # bytes; zip's own has 28
_METHODS = {method.value: method for method in Method}
_UNIX_SYSTEMS = (3, 19)  # UNIX, and OS X (Darwin), whose attributes are laid out like UNIX's
_REFUSED_FLAGS = {
    Flag.ENCRYPTED: "is encrypted",
    Flag.PATCHED: "holds compressed patched data",
    Flag.STRONG_ENCRYPTION: "uses strong encryption",
    Flag.MASKED_HEADERS: "has its local header masked",
}
_ANY_REFUSED_FLAG = sum(_REFUSED_FLAGS)
_DESCRIPTOR = int(Flag.DESCRIPTOR)
_new_tuple = tuple.__new__
_DOS_VOLUME, _DOS_FOLDER = 0x08, 0x10


@valueclass
class Entry:
    """One member of a wheel, as its directory and its local header agree on it.

    `name` uses slashes, and ends with one where `is_dir`. `crc` is the CRC-32 of the content,
    `size` the content's and `compressed_size` its encoded form's length in bytes; the latter
    begins at byte `data_offset` of the file, the local header at `header_offset`. `mode` holds
    the permission bits, those for set-uid, set-gid and sticky included; 0o644, and 0o755 for folders,
    where the archive has none. `date_time` is None where the time stamp is not a valid date.
    """

    name: str
    is_dir: bool
    method: Method
    crc: int
    compressed_size: int
    size: int
    header_offset: int
    data_offset: int
    mode: int
    date_time: DateTime | None


class _Record(NamedTuple):
    """Header in the central directory; `attributes` is (system, external), `stamp` (date, time)."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed_size: int
    size: int
    header_offset: int
    attributes: tuple[int, int]
    stamp: tuple[int, int]

    @property
    def shared(self) -> tuple[int, int, int, int, int]:
        """What the local header repeats: flags, method, CRC-32, compressed size, size."""
        return self[2:7]


def read_directory(file: RangeFile, source: str) -> tuple[Entry, ...]:
    """Return all members of the wheel in the order of its central directory.

    `source` names the wheel in messages. Raises `WheelError` for whatever is unsafe, damaged,
    ambiguous or contradicts itself, and for a zip bomb; no content is read, so CRC-32 and sizes are
    still to be verified.
    """
    directory = find_directory(file, source)
    data = file.read(directory.offset, directory.size)
    records = _central_headers(data, source)
    if len(records) != directory.members:
        problem = (
            f"has {counted(len(records), 'member')}, but its end record says {directory.members}"
        )
        raise WheelError(source, None, problem)
    total = sum([record.size for record in records])
    if total > max(MAX_CONTENT, MAX_RATIO * file.size):
        problem = (
            f"its {counted(file.size, 'byte')} unfold to {total}, more than {MAX_RATIO} times as many; no real "
            "wheel's do, so nothing of it is read"
        )
        raise WheelError(source, None, problem)
    check_collisions([record.name for record in records], source)
    data_offsets = _check_members(file, source, records, directory.offset)
    modes: dict[tuple[int, int], int] = {}
    dates: dict[tuple[int, int], DateTime | None] = {}
    entries = []
    for record, data_offset in zip(records, data_offsets, strict=True):
        name, _, _, method, crc, compressed_size, size, header_offset, attributes, stamp = record
        is_dir = name[-1] == "/"
        if is_dir or (mode := modes.get(attributes)) is None:
            mode = _mode(record, source, is_dir)
            if not is_dir:
                modes[attributes] = mode
        if stamp not in dates:
            dates[stamp] = _date_time(*stamp)
        entries.append(
            Entry(
                name=name,
                is_dir=is_dir,
                method=_METHODS[method],
                crc=crc,
                compressed_size=compressed_size,
                size=size,
                header_offset=header_offset,
                data_offset=data_offset,
                mode=mode,
                date_time=dates[stamp],
            )
        )
    return tuple(entries)


def _central_headers(data: bytes, source: str) -> list[_Record]:
    """Return the headers of the central directory `data` (4.3.12), each checked by itself."""
    headers = []
    at, end = 0, len(data)
    while at < end:
        if data[at : at + 4] != CENTRAL_SIGNATURE or at + CENTRAL.size > end:
            found = data[at : at + 4].hex()
            problem = f"its central directory is damaged at byte {at} of {end} (found {found})"
            raise WheelError(source, None, problem)
        fields = CENTRAL.unpack_from(data, at)
        names = at + CENTRAL.size
        extras = names + fields[11]
        comments = extras + fields[12]
        at = comments + fields[13]
        if at > end:
            raise WheelError(source, None, "its central directory ends within a header")
        headers.append((fields, data[names:extras], data[extras:comments]))
    # All names are looked at before the first of them may stand in a message.
    names_ = decode_names([(raw, fields[4]) for fields, raw, _ in headers], source)
    return [
        _record(fields, raw, extra, name, source)
        for (fields, raw, extra), name in zip(headers, names_, strict=True)
    ]


def _record(fields: tuple[int, ...], raw: bytes, extra: bytes, name: str, source: str) -> _Record:
    """Return one header of the central directory, checked."""
    # fmt: off
    (_, _, system, needed, flags, method, time, date, crc, packed, size,
     _, _, _, disk, _, external, offset) = fields
    # fmt: on
    if needed & 0xFF > MAX_VERSION:
        raise _too_new(needed, "directory", source, name)
    if extra and (zip64 := _zip64_fields(extra, source, name)):
        size, packed, offset, disk = _widen(zip64, (size, packed, offset, disk), source, name)
    if disk:
        raise WheelError(source, name, f"lies on disk {disk}; wheels have one disk, number 0")
    # As `_Record(...)` makes it, in half the time.
    record: _Record = _new_tuple(
        _Record,
        (name, raw, flags, method, crc, packed, size, offset, (system, external), (date, time)),
    )
    if flags & _ANY_REFUSED_FLAG or method not in _METHODS or (method == 0 and packed != size):
        _refuse_encoding(record, source)
    return record


def _too_new(needed: int, header: str, source: str, name: str) -> WheelError:
    """Return the error for a version needed (4.4.3), of which all readers take the lower byte."""
    version = f"{(needed & 0xFF) // 10}.{(needed & 0xFF) % 10}"
    most = f"{MAX_VERSION // 10}.{MAX_VERSION % 10}"
    problem = f"needs version {version} of the zip format, as its {header} says; installers read up to {most}"
    return WheelError(source, name, problem)


def _refuse_encoding(record: _Record, source: str) -> None:
    for flag, problem in _REFUSED_FLAGS.items():
        if record.flags & flag:
            raise WheelError(source, record.name, f"{problem} (flags {record.flags:#06x})")
    if record.method not in _METHODS:
        problem = f"is compressed by method {record.method}; wheels use 0 (stored) or 8 (deflate)"
        raise WheelError(source, record.name, problem)
    problem = (
        f"is stored in {counted(record.compressed_size, 'byte')}, but its size is {record.size}"
    )
    raise WheelError(source, record.name, problem)


def _fields(extra: bytes, source: str, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield identifier and data of each extra field (4.5.1); up to 3 bytes may follow."""
    at = 0
    while at + 4 <= len(extra):
        identifier, size = _FIELD.unpack_from(extra, at)
        at += 4
        if at + size > len(extra):
            left = len(extra) - at
            problem = f"its extra field {identifier:#06x} has {counted(size, 'byte')}, but {left} are left"
            raise WheelError(source, name, problem)
        yield identifier, extra[at : at + size]
        at += size


def _zip64_fields(extra: bytes, source: str, name: str) -> list[bytes]:
    """Return the Zip64 fields (4.5.3) of a header; refuse what tells some readers something else.

    A second name stands in the Unicode path field (4.6.9), which not every reader knows.
    """
    if len(extra) <= _SHORT_EXTRA and _says_nothing(extra):
        return []
    zip64 = []
    for identifier, data in _fields(extra, source, name):
        if identifier == _ZIP64_FIELD:
            zip64.append(data)
        elif identifier == _UNICODE_PATH_FIELD and data[5:] != name.encode():
            second = data[5:].decode("ascii", "backslashreplace")
            raise WheelError(source, name, f"has a second name, {second}, in an extra field")
        elif identifier in _REFUSED_FIELDS:
            raise WheelError(source, name, _REFUSED_FIELDS[identifier])
    return zip64


@functools.lru_cache(256)
def _says_nothing(extra: bytes) -> bool:
    """Return whether all fields are such as nobody looks at: times and owners, for one, which are alike in many."""
    try:
        identifiers = {identifier for identifier, _ in _fields(extra, "", "")}
    except WheelError:
        return False
    return identifiers.isdisjoint({_ZIP64_FIELD, _UNICODE_PATH_FIELD, *_REFUSED_FIELDS})


def _widen(
    found: Sequence[bytes], values: tuple[int, ...], source: str, name: str
) -> tuple[int, ...]:
    """Replace the values that do not fit their fields by those of the Zip64 extra field (4.5.3).

    `values` are size, compressed size and, in the central directory, offset and disk.
    """
    if len(found) > 1:
        raise WheelError(source, name, f"has {len(found)} Zip64 fields; one header has at most one")
    limits = (MAX32, MAX32, MAX32, MAX16)
    wanted = [i for i, value in enumerate(values) if value == limits[i]]
    layout = "<" + "".join("L" if i == 3 else "Q" for i in wanted)
    if struct.calcsize(layout) != len(found[0]):
        need = struct.calcsize(layout)
        problem = (
            f"its Zip64 field has {counted(len(found[0]), 'byte')}, but its header calls for {need}"
        )
        raise WheelError(source, name, problem)
    widened = list(values)
    for i, value in zip(wanted, struct.unpack(layout, found[0]), strict=True):
        widened[i] = value
    return tuple(widened)


def _check_members(file: RangeFile, source: str, records: list[_Record], end: int) -> list[int]:
    """Check that the members fill the file up to `end`; return where the data of each begins."""
    order = sorted(range(len(records)), key=lambda i: records[i].header_offset)
    first = records[order[0]].header_offset if order else end
    if first:
        raise WheelError(source, None, f"has {counted(first, 'byte')} of no member at its start")
    data_offsets = [0] * len(records)
    headers = ReadAhead(file)
    for i, after in itertools.zip_longest(order, order[1:], fillvalue=-1):
        record = records[i]
        limit = records[after].header_offset if after >= 0 else end
        data_offsets[i] = _check_local_header(headers, source, record, limit)
        data_end = data_offsets[i] + record.compressed_size
        if data_end > limit:
            what = records[after].name if after >= 0 else "the central directory"
            problem = f"overlaps {what}: it ends at byte {data_end}, but that begins at {limit}"
            raise WheelError(source, record.name, problem)
        if record.flags & _DESCRIPTOR:
            _check_descriptor(file.read(data_end, min(limit - data_end, 25)), record, source)
        elif data_end != limit:
            problem = f"is followed by {counted(limit - data_end, 'byte')} of no member"
            raise WheelError(source, record.name, problem)
    return data_offsets


def _check_local_header(file: ReadAhead, source: str, record: _Record, limit: int) -> int:
    """Compare the local header (4.3.7) with the directory's; return the offset behind it.

    With a data descriptor to follow, CRC-32 and sizes may be zero there (4.4.4, bit 3).
    """
    name, at = record.name, record.header_offset
    size = LOCAL.size + len(record.raw_name)
    if at + size > limit:
        problem = f"its local header at byte {at} runs into what begins at byte {limit}"
        raise WheelError(source, name, problem)
    header = file.read(at, size)
    signature, needed, flags, method, _, _, crc, packed, unpacked, name_size, extra_size = (
        LOCAL.unpack_from(header)
    )
    if signature != LOCAL_SIGNATURE:
        found = signature.hex()
        raise WheelError(source, name, f"has no local header at byte {at} (found {found})")
    raw_name = header[LOCAL.size :]
    if name_size != len(raw_name) or raw_name != record.raw_name:
        shown = file.read(at + LOCAL.size, min(name_size, limit - at - LOCAL.size))
        problem = (
            f"its local header names another file, {shown.decode('ascii', 'backslashreplace')}"
        )
        raise WheelError(source, name, problem)
    if needed & 0xFF > MAX_VERSION:
        raise _too_new(needed, "local header", source, name)
    data_offset: int = at + size + extra_size
    if extra_size and data_offset <= limit:
        zip64 = _zip64_fields(file.read(at + size, extra_size), source, name)
        if zip64 and MAX32 in (packed, unpacked):
            unpacked, packed = _widen(zip64, (unpacked, packed), source, name)
        elif zip64:
            _check_needless(zip64, record, source)
    values = (flags, method, crc, packed, unpacked)
    if values != record[2:7]:  # `record.shared`
        _compare(values, record, source)
    return data_offset


def _check_needless(found: Sequence[bytes], record: _Record, source: str) -> None:
    """Check Zip64 fields of a local header that has its sizes already, as some writers leave them there."""
    for data in found:
        sizes = [size for (size,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8])]
        wanted = (record.size, record.compressed_size)
        if len(data) not in (8, 16) or any(
            size not in (0, right) for size, right in zip(sizes, wanted, strict=False)
        ):
            said = ", ".join(map(str, sizes)) or counted(len(data), "byte")
            problem = f"a Zip64 field in its local header says {said}, where its sizes are {wanted}"
            raise WheelError(source, record.name, problem)


def _compare(values: tuple[int, ...], record: _Record, source: str) -> None:
    """Refuse values of a local header that differ from the directory's."""
    late = bool(record.flags & Flag.DESCRIPTOR)
    for what, here, there, may_be_zero in zip(
        ("flags", "method", "CRC-32", "compressed size", "size"),
        values,
        record.shared,
        (False, False, late, late, late),
        strict=True,
    ):
        if here != there and not (may_be_zero and here == 0):
            problem = f"its {what} is {here} in the local header but {there} in the directory"
            raise WheelError(source, record.name, problem)


def _check_descriptor(found: bytes, record: _Record, source: str) -> None:
    """Check the data descriptor (4.3.9), which is all that stands between two members.

    It may have a signature or not, and sizes of 4 or 8 bytes; its length tells which.
    """
    layouts = {12: "<3L", 16: "<4s3L", 20: "<L2Q", 24: "<4sL2Q"}
    layout = layouts.get(len(found))
    if layout is None:
        many = "more than 24" if len(found) > 24 else str(len(found))
        problem = f"is followed by {many} bytes, which cannot be its data descriptor"
        raise WheelError(source, record.name, problem)
    *signature, crc, packed, size = struct.unpack(layout, found)
    if signature not in ([], [DESCRIPTOR_SIGNATURE]):
        problem = f"its data descriptor begins with {signature[0].hex()}, not with its signature"
        raise WheelError(source, record.name, problem)
    there = (record.crc, record.compressed_size, record.size)
    if (crc, packed, size) != there:
        problem = (
            f"CRC-32, compressed size and size are {(crc, packed, size)} in its data descriptor "
            f"but {there} in the directory"
        )
        raise WheelError(source, record.name, problem)


def _mode(record: _Record, source: str, is_dir: bool) -> int:
    """Return the permission bits that the external attributes stand for (4.4.15).

    Their upper half is a UNIX mode where the member was made on UNIX. Installers look at it
    wherever it was made, to find what is executable, so a mode of another system counts as that
    much. There the lower half, MS-DOS's attributes, makes a folder for bsdtar and 7-Zip, and a
    volume label, which unzip skips.
    """
    system, external = record.attributes
    full = external >> 16
    if system not in _UNIX_SYSTEMS and external & _DOS_VOLUME:
        raise WheelError(source, record.name, "is a volume label by its MS-DOS attributes")
    if system not in _UNIX_SYSTEMS and external & _DOS_FOLDER and not is_dir:
        raise WheelError(
            source, record.name, "is a folder by its MS-DOS attributes, but not by its name"
        )
    kind = stat.S_IFMT(full)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a device or another special file"
        raise WheelError(source, record.name, f"is {what} (mode {full:#o}); wheels hold files only")
    if kind and is_dir != (kind == stat.S_IFDIR):
        what = "file" if is_dir else "folder"
        raise WheelError(
            source, record.name, f"is a {what} by its mode {full:#o}, but not by its name"
        )
    if is_dir and (record.size or record.crc):
        raise WheelError(
            source, record.name, f"is a folder, but has {counted(record.size, 'byte')} of content"
        )
    if system in _UNIX_SYSTEMS and stat.S_IMODE(full):
        return stat.S_IMODE(full)
    executable = is_dir or (kind == stat.S_IFREG and full & 0o111)
    return 0o755 if executable else 0o644


def _date_time(date: int, time: int) -> DateTime | None:
    """Decode a time stamp of MS-DOS (4.4.6)."""
    day = (1980 + (date >> 9), date >> 5 & 15, date & 31)
    clock = (time >> 11, time >> 5 & 63, (time & 31) * 2)
    try:
        datetime.datetime(*day, *clock)  # raises where there is no such time
    except ValueError:
        return None
    return day + clock
